//! Keys and certificates, the odd ones included.

use dane::TlsaRecord;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData, RsaKeySize,
    SanType, SigningKey,
};
use rustls::pki_types::CertificateDer;

/// Keys, made once and dealt out again for each case.
pub(crate) fn keys() -> Vec<KeyPair> {
    let mut keys = Vec::new();
    for _ in 0..8 {
        keys.push(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap());
    }
    for _ in 0..3 {
        keys.push(KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap());
        keys.push(KeyPair::generate_for(&PKCS_ED25519).unwrap());
        keys.push(KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap());
    }
    keys
}

/// The version of X.509 that a certificate is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// Without extensions.
    One,
    Three,
}

/// What a certificate will say, before anybody signs it.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) params: CertificateParams,
    pub(crate) version: Version,
}

/// A certificate with what is needed to sign others.
pub(crate) struct Issued<'k, K = KeyPair> {
    pub(crate) draft: Draft,
    pub(crate) key: &'k K,
    pub(crate) der: CertificateDer<'static>,
}

impl Draft {
    fn new(common_name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(common_name);
        Self {
            params,
            version: Version::Three,
        }
    }

    /// An authority, with nothing to complain about.
    pub(crate) fn authority(name: &str) -> Self {
        let mut draft = Self::new(name);
        draft.params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        draft.params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        draft
    }

    /// A server's certificate for these DNS names.
    pub(crate) fn server(common_name: &str, names: &[&str]) -> Self {
        let mut draft = Self::new(common_name);
        draft.params.subject_alt_names = names
            .iter()
            .map(|name| SanType::DnsName((*name).try_into().unwrap()))
            .collect();
        draft
    }

    /// Takes out what version 1 has no place for.
    pub(crate) fn into_version_1(mut self) -> Self {
        let mut bare = CertificateParams::default();
        bare.not_before = self.params.not_before;
        bare.not_after = self.params.not_after;
        bare.distinguished_name = self.params.distinguished_name;
        self.params = bare;
        self.version = Version::One;
        self
    }

    pub(crate) fn self_signed<K: SigningKey>(self, key: &K) -> Issued<'_, K> {
        let name = self.params.distinguished_name.clone();
        self.signed(key, name, key)
    }

    pub(crate) fn signed_by<'k, K: SigningKey>(self, issuer: &Issued<'_, K>, key: &'k KeyPair) -> Issued<'k> {
        let name = issuer.draft.params.distinguished_name.clone();
        self.signed(key, name, issuer.key)
    }

    /// A certificate for `key` that names `issuer` and is signed by `signer`, whoever that is.
    pub(crate) fn signed<'k, K: PublicKeyData>(
        self,
        key: &'k K,
        issuer: DistinguishedName,
        signer: &impl SigningKey,
    ) -> Issued<'k, K> {
        let mut as_issuer = CertificateParams::default();
        as_issuer.distinguished_name = issuer;
        let certificate = self
            .params
            .signed_by(key, &Issuer::from_params(&as_issuer, signer))
            .unwrap();
        let der = match self.version {
            Version::Three => certificate.der().clone(),
            Version::One => without_version(certificate.der(), signer),
        };
        Issued {
            draft: self,
            key,
            der,
        }
    }
}

impl<K> Issued<'_, K> {
    /// The record `usage selector matching` of this certificate.
    pub(crate) fn record(&self, usage: u8, selector: u8, matching: u8) -> TlsaRecord {
        TlsaRecord::for_certificate(usage.into(), selector.into(), matching.into(), &self.der).unwrap()
    }
}

pub(crate) fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// The field `[0] version` that says 3.
const VERSION_3: [u8; 5] = [0xa0, 3, 2, 1, 2];
const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;

/// Rewrites a version 3 certificate without extensions as version 1 (RFC 5280 §4.1.2.1), signed anew.
fn without_version(der: &[u8], signer: &impl SigningKey) -> CertificateDer<'static> {
    let (certificate, _) = contents(der);
    let (signed_part, after) = contents(certificate);
    let (_, after_algorithm) = contents(after);
    let algorithm = &after[..after.len() - after_algorithm.len()];
    let fields = signed_part.strip_prefix(&VERSION_3).unwrap();
    let signed_part = element(SEQUENCE, fields);
    let signature = signer.sign(&signed_part).unwrap();
    let signature = element(BIT_STRING, &[&[0], signature.as_slice()].concat());
    element(SEQUENCE, &[&signed_part, algorithm, &signature].concat()).into()
}

/// The contents of the first element, and what follows it.
fn contents(der: &[u8]) -> (&[u8], &[u8]) {
    let (header, length) = match der[1] {
        short @ 0..=0x7f => (2, usize::from(short)),
        0x81 => (3, usize::from(der[2])),
        0x82 => (4, usize::from(der[2]) << 8 | usize::from(der[3])),
        longer => panic!("a length of {longer:#x}"),
    };
    der[header..].split_at(length)
}

fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let [.., high, low] = contents.len().to_be_bytes();
    let header = match contents.len() {
        0..0x80 => vec![tag, low],
        0x80..0x100 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [&header, contents].concat()
}
