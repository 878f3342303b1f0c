//! OpenSSL's numbers and words, because mail log tools read them.

use std::fmt;

use rustls::CipherSuite;

/// A verification result in OpenSSL's numbers and words; `Display` gives `65 (no matching DANE TLSA records)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VerifyCode {
    number: u16,
    words: &'static str,
}

impl VerifyCode {
    /// The certificate was verified.
    pub const OK: Self = Self::new(0, "ok");
    pub(crate) const UNSPECIFIED: Self = Self::new(1, "unspecified certificate verification error");
    pub(crate) const SIGNATURE: Self = Self::new(7, "certificate signature failure");
    pub(crate) const NOT_YET_VALID: Self = Self::new(9, "certificate is not yet valid");
    pub(crate) const EXPIRED: Self = Self::new(10, "certificate has expired");
    pub(crate) const SELF_SIGNED: Self = Self::new(18, "self-signed certificate");
    pub(crate) const SELF_SIGNED_IN_CHAIN: Self =
        Self::new(19, "self-signed certificate in certificate chain");
    pub(crate) const UNKNOWN_ISSUER: Self = Self::new(20, "unable to get local issuer certificate");
    pub(crate) const CHAIN_TOO_LONG: Self = Self::new(22, "certificate chain too long");
    pub(crate) const PATH_LENGTH: Self = Self::new(25, "path length constraint exceeded");
    pub(crate) const PURPOSE: Self = Self::new(26, "unsuitable certificate purpose");
    pub(crate) const CRITICAL_EXTENSION: Self = Self::new(34, "unhandled critical extension");
    pub(crate) const NAME_CONSTRAINTS: Self = Self::new(47, "permitted subtree violation");
    pub(crate) const NAME_MISMATCH: Self = Self::new(62, "hostname mismatch");
    pub(crate) const NO_MATCH: Self = Self::new(65, "no matching DANE TLSA records");
    pub(crate) const WEAK_KEY: Self = Self::new(66, "EE certificate key too weak");
    pub(crate) const INVALID_CA: Self = Self::new(79, "invalid CA certificate");

    const fn new(number: u16, words: &'static str) -> Self {
        Self { number, words }
    }

    /// OpenSSL's number, `X509_V_…`.
    pub fn number(self) -> u16 {
        self.number
    }

    /// OpenSSL's words for the number.
    pub fn words(self) -> &'static str {
        self.words
    }
}

impl fmt::Display for VerifyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.number, self.words)
    }
}

/// OpenSSL's name of a cipher suite that rustls can negotiate, `None` for any other.
pub fn openssl_cipher_name(suite: CipherSuite) -> Option<&'static str> {
    Some(match suite {
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-ECDSA-CHACHA20-POLY1305",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_on_offer_has_a_name() {
        for suite in rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES {
            assert!(openssl_cipher_name(suite.suite()).is_some(), "{suite:?}");
        }
    }
}
