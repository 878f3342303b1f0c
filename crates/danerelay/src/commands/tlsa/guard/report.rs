//! What was found for each host, and the verdict.

use std::fmt::Write as _;
use std::num::NonZeroU16;

use dane::{Match, TlsaRecord, TlsaSet, VerifyFailure};
use jiff::{SignedDuration, Timestamp};
use mail::Domain;
use serde::Serialize;

use crate::commands::tlsa::zone::ZoneRecord;
use crate::exit::Verdict;
use crate::tlsa_records::wait;

/// Whether a certificate can be deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Decision {
    /// It can.
    Install,
    /// It is not known, because DNS did not answer.
    Undecided,
    /// Senders would refuse the server.
    Refuse,
}

/// The answer.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// That of the worst host.
    decision: Decision,
    hosts: Vec<HostReport>,
}

/// What was found for one port of one host.
#[derive(Debug, Serialize)]
pub(super) struct HostReport {
    name: String,
    port: u16,
    decision: Decision,
    reason: String,
    /// The record that matches, and the depth in the chain.
    matched: Option<String>,
    depth: Option<usize>,
    /// How many records there are in all, and how many of them are usable.
    records: usize,
    usable: usize,
    /// Of the records, in seconds.
    ttl: Option<u32>,
    /// What has to be published first, beside what is there.
    publish: Vec<ZoneRecord>,
    /// For how many seconds to wait: from now, or if something has to be published, after that.
    wait: Option<u32>,
    /// The earliest time for the deployment, if that is known.
    not_before: Option<Timestamp>,
}

impl Report {
    pub(super) fn new(hosts: Vec<HostReport>) -> Self {
        let worst = hosts.iter().map(|host| host.decision).max();
        Self {
            decision: worst.unwrap_or(Decision::Undecided),
            hosts,
        }
    }

    pub(super) fn verdict(&self) -> Verdict {
        match self.decision {
            Decision::Install => Verdict::Good,
            Decision::Undecided => Verdict::Undecided,
            Decision::Refuse => Verdict::Bad,
        }
    }

    pub(super) fn table(&self) -> String {
        let mut table = String::new();
        for host in &self.hosts {
            host.write(&mut table);
        }
        table.push_str(match self.decision {
            Decision::Install => "install: yes\n",
            Decision::Undecided => {
                "install: not now, because it is not known whether senders would refuse it\n"
            }
            Decision::Refuse => "install: no, senders would refuse it\n",
        });
        table
    }
}

impl HostReport {
    pub(super) fn new(host: &Domain, port: NonZeroU16) -> Self {
        Self {
            name: host.to_string(),
            port: port.get(),
            decision: Decision::Undecided,
            reason: String::new(),
            matched: None,
            depth: None,
            records: 0,
            usable: 0,
            ttl: None,
            publish: Vec::new(),
            wait: None,
            not_before: None,
        }
    }

    pub(super) fn with_records(self, set: &TlsaSet, ttl: u32) -> Self {
        Self {
            records: set.len(),
            usable: set.usable_count(),
            ttl: Some(ttl),
            ..self
        }
    }

    fn decided(self, decision: Decision, reason: String) -> Self {
        Self {
            decision,
            reason,
            ..self
        }
    }

    pub(super) fn undecided(self, reason: &str) -> Self {
        self.decided(Decision::Undecided, reason.to_owned())
    }

    /// Nobody verifies anything here.
    pub(super) fn free(self, reason: &str) -> Self {
        self.decided(Decision::Install, reason.to_owned())
    }

    /// No record would help.
    pub(super) fn unfit(self, reason: String) -> Self {
        self.decided(Decision::Refuse, reason)
    }

    pub(super) fn publish_first(self, reason: &VerifyFailure, owner: &str, records: &[TlsaRecord]) -> Self {
        Self {
            publish: ZoneRecord::all(owner, self.ttl, records),
            wait: self.ttl.map(wait),
            ..self.decided(Decision::Refuse, reason.to_string())
        }
    }

    pub(super) fn fits(self, found: &Match) -> Self {
        Self {
            matched: Some(found.record.to_string()),
            depth: Some(found.depth),
            ..self.decided(Decision::Install, "a published record matches".to_owned())
        }
    }

    /// Nothing of what is published stands in the way, but some of what was there before does.
    pub(super) fn too_early(self, at: Timestamp, now: Timestamp) -> Self {
        let left = at.duration_since(now).max(SignedDuration::ZERO).as_secs();
        Self {
            wait: Some(u32::try_from(left).unwrap_or(u32::MAX)),
            not_before: Some(at),
            ..self.decided(
                Decision::Refuse,
                "not yet: some senders may still have the records of before, which do not fit this certificate"
                    .to_owned(),
            )
        }
    }

    /// A record matches, and nothing is known about since when.
    pub(super) fn perhaps_too_early(mut self) -> Self {
        if let Some(wait) = self.ttl.map(wait) {
            let _ = write!(
                self.reason,
                "; if it was published less than {wait} s ago, which is twice its TTL, wait the rest"
            );
        }
        self
    }

    fn write(&self, table: &mut String) {
        let word = match self.decision {
            Decision::Install => "ok",
            Decision::Undecided => "undecided",
            Decision::Refuse => "refused",
        };
        let _ = writeln!(table, "{} port {}: {word}: {}", self.name, self.port, self.reason);
        if let (Some(record), Some(depth)) = (&self.matched, self.depth) {
            let _ = writeln!(table, "  {record}  (depth {depth})");
        }
        if !self.publish.is_empty() {
            table.push_str("  publish first, beside what is there:\n");
        }
        for line in &self.publish {
            let _ = writeln!(table, "    {line}");
        }
        if let Some(wait) = self.wait {
            let _ = match self.not_before {
                Some(at) => writeln!(
                    table,
                    "  wait {wait} s, until {}",
                    at.strftime("%Y-%m-%d %H:%M:%S UTC")
                ),
                None => writeln!(table, "  then wait {wait} s, once all name servers have it"),
            };
        }
    }
}
