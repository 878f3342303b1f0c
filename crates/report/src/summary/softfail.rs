//! What enforcing DANE would have cost: mail that was delivered under `soft-fail` although DANE failed.

use jiff::Timestamp;
use mail::{CauseKind, Domain, DomainPart};
use serde::{Deserialize, Serialize};
use spool::Tally;

use super::traffic::{is_soft_failed, is_verified, is_without_dane};

/// A domain of which mail was delivered although DANE failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoftFailed {
    /// The recipients' domain.
    pub domain: String,
    /// Deliveries that enforcing would have held up.
    pub deliveries: u64,
    /// All deliveries to the domain.
    pub of: u64,
    /// Why, the most frequent cause first.
    pub causes: Vec<CauseCount>,
    /// The hosts that failed, by name.
    pub hosts: Vec<String>,
    /// The last such delivery.
    pub last: Timestamp,
    /// The last delivery to the domain that DANE verified.
    pub last_verified: Option<Timestamp>,
    /// Whether that was later.
    pub healed: bool,
    /// Whether it was not, but each host that failed has taken mail later to which DANE did not apply: nothing that could fail
    /// is published for them any more.
    #[serde(default)]
    pub withdrawn: bool,
}

/// How often something was the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseCount {
    /// The kind of cause.
    pub cause: CauseKind,
    /// How many deliveries.
    pub deliveries: u64,
}

/// What is known of a domain, while its tallies are read.
#[derive(Debug, Default)]
pub(super) struct Case {
    deliveries: u64,
    of: u64,
    causes: Vec<CauseCount>,
    hosts: Vec<String>,
    last: Option<Timestamp>,
    last_verified: Option<Timestamp>,
    /// The host of the tallies that are being read: the last failure there, and the last delivery to which DANE did not apply.
    host: Option<Domain>,
    failed: Option<Timestamp>,
    without_dane: Option<Timestamp>,
    /// Whether a host that was read before has failed, and nothing is known to be withdrawn there.
    is_published: bool,
}

impl Case {
    pub(super) fn add(&mut self, tally: &Tally) {
        if self.host != tally.key.host {
            self.close_host();
            self.host.clone_from(&tally.key.host);
        }
        if tally.key.status.is_final() {
            self.of = self.of.saturating_add(tally.count);
        }
        if is_verified(tally) {
            self.last_verified = self.last_verified.max(Some(tally.last));
        }
        if is_without_dane(tally) {
            self.without_dane = self.without_dane.max(Some(tally.last));
        }
        if !is_soft_failed(tally) {
            return;
        }
        self.failed = self.failed.max(Some(tally.last));
        self.deliveries = self.deliveries.saturating_add(tally.count);
        self.last = self.last.max(Some(tally.last));
        if let Some(host) = &tally.key.host
            && !self.hosts.iter().any(|known| known == host.as_str())
        {
            self.hosts.push(host.to_string());
        }
        let Some(cause) = tally.key.cause else {
            return;
        };
        match self.causes.iter_mut().find(|one| one.cause == cause) {
            Some(one) => one.deliveries = one.deliveries.saturating_add(tally.count),
            None => self.causes.push(CauseCount {
                cause,
                deliveries: tally.count,
            }),
        }
    }

    /// All tallies of a host were read.
    fn close_host(&mut self) {
        let (failed, without_dane) = (self.failed.take(), self.without_dane.take());
        self.is_published |= failed.is_some() && without_dane <= failed;
    }

    /// `None` if nothing was delivered although DANE failed.
    pub(super) fn close(mut self, domain: &DomainPart) -> Option<SoftFailed> {
        let last = self.last?;
        self.close_host();
        let healed = self.last_verified > Some(last);
        self.causes
            .sort_by_key(|one| (std::cmp::Reverse(one.deliveries), one.cause));
        self.hosts.sort();
        Some(SoftFailed {
            domain: domain.to_string(),
            deliveries: self.deliveries,
            of: self.of,
            causes: self.causes,
            hosts: self.hosts,
            last,
            last_verified: self.last_verified,
            healed,
            withdrawn: !healed && !self.is_published,
        })
    }
}
