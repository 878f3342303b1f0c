//! The result types of TLS reports.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a TLS report calls a failure (RFC 8460 §4.3), in its own names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsResult {
    /// STARTTLS was not offered.
    StarttlsNotSupported,
    /// The certificate names another host.
    CertificateHostMismatch,
    /// A certificate has expired.
    CertificateExpired,
    /// No valid path leads to a trust anchor.
    CertificateNotTrusted,
    /// Anything else.
    ValidationFailure,
    /// No TLSA record is usable.
    TlsaInvalid,
    /// DNSSEC validation failed.
    DnssecInvalid,
    /// DANE is demanded, but its records are missing or not signed.
    DaneRequired,
    /// The MTA-STS policy could not be fetched.
    StsPolicyFetchError,
    /// The MTA-STS policy is malformed.
    StsPolicyInvalid,
    /// The MTA-STS policy's host could not be authenticated.
    StsWebpkiInvalid,
}

impl fmt::Display for TlsResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StarttlsNotSupported => "starttls-not-supported",
            Self::CertificateHostMismatch => "certificate-host-mismatch",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateNotTrusted => "certificate-not-trusted",
            Self::ValidationFailure => "validation-failure",
            Self::TlsaInvalid => "tlsa-invalid",
            Self::DnssecInvalid => "dnssec-invalid",
            Self::DaneRequired => "dane-required",
            Self::StsPolicyFetchError => "sts-policy-fetch-error",
            Self::StsPolicyInvalid => "sts-policy-invalid",
            Self::StsWebpkiInvalid => "sts-webpki-invalid",
        })
    }
}
