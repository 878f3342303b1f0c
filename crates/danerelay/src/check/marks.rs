//! How each TLSA record compares with what the server at one address shows.

use super::observation::{AddressSeen, RecordSeen};
use crate::explain::PublishedRecord;

/// How a record compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It is the server's own certificate.
    Own,
    /// It is, or issued, the certificate that clients get who take other keys or versions.
    OtherKey,
    /// It is an issuer that the server sends, at this depth.
    Issuer(usize),
    /// The record itself holds the issuer, which is not sent.
    IssuerFromDns(usize),
    Nothing,
}

/// The mark of a record at one address; `None` if the server showed no certificate.
pub(crate) fn mark(record: &RecordSeen, address: &AddressSeen) -> Option<Mark> {
    let is_it = |one: &&PublishedRecord| one.record == record.record;
    let first = address.published.iter().find(is_it)?;
    let mut others = address
        .offers
        .iter()
        .flat_map(|offer| offer.published.iter().filter(is_it));
    Some(match (first.matches, first.is_from_dns) {
        (Some(0), _) => Mark::Own,
        (Some(depth), false) => Mark::Issuer(depth),
        (Some(depth), true) => Mark::IssuerFromDns(depth),
        (None, _) if others.any(|one| one.matches.is_some()) => Mark::OtherKey,
        (None, _) => Mark::Nothing,
    })
}

impl Mark {
    /// In words for people.
    pub(crate) fn words(self) -> String {
        match self {
            Self::Own => "matches the server's certificate".to_owned(),
            Self::OtherKey => "matches what clients with other keys or versions get".to_owned(),
            Self::Issuer(depth) => format!("matches issuer {depth} of the chain"),
            Self::IssuerFromDns(depth) => format!("matches issuer {depth}, not sent: the record holds it"),
            Self::Nothing => "matches nothing shown".to_owned(),
        }
    }

    /// Whether it matches some certificate.
    pub(crate) fn is_match(self) -> bool {
        self != Self::Nothing
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::check::contacts::untried;
    use crate::check::observation::{OfferResult, OfferSeen, VersionSeen};

    const RECORD: &str = "2 1 1 29c8601c";

    fn published(matches: Option<usize>, is_from_dns: bool) -> Vec<PublishedRecord> {
        vec![PublishedRecord {
            record: RECORD.to_owned(),
            usable: true,
            matches,
            is_from_dns,
        }]
    }

    /// What is said of the record if the server's first chain, and that of other keys, match it in this way.
    fn words(first: Vec<PublishedRecord>, other: Option<usize>) -> Option<String> {
        let record = RecordSeen {
            record: RECORD.to_owned(),
            usage: 2,
            selector: 1,
            matching_type: 1,
            usable: true,
            reason: None,
            of_nothing: false,
        };
        let offer = OfferSeen {
            published: published(other, false),
            ..OfferSeen::without(VersionSeen::Tls12, None, OfferResult::Taken)
        };
        let address = AddressSeen {
            published: first,
            offers: vec![offer],
            ..untried(IpAddr::from([192, 0, 2, 1]))
        };
        mark(&record, &address).map(Mark::words)
    }

    #[test]
    fn issuers_are_called_issuers_whoever_sends_them() {
        for (first, other, expected) in [
            (
                published(Some(0), false),
                None,
                Some("matches the server's certificate"),
            ),
            (
                published(Some(2), false),
                None,
                Some("matches issuer 2 of the chain"),
            ),
            (
                published(Some(1), true),
                None,
                Some("matches issuer 1, not sent: the record holds it"),
            ),
            // The issuer of another key is no certificate of a server.
            (
                published(None, false),
                Some(1),
                Some("matches what clients with other keys or versions get"),
            ),
            (published(None, false), None, Some("matches nothing shown")),
            (Vec::new(), None, None),
        ] {
            assert_eq!(words(first, other).as_deref(), expected);
        }
    }
}
