//! What a certificate says about itself, for people to read. No decision depends on it.

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;

use crate::chain::parse;

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
    /// The first DNS names that it is valid for.
    pub names: Vec<String>,
    /// When its validity begins, in seconds since 1970.
    pub not_before: i64,
    /// When it ends, likewise.
    pub not_after: i64,
}

impl CertificateSummary {
    /// `None` if the certificate cannot be read.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let read = parse(certificate).ok()?;
        let validity = read.validity();
        Some(Self {
            subject: shortened(&read.subject().to_string()),
            issuer: shortened(&read.issuer().to_string()),
            names: dns_names(&read),
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
        })
    }
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
        params.not_before = rcgen::date_time_ymd(2026, 1, 2);
        params.not_after = rcgen::date_time_ymd(2026, 12, 3);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let summary = CertificateSummary::of(certificate.der()).unwrap();
        assert!(summary.subject.starts_with("CN=xxx") && summary.subject.len() < NAME + 10);
        assert_eq!(summary.issuer, summary.subject);
        assert_eq!(summary.names, ["mx.example.nl"]);
        assert_eq!(
            (summary.not_before, summary.not_after),
            (1_767_312_000, 1_796_256_000)
        );
        assert_eq!(CertificateSummary::of(&CertificateDer::from(vec![0x30, 0])), None);
    }
}
