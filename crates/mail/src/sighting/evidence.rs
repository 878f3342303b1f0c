//! What was presented and what was published, in bounded size.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Domain, ReplyCode};

/// The most certificates of a chain that are kept.
pub const CERTIFICATES: usize = 4;
/// The most TLSA records that are kept.
pub const RECORDS: usize = 16;
/// The longest text that is kept, in octets.
pub const TEXT: usize = 400;

/// What was seen of a host, or of a domain: some kilobytes at most, whatever the other side sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// When.
    pub at: Timestamp,
    /// The address that was connected to, if one was.
    pub address: Option<IpAddr>,
    /// The port of the host, whether it was connected to or not.
    pub port: Option<u16>,
    /// The TLSA base domain, if there are secure records.
    pub base: Option<Domain>,
    /// The TLSA records published there, in zone-file form, in the order of their text; at most [`RECORDS`].
    pub published: Vec<String>,
    /// What became of STARTTLS.
    pub starttls: Starttls,
    /// Version and cipher suite of the TLS session, in OpenSSL's names.
    pub session: Option<String>,
    /// The certificates presented, the server's own first; at most [`CERTIFICATES`].
    pub presented: Vec<PresentedCertificate>,
    /// What is wrong, in words; empty if nothing is.
    pub reason: String,
}

/// What became of STARTTLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Starttls {
    /// The session did not get that far.
    Unknown,
    /// It was offered, and taken.
    Offered,
    /// It was not offered.
    NotOffered,
    /// It was offered, and then refused with this code.
    Refused(ReplyCode),
}

/// One certificate of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresentedCertificate {
    /// The subject; may be empty, and may contain any character.
    pub subject: String,
    /// Who made it, likewise.
    pub issuer: String,
    /// The organization that made it, if its issuer names one.
    #[serde(default)]
    pub authority: Option<String>,
    /// The TLSA record that would match it: 3 1 1 for the server's own, 2 1 1 for another. It is the digest of the key.
    pub record: Option<String>,
    /// The first moment at which it is valid.
    pub not_before: Option<Timestamp>,
    /// The last one.
    pub not_after: Option<Timestamp>,
}

impl Evidence {
    /// Nothing but these words, which are cut if they are long.
    pub fn of_words(at: Timestamp, reason: &str) -> Self {
        Self {
            at,
            address: None,
            port: None,
            base: None,
            published: Vec::new(),
            starttls: Starttls::Unknown,
            session: None,
            presented: Vec::new(),
            reason: shortened(reason),
        }
    }

    /// The server's own certificate.
    pub fn leaf(&self) -> Option<&PresentedCertificate> {
        self.presented.first()
    }

    /// The record 3 1 1 of the server's own key.
    pub fn leaf_key(&self) -> Option<&str> {
        self.leaf()?.record.as_deref()
    }

    /// Whether both show the same host: the same keys and the same records. When and at which address does not matter.
    pub fn shows_the_same(&self, other: &Self) -> bool {
        let keys = |one: &Self| -> Vec<Option<String>> {
            let chain = one.presented.iter();
            chain.map(|certificate| certificate.record.clone()).collect()
        };
        self.base == other.base
            && self.published == other.published
            && self.starttls == other.starttls
            && keys(self) == keys(other)
    }
}

/// The text, cut between characters if it is longer than [`TEXT`].
pub fn shortened(text: &str) -> String {
    if text.len() <= TEXT {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(TEXT);
    format!("{}...", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_handshake_at_another_address_shows_the_same() {
        let first = Evidence {
            published: vec!["3 1 1 aa".to_owned()],
            ..Evidence::of_words(Timestamp::UNIX_EPOCH, "")
        };
        let later = Evidence {
            at: Timestamp::MAX,
            address: Some(IpAddr::from([192, 0, 2, 1])),
            ..first.clone()
        };
        assert!(first.shows_the_same(&later));
        let other = Evidence {
            published: vec!["3 1 1 bb".to_owned()],
            ..first.clone()
        };
        assert!(!first.shows_the_same(&other));
        let vanished = Evidence {
            starttls: Starttls::NotOffered,
            ..first.clone()
        };
        assert!(!first.shows_the_same(&vanished));
    }

    #[test]
    fn long_words_are_cut_between_characters() {
        let long = shortened(&"é".repeat(TEXT));
        assert_eq!(long.len(), TEXT + 3);
        assert_eq!(shortened("short"), "short");
    }
}
