//! What a certificate says about itself, for people to read. No decision depends on it.

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{X509Certificate, X509Name};

use crate::chain::parse;
use crate::der::{Fields, PublicKey};

/// The most characters of one name that are passed on; whoever makes a certificate can write anything.
const NAME: usize = 200;
/// The most names of a leaf that are passed on.
const NAMES: usize = 8;

/// What a certificate says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSummary {
    /// The subject, as `CN=…, O=…`; may be empty, and may contain any character.
    pub subject: String,
    /// Who made it, likewise.
    pub issuer: String,
    /// The organization of the issuer (`O=`), if it names one.
    pub issuer_organization: Option<String>,
    /// The first DNS names that it is valid for.
    pub names: Vec<String>,
    /// When its validity begins, in seconds since 1970.
    pub not_before: i64,
    /// When it ends, likewise.
    pub not_after: i64,
    /// Its key: `ECDSA P-256`, `RSA 2048`; of another kind its object identifier.
    pub key: String,
    /// How its issuer signed it: `ECDSA with SHA-256`; of another kind likewise.
    pub signature: String,
    /// Whether that signature uses a digest for which collisions can be made: MD5 or SHA-1.
    pub is_weakly_signed: bool,
    /// Whether it names itself as its issuer.
    pub is_self_issued: bool,
}

/// Object identifiers of keys whose name says it all, and of curves.
const KEYS: [(&str, &str); 7] = [
    ("1.3.101.112", "Ed25519"),
    ("1.3.101.113", "Ed448"),
    ("1.2.840.10045.3.1.7", "ECDSA P-256"),
    ("1.3.132.0.34", "ECDSA P-384"),
    ("1.3.132.0.35", "ECDSA P-521"),
    ("1.2.840.113549.1.1.1", "RSA"),
    ("1.2.840.113549.1.1.10", "RSA-PSS"),
];
/// Object identifiers of signatures (RFC 3279, RFC 4055, RFC 5758, RFC 8410).
const SIGNATURES: [(&str, &str); 12] = [
    ("1.2.840.113549.1.1.4", "RSA with MD5"),
    ("1.2.840.113549.1.1.5", "RSA with SHA-1"),
    ("1.2.840.113549.1.1.11", "RSA with SHA-256"),
    ("1.2.840.113549.1.1.12", "RSA with SHA-384"),
    ("1.2.840.113549.1.1.13", "RSA with SHA-512"),
    ("1.2.840.113549.1.1.10", "RSA-PSS"),
    ("1.2.840.10045.4.1", "ECDSA with SHA-1"),
    ("1.2.840.10045.4.3.2", "ECDSA with SHA-256"),
    ("1.2.840.10045.4.3.3", "ECDSA with SHA-384"),
    ("1.2.840.10045.4.3.4", "ECDSA with SHA-512"),
    ("1.3.101.112", "Ed25519"),
    ("1.3.101.113", "Ed448"),
];

/// Those of [`SIGNATURES`] with MD5 or SHA-1.
const WEAK: [&str; 3] = [
    "1.2.840.113549.1.1.4",
    "1.2.840.113549.1.1.5",
    "1.2.840.10045.4.1",
];

fn named(names: &[(&str, &str)], identifier: &str) -> String {
    let known = names.iter().find(|(known, _)| *known == identifier);
    known.map_or(identifier, |(_, name)| *name).to_owned()
}

fn key_of(der: &CertificateDer<'_>, certificate: &X509Certificate<'_>) -> String {
    let algorithm = &certificate.public_key().algorithm;
    let curve = algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
    let name = named(
        &KEYS,
        &curve.as_ref().unwrap_or(&algorithm.algorithm).to_id_string(),
    );
    let is_rsa = algorithm.algorithm.to_id_string() == "1.2.840.113549.1.1.1";
    let fields = Fields::read(der.as_ref());
    let bits = fields
        .and_then(|fields| PublicKey::read(fields.spki))
        .and_then(|key| key.first_number_bits());
    match bits {
        Some(bits) if is_rsa => format!("{name} {bits}"),
        Some(_) | None => name,
    }
}

impl CertificateSummary {
    /// `None` if the certificate cannot be read.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let read = parse(certificate).ok()?;
        let validity = read.validity();
        Some(Self {
            subject: shortened(&read.subject().to_string()),
            issuer: shortened(&read.issuer().to_string()),
            issuer_organization: organization(read.issuer()),
            names: dns_names(&read),
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
            key: key_of(certificate, &read),
            signature: named(&SIGNATURES, &read.signature_algorithm.algorithm.to_id_string()),
            is_weakly_signed: WEAK.contains(&read.signature_algorithm.algorithm.to_id_string().as_str()),
            is_self_issued: read.subject().as_raw() == read.issuer().as_raw(),
        })
    }
}

fn organization(name: &X509Name<'_>) -> Option<String> {
    let first = name.iter_organization().next()?;
    first.as_str().ok().map(shortened)
}

fn dns_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = extension.value.general_names.iter();
    let names = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(shortened(name)),
        _ => None,
    });
    names.take(NAMES).collect()
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(NAME) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_certificate_is_told_in_short_and_what_is_none_is_not() {
        let mut params = rcgen::CertificateParams::new(vec!["mx.example.nl".to_owned()]).unwrap();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "x".repeat(1000));
        params
            .distinguished_name
            .push(rcgen::DnType::OrganizationName, "Example B.V.");
        params.not_before = rcgen::date_time_ymd(2026, 1, 2);
        params.not_after = rcgen::date_time_ymd(2026, 12, 3);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let summary = CertificateSummary::of(certificate.der()).unwrap();
        assert!(summary.subject.starts_with("CN=xxx") && summary.subject.len() < NAME + 10);
        assert_eq!(summary.issuer, summary.subject);
        assert_eq!(summary.issuer_organization.as_deref(), Some("Example B.V."));
        assert_eq!(summary.names, ["mx.example.nl"]);
        assert_eq!(
            (&*summary.key, &*summary.signature),
            ("ECDSA P-256", "ECDSA with SHA-256")
        );
        assert!(summary.is_self_issued && !summary.is_weakly_signed);
        assert_eq!(
            (summary.not_before, summary.not_after),
            (1_767_312_000, 1_796_256_000)
        );
        assert_eq!(CertificateSummary::of(&CertificateDer::from(vec![0x30, 0])), None);
    }
}
