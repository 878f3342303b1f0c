//! Results of TLS sessions, as reports to the receiving side count them (RFC 8460 §4).
//!
//! Everything here is of bounded size, whoever chose the words: [`TEXT`], [`STRINGS`], [`POLICY_OCTETS`].

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Domain, TlsResult};

/// The longest text that is kept of a failure, in octets.
pub const TEXT: usize = 256;
/// The most strings that are kept of a policy: TLSA records, lines or patterns.
pub const STRINGS: usize = 32;
/// The most octets that are kept of all strings of one kind of a policy; what would exceed it is left out whole.
pub const POLICY_OCTETS: usize = 4096;

/// The policy that a session was judged by: what the receiving side publishes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsPolicy {
    /// Its TLSA records (RFC 7672).
    Tlsa {
        /// The TLSA base domain; where no records could be had, the host's name or the domain's.
        base: Domain,
        /// The records in zone-file form without a name, `3 1 1 2bb1…`; empty where none could be had.
        records: Vec<String>,
    },
    /// Its MTA-STS policy (RFC 8461).
    Sts {
        /// The policy domain.
        domain: Domain,
        /// The policy line by line; empty where it could not be had.
        lines: Vec<String>,
        /// Its `mx` patterns.
        mx: Vec<String>,
    },
    /// It publishes neither.
    None {
        /// The domain.
        domain: Domain,
    },
}

/// The result of one session under one policy. A session that two policies are about has two results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSession {
    /// When it was set up, or failed to be: it is counted on that day in UTC.
    pub at: Timestamp,
    /// The next-hop domain that was to be reached.
    pub destination: Domain,
    /// The policy.
    pub policy: TlsPolicy,
    /// What was wrong, if anything was.
    pub failure: Option<TlsFailure>,
}

/// What was wrong with a session. What is not known, or does not exist for this kind of failure, is left out
/// (RFC 8460 §4.4).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TlsFailure {
    /// The kind of failure.
    pub result: TlsResult,
    /// The address from which the connection was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sending_ip: Option<IpAddr>,
    /// The name of the MX host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mx_host: Option<Domain>,
    /// The name by which the host greeted; at most [`TEXT`] octets, of any characters but control characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mx_helo: Option<String>,
    /// The address to which the connection was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiving_ip: Option<IpAddr>,
    /// More about it, in words: the `failure-reason-code`; bounded likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What was counted for one report under one policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsTally {
    /// The policy.
    pub policy: TlsPolicy,
    /// Sessions that met it.
    pub successes: u64,
    /// Sessions that did not.
    pub failures: u64,
    /// The failures by what was wrong, the most frequent first. Their number is bounded, so they may add up to less.
    pub details: Vec<TlsDetail>,
}

/// Failures that agree in everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsDetail {
    /// What they agree in.
    #[serde(flatten)]
    pub failure: TlsFailure,
    /// How many there were.
    pub count: u64,
}

impl TlsPolicy {
    /// The TLSA records of a base domain, without more of them than are kept.
    pub fn tlsa(base: Domain, records: impl IntoIterator<Item = String>) -> Self {
        let records = bounded(records);
        Self::Tlsa { base, records }
    }

    /// An MTA-STS policy, without more of it than is kept.
    pub fn sts(
        domain: Domain,
        lines: impl IntoIterator<Item = String>,
        mx: impl IntoIterator<Item = String>,
    ) -> Self {
        let (lines, mx) = (bounded(lines), bounded(mx));
        Self::Sts { domain, lines, mx }
    }

    /// The policy domain.
    pub fn domain(&self) -> &Domain {
        match self {
            Self::Tlsa { base, .. } => base,
            Self::Sts { domain, .. } | Self::None { domain } => domain,
        }
    }
}

impl TlsSession {
    /// The domains in whose reports it is counted: the destination, and the TLSA base domain, whose administrator may be
    /// somebody else. Each may publish where its reports go.
    pub fn report_domains(&self) -> impl Iterator<Item = &Domain> {
        let base = match &self.policy {
            TlsPolicy::Tlsa { base, .. } => Some(base).filter(|base| **base != self.destination),
            TlsPolicy::Sts { .. } | TlsPolicy::None { .. } => None,
        };
        std::iter::once(&self.destination).chain(base)
    }
}

