//! Chains of certificates against TLSA records.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use dane::{
    Match, MatchingType, ReferenceIdentifiers, Selector, TlsaRecord, TlsaSet, Usage, VerifyFailure,
    verify_chain,
};
use rustls::pki_types::{CertificateDer, UnixTime};

use super::input::Input;

/// Within the validity of what is in the corpus: 2026-09-21.
const NOW: u64 = 1_790_000_000;
/// The name that a certificate under DANE-TA(2) must bear.
const HOST: &str = "mx1.example.com";
/// Instead of the number of a certificate: the record's data follows.
const DATA: u8 = 0xFF;
/// Fewer certificates than this are read; a path may have 16.
const CERTIFICATES: u8 = 20;
/// The most records that are read.
const RECORDS: usize = 16;

/// How an input of [`verifier`] is written.
///
/// First the number of certificates, then each with two octets of length in front. Then records: usage, selector,
/// matching type and the number of the certificate that the record is made for, so that a fuzzer need not find
/// digests by chance; or 255, and the data with two octets of length in front.
#[derive(Default)]
pub struct Recipe {
    certificates: Vec<Vec<u8>>,
    records: Vec<u8>,
}

impl Recipe {
    /// A chain, leaf first.
    pub fn new(certificates: &[&[u8]]) -> Self {
        Self {
            certificates: certificates.iter().map(|der| der.to_vec()).collect(),
            records: Vec::new(),
        }
    }

    /// Adds the record with these fields for a certificate of the chain.
    #[must_use]
    pub fn record_for(mut self, fields: [u8; 3], certificate: u8) -> Self {
        self.records.extend(fields);
        self.records.push(certificate);
        self
    }

    /// Adds a record with data of its own.
    #[must_use]
    pub fn record(mut self, fields: [u8; 3], data: &[u8]) -> Self {
        self.records.extend(fields);
        self.records.push(DATA);
        self.records.extend(block(data));
        self
    }

    /// The input.
    pub fn octets(&self) -> Vec<u8> {
        let mut octets = vec![u8::try_from(self.certificates.len()).unwrap()];
        for der in &self.certificates {
            octets.extend(block(der));
        }
        octets.extend(&self.records);
        octets
    }
}

fn block(octets: &[u8]) -> Vec<u8> {
    let length = u16::try_from(octets.len()).unwrap().to_be_bytes();
    [&length, octets].concat()
}

/// A chain, leaf first, and the records that it is held against.
struct Case<'a> {
    chain: Vec<CertificateDer<'a>>,
    records: Vec<TlsaRecord>,
}

impl<'a> Case<'a> {
    fn read(octets: &'a [u8]) -> Self {
        let mut input = Input::new(octets);
        let count = input.octet() % CERTIFICATES;
        let chain: Vec<CertificateDer<'a>> = (0..count).map(|_| input.block().into()).collect();
        let records = records(&mut input, &chain);
        Self { chain, records }
    }

    fn verdict(&self, set: &TlsaSet) -> Result<Match, VerifyFailure> {
        let references = ReferenceIdentifiers::new(HOST).unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW));
        verify_chain(set, &self.chain, &references, now)
    }
}

/// Whether the chain of an input satisfies its records.
pub fn verifies(octets: &[u8]) -> bool {
    let case = Case::read(octets);
    case.verdict(&TlsaSet::new(case.records.clone())).is_ok()
}

/// What verifies has a usable record of the set that really matches the leaf (DANE-EE) or an issuer (DANE-TA), and
/// that record alone would do.
pub fn verifier(octets: &[u8]) {
    let case = Case::read(octets);
    let set = TlsaSet::new(case.records.clone());
    let Ok(found) = case.verdict(&set) else {
        return;
    };
    assert!(set.usable().contains(&found.record) && case.records.contains(&found.record));
    let (leaf, issuers) = case.chain.split_first().unwrap();
    match found.record.usage {
        Usage::DaneEe => {
            assert_eq!(found.depth, 0);
            assert!(matches(&found.record, leaf));
        }
        Usage::DaneTa => {
            assert!(found.depth > 0);
            // Only a whole object can be an anchor without being sent (RFC 7671 §5.2.2, §5.2.3).
            let in_dns = found.record.matching == MatchingType::Full;
            assert!(in_dns || issuers.iter().any(|issuer| matches(&found.record, issuer)));
            let lower = leaf.to_ascii_lowercase();
            let domain = b"example.com";
            assert!(lower.windows(domain.len()).any(|window| window == domain));
        }
        Usage::PkixTa | Usage::PkixEe | Usage::Other(_) => panic!("{} is not for SMTP", found.record),
    }
    let alone = TlsaSet::new(vec![found.record.clone()]);
    assert_eq!(case.verdict(&alone), Ok(found));
}

fn records(input: &mut Input<'_>, chain: &[CertificateDer<'_>]) -> Vec<TlsaRecord> {
    let mut records = Vec::new();
    while !input.is_empty() && records.len() < RECORDS {
        let (usage, selector, matching) = (input.octet(), input.octet(), input.octet());
        let record = match input.octet() {
            DATA => Some(TlsaRecord::from_parts(
                usage,
                selector,
                matching,
                input.block().to_vec(),
            )),
            number => chain.get(usize::from(number)).and_then(|certificate| {
                TlsaRecord::for_certificate(usage.into(), selector.into(), matching.into(), certificate)
            }),
        };
        records.extend(record);
    }
    records
}

/// A second opinion on selector, matching type and data, by another reader of certificates.
fn matches(record: &TlsaRecord, certificate: &CertificateDer<'_>) -> bool {
    let parsed = x509_parser::parse_x509_certificate(certificate);
    let object = match (record.selector, &parsed) {
        (Selector::Cert, _) => certificate.as_ref(),
        (Selector::Spki, Ok((_, parsed))) => parsed.public_key().raw,
        // It reads the whole certificate and may stumble elsewhere than at the key.
        (Selector::Spki, Err(_)) => return record.matches(certificate),
        (Selector::Other(_), _) => return false,
    };
    match record.matching {
        MatchingType::Full => record.data == object,
        MatchingType::Sha256 => record.data == digest(&SHA256, object).as_ref(),
        MatchingType::Sha512 => record.data == digest(&SHA512, object).as_ref(),
        MatchingType::Other(_) => false,
    }
}
