//! A public key, identified by its SHA-256 as administrators write it.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// Octets of a digest.
const LENGTH: usize = 32;

/// SHA-256 of a certificate's public key, its `SubjectPublicKeyInfo` in DER: the same as `3 1 1` in a TLSA record.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyDigest([u8; LENGTH]);

/// The text is not a SHA-256 in hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not a SHA-256: 64 hexadecimal digits, with or without colons between each two")]
pub struct NoDigest;

impl KeyDigest {
    /// The digest of this certificate's key; `None` if it cannot be read.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let read = EndEntityCert::try_from(certificate).ok()?;
        let key = digest(&SHA256, &read.subject_public_key_info());
        key.as_ref().try_into().ok().map(Self)
    }
}

impl FromStr for KeyDigest {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Self, NoDigest> {
        let pairs: Vec<&str> = if text.contains(':') {
            text.split(':').collect()
        } else {
            (0..text.len())
                .step_by(2)
                .filter_map(|at| text.get(at..at + 2))
                .collect()
        };
        let is_pair = |pair: &&str| pair.len() == 2 && pair.bytes().all(|octet| octet.is_ascii_hexdigit());
        if !pairs.iter().all(is_pair) || text.len() % 2 != usize::from(text.contains(':')) {
            return Err(NoDigest);
        }
        let octets: Vec<u8> = pairs
            .iter()
            .filter_map(|pair| u8::from_str_radix(pair, 16).ok())
            .collect();
        octets.try_into().map(Self).map_err(|_| NoDigest)
    }
}

impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn digests_come_with_and_without_colons() {
        let plain = "0a".repeat(32);
        let colons = vec!["0A"; 32].join(":");
        let parsed: KeyDigest = plain.parse().unwrap();
        assert_eq!(colons.parse(), Ok(parsed));
        assert_eq!(parsed.to_string(), plain);
        for wrong in [
            "",
            "0a",
            &plain[1..],
            &format!("{plain}0"),
            &format!("{plain}0a"),
            &format!("{colons}:"),
            &format!(":{plain}"),
            &plain.replace('a', "g"),
            &plain.replacen("0a", "+a", 1),
            &colons.replacen(':', "", 1),
            &"\u{e9}".repeat(32),
        ] {
            assert_eq!(wrong.parse::<KeyDigest>(), Err(NoDigest), "{wrong}");
        }
    }
}