impl TlsFailure {
    /// A failure of this kind, of which nothing else is known.
    pub fn of(result: TlsResult) -> Self {
        Self {
            result,
            sending_ip: None,
            mx_host: None,
            mx_helo: None,
            receiving_ip: None,
            reason: None,
        }
    }

    /// The same, of another kind.
    #[must_use]
    pub fn of_kind(self, result: TlsResult) -> Self {
        Self { result, ..self }
    }

    /// The same for this reason.
    #[must_use]
    pub fn because(self, reason: &str) -> Self {
        let reason = Some(printed(reason)).filter(|reason| !reason.is_empty());
        Self { reason, ..self }
    }
}

/// A text of a stranger: without control characters, and cut between characters if it is longer than [`TEXT`].
pub fn printed(text: &str) -> String {
    let text = text.get(..text.floor_char_boundary(TEXT)).unwrap_or_default();
    text.chars().filter(|one| !one.is_control()).collect()
}

fn bounded(strings: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut left = POLICY_OCTETS;
    let fits = |text: &String| match left.checked_sub(text.len()) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    strings.into_iter().filter(fits).take(STRINGS).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn domain(name: &str) -> Domain {
        Domain::parse(name).unwrap()
    }

    #[test]
    fn what_strangers_publish_and_say_is_bounded() {
        let records = (0..1000).map(|number| format!("3 1 1 {number:064x}"));
        let TlsPolicy::Tlsa { records, .. } = TlsPolicy::tlsa(domain("mx.example"), records) else {
            unreachable!()
        };
        assert_eq!(records.len(), STRINGS);
        let long = ["x".repeat(POLICY_OCTETS), "y".to_owned()];
        let policy = TlsPolicy::sts(domain("a.example"), long.clone(), ["z".to_owned()]);
        let TlsPolicy::Sts { lines, mx, .. } = policy else {
            unreachable!()
        };
        assert_eq!((lines, mx), (vec![long[0].clone()], vec!["z".to_owned()]));
        let failure = TlsFailure::of(TlsResult::ValidationFailure).because(&"é\r\n".repeat(TEXT));
        let reason = failure.reason.unwrap();
        assert!(reason.len() <= TEXT && reason.chars().all(|one| one == 'é'));
        assert_eq!(TlsFailure::of(TlsResult::TlsaInvalid).because("\n").reason, None);
    }

    #[test]
    fn a_session_under_dane_is_in_the_reports_of_both_domains() {
        let session = |policy| TlsSession {
            at: Timestamp::UNIX_EPOCH,
            destination: domain("a.example"),
            policy,
            failure: None,
        };
        let names = |session: TlsSession| -> Vec<String> {
            session.report_domains().map(ToString::to_string).collect()
        };
        let tlsa = |base| TlsPolicy::tlsa(domain(base), []);
        assert_eq!(
            names(session(tlsa("mx.b.example"))),
            ["a.example", "mx.b.example"]
        );
        assert_eq!(names(session(tlsa("a.example"))), ["a.example"]);
        let none = TlsPolicy::None {
            domain: domain("a.example"),
        };
        assert_eq!(names(session(none)), ["a.example"]);
    }

    #[test]
    fn a_stored_failure_reads_the_same_and_has_no_empty_fields() {
        let failure = TlsFailure {
            receiving_ip: Some(IpAddr::from([192, 0, 2, 1])),
            mx_host: Some(domain("mx.example")),
            ..TlsFailure::of(TlsResult::StarttlsNotSupported)
        };
        let text = serde_json::to_string(&failure).unwrap();
        assert_eq!(
            text,
            r#"{"result":"starttls-not-supported","mx_host":"mx.example","receiving_ip":"192.0.2.1"}"#
        );
        assert_eq!(serde_json::from_str::<TlsFailure>(&text).unwrap(), failure);
    }
}
