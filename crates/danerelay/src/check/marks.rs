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
