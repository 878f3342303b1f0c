//! Troubles, times and records in words.

use mail::sighting::{Evidence, Place, Trouble};

/// How many digits of a digest are shown where people only compare.
const DIGITS: usize = 8;

/// The place in words.
pub(crate) fn place_name(place: &Place) -> String {
    match place {
        Place::Host(name) | Place::Domain(name) => name.to_string(),
        Place::Resolver => "our resolver".to_owned(),
        Place::Login(next_hop) => format!("our login at {next_hop}"),
    }
}

/// What demands TLS of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TlsBy {
    /// Its own TLSA records.
    Records,
    /// `tls` in our policy, or the MTA-STS policy of the domain.
    Rule,
}

impl TlsBy {
    /// By what was seen of the hosts.
    pub(super) fn of<'a>(mut seen: impl Iterator<Item = &'a Evidence>) -> Self {
        if seen.any(|evidence| evidence.base.is_some()) {
            Self::Records
        } else {
            Self::Rule
        }
    }
}

/// What fails, in words.
pub(super) fn said(trouble: Trouble, tls_by: TlsBy) -> &'static str {
    match trouble {
        Trouble::MxBogus => "the signatures of its MX records are not valid",
        Trouble::AddressBogus => "the signatures of its addresses are not valid",
        Trouble::TlsaBogus => "the signatures of its TLSA records are not valid",
        Trouble::TlsaLookup => "its TLSA records cannot be looked up",
        Trouble::InsecureMx => "its MX records are not signed, and our policy demands that they are",
        Trouble::AddressName => "its MX record names an address, and our policy demands DANE",
        Trouble::InsecureHost => "its addresses are not signed, and our policy demands that they are",
        Trouble::NoSecureTlsa => "it has no secure TLSA records, and our policy demands them",
        Trouble::NoUsableTlsa => "none of its TLSA records can be used, and our policy demands one that can",
        Trouble::NoMatchingTlsa => "its certificate matches none of its TLSA records",
        Trouble::NameMismatch => "its certificate is issued as its TLSA records say, but for another name",
        Trouble::CertificateExpired => {
            "its certificate is issued as its TLSA records say, but has expired or is not valid yet"
        }
        Trouble::CertificateUntrusted => {
            "its certificate is not validly issued by the authority that its TLSA records name"
        }
        Trouble::UnsupportedKey => "its TLSA records match a key that no handshake can be signed with",
        Trouble::WrongSignature => "it presents a certificate, but does not have its private key",
        Trouble::WebPki => "it has no valid certificate for its name",
        Trouble::StarttlsNotOffered => match tls_by {
            TlsBy::Records => "it does not offer STARTTLS, although it publishes TLSA records",
            TlsBy::Rule => "it does not offer STARTTLS, and our policy or its MTA-STS policy demands TLS",
        },
        Trouble::StarttlsRefused => match tls_by {
            TlsBy::Records => "it refuses STARTTLS, although it publishes TLSA records",
            TlsBy::Rule => "it refuses STARTTLS, and our policy or its MTA-STS policy demands TLS",
        },
        Trouble::Injection => "clear text is injected into its sessions before TLS begins",
        Trouble::Handshake => "the TLS handshake with it fails",
        Trouble::MtaStsMismatch => "its MX hosts are not those of its MTA-STS policy",
        Trouble::ResolverFails => "it fails: mail waits, whatever its destination",
        Trouble::LoginFails => "it fails: all mail for that route waits",
    }
}

/// A TLSA record with the beginning of its digest: `3 1 1 29c8601c…`.
pub(crate) fn short(record: &str) -> String {
    match record.rsplit_once(' ') {
        Some((fields, digest)) if digest.chars().count() > DIGITS => {
            let beginning: String = digest.chars().take(DIGITS).collect();
            format!("{fields} {beginning}…")
        }
        Some(_) | None => record.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_shown_by_the_beginning_of_its_digest() {
        assert_eq!(short("3 1 1 0123456789ab"), "3 1 1 01234567…");
        assert_eq!(short("3 1 1 aa"), "3 1 1 aa");
        assert_eq!(short("x"), "x");
    }
}
