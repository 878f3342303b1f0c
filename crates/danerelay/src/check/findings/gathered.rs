//! The findings as they are made, and words that several of them have in common.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use mail::Domain;

use super::code::{Code, Severity};
use super::finding::Finding;
use crate::check::observation::{HostSeen, Observation, SignatureSeen};

/// The findings as they are made.
pub(super) struct Findings<'a> {
    pub(super) seen: &'a Observation,
    /// The time for which the findings are made.
    pub(super) now: Timestamp,
    /// What those added from now on are about.
    pub(super) host: Option<&'a HostSeen>,
    pub(super) address: Option<IpAddr>,
    pub(super) found: Vec<Finding>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(seen: &'a Observation, now: Timestamp) -> Self {
        Self {
            seen,
            now,
            host: None,
            address: None,
            found: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, code: Code, text: impl Into<String>) {
        self.push(code.severity(), code, text.into(), None);
    }

    pub(super) fn add_with_fix(&mut self, code: Code, text: impl Into<String>, fix: impl Into<String>) {
        self.push(code.severity(), code, text.into(), Some(fix.into()));
    }

    /// Graver or less grave than it usually is.
    pub(super) fn add_as(
        &mut self,
        severity: Severity,
        code: Code,
        text: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.push(severity, code, text.into(), Some(fix.into()));
    }

    fn push(&mut self, severity: Severity, code: Code, text: String, fix: Option<String>) {
        self.found.push(Finding {
            code,
            severity,
            host: self.host.map(|host| host.name.clone()),
            address: self.address,
            text,
            fix,
        });
    }

    /// How many days a signature has left; `None` if there are more than enough. Zones are signed for days or for months, and
    /// signed again when about half of that is over: less than a quarter is late, however much it is.
    pub(super) fn days_of_signature(&self, signature: &SignatureSeen) -> Option<i64> {
        let left = signature.until.duration_since(self.now);
        let whole = signature.until.duration_since(signature.from);
        self.days_left(signature.until).filter(|_| left < whole / 4)
    }

    /// How many days are left; `None` if there are more than enough.
    pub(super) fn days_left(&self, until: Timestamp) -> Option<i64> {
        let left = until.duration_since(self.now);
        let enough = SignedDuration::from_hours(24 * i64::from(self.seen.manner.days));
        (left < enough).then(|| left.as_hours().div_euclid(24))
    }
}

/// The one that expires first.
pub(super) fn first_to_expire(signatures: &[SignatureSeen]) -> Option<&SignatureSeen> {
    signatures.iter().min_by_key(|signature| signature.until)
}

/// `in 3 days`, `today`, `2 days ago`.
pub(super) fn in_days(days: i64) -> String {
    match days {
        0 => "today".to_owned(),
        1 => "in 1 day".to_owned(),
        -1 => "less than a day ago".to_owned(),
        days if days < 0 => format!("{} days ago", -days),
        days => format!("in {days} days"),
    }
}

/// Who has to be asked to change something at a host: somebody else, if a provider runs it.
pub(super) fn whose(seen: &Observation, host: &HostSeen) -> Option<String> {
    let provider = host.provider.as_ref()?;
    let own = Domain::parse(&seen.domain).map(|domain| mail::registrable::of(&domain).to_string());
    (own.as_ref() != Ok(provider)).then(|| format!("ask the administrators of {provider}: "))
}
