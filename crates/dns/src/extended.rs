//! What a server says about its failure.

use std::fmt;

use hickory_proto::op::Message;
use hickory_proto::rr::rdata::opt::EdnsOption;

/// The number of the EDNS option "Extended DNS Error" (RFC 8914 §2).
const EXTENDED_ERROR: u16 = 15;
/// Its codes for failed validation: bogus, expired, not yet valid, DNSKEY missing, RRSIGs missing; NSEC missing.
const VALIDATION_FAILED: [u16; 6] = [6, 7, 8, 9, 10, 12];
/// Its codes for unreachable servers: no reachable authority, network error.
const OUT_OF_REACH: [u16; 2] = [22, 23];
/// The most characters of a server's text that are passed on.
const TEXT: usize = 100;

/// What the codes from 0 on mean (RFC 8914 §4).
const MEANINGS: [&str; 25] = [
    "Other Error",
    "Unsupported DNSKEY Algorithm",
    "Unsupported DS Digest Type",
    "Stale Answer",
    "Forged Answer",
    "DNSSEC Indeterminate",
    "DNSSEC Bogus",
    "Signature Expired",
    "Signature Not Yet Valid",
    "DNSKEY Missing",
    "RRSIGs Missing",
    "No Zone Key Bit Set",
    "NSEC Missing",
    "Cached Error",
    "Not Ready",
    "Blocked",
    "Censored",
    "Filtered",
    "Prohibited",
    "Stale NXDOMAIN Answer",
    "Not Authoritative",
    "Not Supported",
    "No Reachable Authority",
    "Network Error",
    "Invalid Data",
];

/// An Extended DNS Error (RFC 8914). It is not authenticated (its §6), so it only decides how a SERVFAIL is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtendedError {
    code: u16,
    /// Printable ASCII, and not long.
    text: String,
}

impl ExtendedError {
    /// The first one in a message, if there is any.
    pub(crate) fn of(message: &Message) -> Option<Self> {
        options(message).next()
    }

    /// Whether one in a message says that the authoritative servers were not reached.
    pub(crate) fn says_out_of_reach(message: &Message) -> bool {
        options(message).any(|error| OUT_OF_REACH.contains(&error.code))
    }

    /// Whether one in a message says that validation failed.
    pub(crate) fn says_bogus(message: &Message) -> bool {
        options(message).any(|error| VALIDATION_FAILED.contains(&error.code))
    }

    fn read(data: &[u8]) -> Option<Self> {
        let (code, text) = data.split_first_chunk::<2>()?;
        let text = String::from_utf8_lossy(text);
        let printable = text
            .trim_end_matches('\0')
            .chars()
            .map(|c| if matches!(c, ' '..='~') { c } else { '?' });
        Some(Self {
            code: u16::from_be_bytes(*code),
            text: printable.take(TEXT).collect(),
        })
    }
}

fn options(message: &Message) -> impl Iterator<Item = ExtendedError> {
    let options = message.edns.iter().flat_map(|edns| edns.options().as_ref());
    options.filter_map(|(_, option)| match option {
        EdnsOption::Unknown(EXTENDED_ERROR, data) => ExtendedError::read(data),
        _ => None,
    })
}

impl fmt::Display for ExtendedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EDE {}", self.code)?;
        if let Some(meaning) = MEANINGS.get(usize::from(self.code)) {
            write!(f, " ({meaning})")?;
        }
        if self.text.is_empty() {
            Ok(())
        } else {
            write!(f, ": {}", self.text)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_a_server_says_is_short_and_printable() {
        let words = |data: &[u8]| ExtendedError::read(data).unwrap().to_string();
        assert_eq!(words(&[0, 6]), "EDE 6 (DNSSEC Bogus)");
        assert_eq!(
            words(b"\0\x16no server of example.org answers\0"),
            "EDE 22 (No Reachable Authority): no server of example.org answers"
        );
        assert_eq!(words(b"\xff\xffa\x1b[2J\r\nb\xffc"), "EDE 65535: a?[2J??b?c");
        let long = [&[0, 0][..], &[b'a'; 1000]].concat();
        assert_eq!(words(&long).len(), "EDE 0 (Other Error): ".len() + TEXT);
        assert_eq!(ExtendedError::read(&[6]), None);
        assert_eq!(words(&[0, 24]), "EDE 24 (Invalid Data)");
    }
}
