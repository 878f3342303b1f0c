//! Outcomes with their causes, and what DANE has to do with them.

use mail::{CauseKind, DaneResult, Status};
use serde::{Deserialize, Serialize};
use spool::Tally;

use super::softfail::CauseCount;
use super::traffic::Traffic;

/// Outcomes of some days. Lists of causes have the most frequent one first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// The figures of a report's row.
    pub traffic: Traffic,
    /// Of those that failed: given up because a server refused them, or nothing can ever be delivered there.
    pub bounced: u64,
    /// Of those that failed: given up after `delivery.max_age`.
    pub expired: u64,
    /// Attempts after which a recipient had to wait, by their causes.
    pub deferred: Vec<CauseCount>,
    /// Recipients that were given up, by the causes of their last attempts.
    pub returned: Vec<CauseCount>,
    /// Where DANE failed.
    pub dane: DaneFailures,
}

/// Outcomes where DANE failed, but for look-ups without which no relay can deliver.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaneFailures {
    /// Attempts after which a recipient had to wait.
    pub stopped: Vec<CauseCount>,
    /// Recipients that were given up.
    pub returned: Vec<CauseCount>,
    /// Recipients that got their mail all the same (`soft-fail`).
    pub passed: Vec<CauseCount>,
}

/// What a relay that knows no DANE would have done where DANE failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Without {
    /// Sent in clear text.
    Clear,
    /// Sent in clear text once TLS had failed, or not at all.
    ClearOrNot,
    /// Sent over TLS to a server that did not prove itself.
    Unproven,
    /// Sent without a look at TLSA records, whose look-up failed.
    Tlsa,
    /// Sent although the signatures of MX records or addresses are not valid, unless its resolver validates them.
    Forgeable,
    /// Sent as ever: our own policy (`strict`) demands what the receiver does not have.
    Strict,
}

impl Without {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Clear,
        Self::ClearOrNot,
        Self::Unproven,
        Self::Tlsa,
        Self::Forgeable,
        Self::Strict,
    ];

    /// What a relay without DANE would have done; `None` if it could not have delivered either, or DANE was not the reason.
    pub const fn of(cause: CauseKind) -> Option<Self> {
        match cause {
            CauseKind::StarttlsNotOffered | CauseKind::StarttlsRefused => Some(Self::Clear),
            // Every TLS library refuses a server without the key of its certificate.
            CauseKind::TlsHandshake | CauseKind::WrongKey => Some(Self::ClearOrNot),
            CauseKind::TlsaNoMatch
            | CauseKind::DaneNameMismatch
            | CauseKind::DaneExpired
            | CauseKind::DaneUntrusted => Some(Self::Unproven),
            CauseKind::TlsaBogus | CauseKind::TlsaLookup => Some(Self::Tlsa),
            CauseKind::MxBogus | CauseKind::AddressBogus => Some(Self::Forgeable),
            CauseKind::InsecureMx
            | CauseKind::InsecureHost
            | CauseKind::NoSecureTlsa
            | CauseKind::NoUsableTlsa => Some(Self::Strict),
            CauseKind::Ours
            | CauseKind::OurResolver
            | CauseKind::MxLookup
            | CauseKind::AddressLookup
            | CauseKind::NullMx
            | CauseKind::NoSuchDomain
            | CauseKind::OwnMx
            | CauseKind::NoAddresses
            | CauseKind::AddressLiteral
            | CauseKind::MtaStsMismatch
            | CauseKind::NoName
            | CauseKind::MtaStsUnproven
            | CauseKind::NoSecurePath
            | CauseKind::Unreachable
            | CauseKind::TimedOut
            | CauseKind::Closed
            | CauseKind::NotSmtp
            | CauseKind::WebpkiNameMismatch
            | CauseKind::WebpkiExpired
            | CauseKind::WebpkiUntrusted
            | CauseKind::Login
            | CauseKind::RefusedForNow
            | CauseKind::RefusedForGood
            | CauseKind::Unsupported => None,
        }
    }

    /// For people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Clear => "sent in clear text",
            Self::ClearOrNot => "sent in clear text after TLS had failed, or not sent",
            Self::Unproven => "sent over TLS to a server that did not prove itself",
            Self::Tlsa => "sent without looking at TLSA records, whose look-up failed",
            Self::Forgeable => "sent by DNS answers that may be forged, unless its resolver validates",
            Self::Strict => "sent: only our own policy (strict) demands DANE there",
        }
    }
}

impl Outcomes {
    /// Adds what a tally counts, but for domains.
    pub(super) fn add(&mut self, tally: &Tally) {
        self.traffic.add(tally);
        let count = tally.count;
        match tally.key.status {
            Status::Sent | Status::Deferred => {}
            Status::Bounced => self.bounced = self.bounced.saturating_add(count),
            Status::Expired => self.expired = self.expired.saturating_add(count),
        }
        if let Some(cause) = tally.key.cause {
            match tally.key.status {
                Status::Sent => {}
                Status::Deferred => add(&mut self.deferred, cause, count),
                Status::Bounced | Status::Expired => add(&mut self.returned, cause, count),
            }
        }
        self.dane.add(tally);
    }

    /// Adds those of other days.
    pub(super) fn join(&mut self, other: &Self) {
        self.traffic.join(&other.traffic);
        self.bounced = self.bounced.saturating_add(other.bounced);
        self.expired = self.expired.saturating_add(other.expired);
        for (sum, counts) in [
            (&mut self.deferred, &other.deferred),
            (&mut self.returned, &other.returned),
            (&mut self.dane.stopped, &other.dane.stopped),
            (&mut self.dane.returned, &other.dane.returned),
            (&mut self.dane.passed, &other.dane.passed),
        ] {
            for one in counts {
                add(sum, one.cause, one.deliveries);
            }
        }
    }
}

impl DaneFailures {
    /// Counts a tally if DANE failed in it.
    pub(super) fn add(&mut self, tally: &Tally) {
        let Some(cause) = tally.key.cause.filter(|cause| Without::of(*cause).is_some()) else {
            return;
        };
        let counts = match (tally.key.status, tally.key.dane) {
            (Status::Sent, DaneResult::Softfail) => &mut self.passed,
            (Status::Deferred, DaneResult::Fail) => &mut self.stopped,
            (Status::Bounced | Status::Expired, DaneResult::Fail) => &mut self.returned,
            (
                Status::Sent | Status::Deferred | Status::Bounced | Status::Expired,
                DaneResult::NotReached
                | DaneResult::Verify
                | DaneResult::VerifyHostOnly
                | DaneResult::Encrypt
                | DaneResult::Skip
                | DaneResult::Waived
                | DaneResult::Softfail
                | DaneResult::Fail,
            ) => return,
        };
        add(counts, cause, tally.count);
    }

    /// Whether there were none.
    pub fn is_empty(&self) -> bool {
        self.stopped.is_empty() && self.returned.is_empty() && self.passed.is_empty()
    }
}

/// All that is counted in a list.
pub fn sum(counts: &[CauseCount]) -> u64 {
    let counts = counts.iter().map(|one| one.deliveries);
    counts.fold(0, u64::saturating_add)
}

/// There are few causes; the list stays in order.
fn add(counts: &mut Vec<CauseCount>, cause: CauseKind, count: u64) {
    match counts.iter_mut().find(|one| one.cause == cause) {
        Some(one) => one.deliveries = one.deliveries.saturating_add(count),
        None => counts.push(CauseCount {
            cause,
            deliveries: count,
        }),
    }
    counts.sort_by_key(|one| (std::cmp::Reverse(one.deliveries), one.cause));
}
