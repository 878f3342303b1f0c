//! A small certificate factory.

use std::time::Duration;

use dane::{Match, ReferenceIdentifiers, TlsaRecord, TlsaSet, VerifyFailure, verify_chain};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::pki_types::{CertificateDer, UnixTime};

/// 2026-09-21, within the validity of every certificate made here by default.
pub(crate) const NOW: u64 = 1_790_000_000;
/// The TLSA base domain of most tests.
pub(crate) const HOST: &str = "mx1.example.com";

/// A certificate with what is needed to sign others.
pub(crate) struct Issued {
    pub(crate) params: CertificateParams,
    pub(crate) key: KeyPair,
    pub(crate) der: CertificateDer<'static>,
    pub(crate) pem: String,
}

pub(crate) fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(NOW))
}

/// Parameters of a leaf for `names`, with an unrelated CN.
pub(crate) fn leaf_params(names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "no host");
    params.subject_alt_names = names
        .iter()
        .map(|name| SanType::DnsName((*name).try_into().unwrap()))
        .collect();
    params
}

/// Parameters of a CA called `name`.
pub(crate) fn ca_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

pub(crate) fn self_signed(params: CertificateParams) -> Issued {
    self_signed_with(params, KeyPair::generate().unwrap())
}

pub(crate) fn self_signed_with(params: CertificateParams, key: KeyPair) -> Issued {
    let certificate = params.self_signed(&key).unwrap();
    issued(&certificate, params, key)
}

pub(crate) fn signed_by(issuer: &Issued, params: CertificateParams) -> Issued {
    signed_by_with(issuer, params, KeyPair::generate().unwrap())
}

pub(crate) fn signed_by_with(issuer: &Issued, params: CertificateParams, key: KeyPair) -> Issued {
    let by = Issuer::from_params(&issuer.params, &issuer.key);
    let certificate = params.signed_by(&key, &by).unwrap();
    issued(&certificate, params, key)
}

fn issued(certificate: &Certificate, params: CertificateParams, key: KeyPair) -> Issued {
    Issued {
        params,
        key,
        der: certificate.der().clone(),
        pem: certificate.pem(),
    }
}

/// `root` → `intermediate` → leaf for [`HOST`].
pub(crate) struct ThreeTier {
    pub(crate) root: Issued,
    pub(crate) intermediate: Issued,
    pub(crate) leaf: Issued,
}

impl ThreeTier {
    pub(crate) fn new() -> Self {
        let root = self_signed(ca_params("root"));
        let intermediate = signed_by(&root, ca_params("intermediate"));
        let leaf = signed_by(&intermediate, leaf_params(&[HOST]));
        Self {
            root,
            intermediate,
            leaf,
        }
    }

    /// All three certificates, as a server should send them.
    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        chain(&[&self.leaf, &self.intermediate, &self.root])
    }
}

pub(crate) fn chain(certificates: &[&Issued]) -> Vec<CertificateDer<'static>> {
    certificates.iter().map(|issued| issued.der.clone()).collect()
}

/// The record `usage selector matching` of a certificate.
pub(crate) fn record(fields: (u8, u8, u8), certificate: &Issued) -> TlsaRecord {
    let (usage, selector, matching) = fields;
    TlsaRecord::for_certificate(usage.into(), selector.into(), matching.into(), &certificate.der).unwrap()
}

/// The same record with its data spoilt, still well formed where it is a digest.
pub(crate) fn stale(mut record: TlsaRecord) -> TlsaRecord {
    *record.data.last_mut().unwrap() ^= 1;
    record
}

/// The verdict on a chain for [`HOST`] at [`now`].
pub(crate) fn verdict(chain: &[CertificateDer<'_>], records: &[TlsaRecord]) -> Result<Match, VerifyFailure> {
    verdict_for(chain, records, &[HOST])
}

pub(crate) fn verdict_for(
    chain: &[CertificateDer<'_>],
    records: &[TlsaRecord],
    names: &[&str],
) -> Result<Match, VerifyFailure> {
    let (base, others) = names.split_first().unwrap();
    let references = others
        .iter()
        .try_fold(ReferenceIdentifiers::new(base).unwrap(), |all, name| {
            all.and(name)
        })
        .unwrap();
    verify_chain(&TlsaSet::new(records.to_vec()), chain, &references, now())
}
