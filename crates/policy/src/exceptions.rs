//! Dated local decisions.

use std::fmt;

use jiff::ToSpan as _;
use jiff::civil::Date;
use mail::Domain;
use serde::{Deserialize, Serialize};

use crate::pattern::{Pattern, PatternMap};
use crate::settings::{DaneMode, ExceptionEntry, ModeSource};

/// The part of an exception that is about DANE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DaneException {
    pub(crate) dane: DaneMode,
    pub(crate) override_strict: bool,
    pub(crate) entry: ExceptionEntry,
}

impl DaneException {
    /// The first earlier exception for the very same names that applies whenever this one could.
    pub(crate) fn shadowed<'a>(&self, before: &'a [Self], today: Date) -> Option<&'a ExceptionEntry> {
        let holds =
            |other: &&Self| today <= other.entry.until && (other.override_strict || !self.override_strict);
        before.iter().find(holds).map(|other| &other.entry)
    }
}

/// A dated negative trust anchor (RFC 7646): the name and everything below it count as unsigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NegativeTrustAnchor {
    /// The name.
    pub name: Domain,
    /// Where it is written, the last day on which it applies, and why.
    pub entry: ExceptionEntry,
}

/// An exception as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedException {
    /// The names.
    pub names: Pattern,
    /// What they are.
    pub kind: ExceptedKind,
    /// The mode, if DANE is excepted from.
    pub dane: Option<DaneMode>,
    /// Whether DNSSEC is.
    pub without_dnssec: bool,
    /// Whether it holds against a strict rule or list.
    pub override_strict: bool,
    /// Where it is written, the last day on which it applies, and why.
    pub entry: ExceptionEntry,
}

/// What the names of an exception are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExceptedKind {
    /// Destinations.
    Domain,
    /// Receiving hosts.
    Mx,
}

impl ExceptedKind {
    /// The key in the policy file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::Mx => "mx",
        }
    }
}

impl fmt::Display for ExceptedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an exception, or an entry of a danefail list, means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Meaning {
    /// This mode.
    Dane(DaneMode),
    /// Signatures do not count.
    WithoutDnssec,
}

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dane(mode) => mode.fmt(f),
            Self::WithoutDnssec => f.write_str("dnssec off"),
        }
    }
}

/// How near the end of an exception is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Within a week.
    ThisWeek,
    /// Today or tomorrow.
    Tomorrow,
    /// It is over.
    Over,
}

impl ListedException {
    /// What it means; where it is both, what it means for DANE.
    pub fn meaning(&self) -> Meaning {
        self.dane.map_or(Meaning::WithoutDnssec, Meaning::Dane)
    }

    /// Whether this is the same exception of the same file, on whatever line: lines move when others are added or removed.
    pub fn is_same(&self, other: &Self) -> bool {
        let Self {
            names,
            kind,
            dane,
            without_dnssec,
            override_strict,
            entry:
                ExceptionEntry {
                    file,
                    line: _,
                    until,
                    reason,
                },
        } = self;
        *names == other.names
            && *kind == other.kind
            && *dane == other.dane
            && *without_dnssec == other.without_dnssec
            && *override_strict == other.override_strict
            && *until == other.entry.until
            && *reason == other.entry.reason
            && *file == other.entry.file
    }

    /// How near its end is; `None` if that is more than a week away.
    pub fn end(&self, today: Date) -> Option<End> {
        let until = self.entry.until;
        if until < today {
            Some(End::Over)
        } else if until <= today.saturating_add(1.day()) {
            Some(End::Tomorrow)
        } else {
            (until <= today.saturating_add(7.days())).then_some(End::ThisWeek)
        }
    }
}

/// `domain example.dk` or `mx .provider.example`.
impl fmt::Display for ListedException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.names)
    }
}

/// All exceptions of a policy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exceptions {
    by_domain: PatternMap<DaneException>,
    by_mx: PatternMap<DaneException>,
    anchors: Vec<NegativeTrustAnchor>,
    all: Vec<ListedException>,
}

impl Exceptions {
    pub(crate) fn add_for_domain(&mut self, pattern: &Pattern, exception: DaneException) {
        self.by_domain.insert(pattern, exception);
    }

    pub(crate) fn add_for_mx(&mut self, pattern: &Pattern, exception: DaneException) {
        self.by_mx.insert(pattern, exception);
    }

    /// The exceptions for the very same destinations.
    pub(crate) fn same_domain(&self, pattern: &Pattern) -> &[DaneException] {
        self.by_domain.same(pattern)
    }

    /// The exceptions for the very same receiving hosts.
    pub(crate) fn same_mx(&self, pattern: &Pattern) -> &[DaneException] {
        self.by_mx.same(pattern)
    }

    pub(crate) fn add_anchor(&mut self, anchor: NegativeTrustAnchor) {
        self.anchors.push(anchor);
    }

    pub(crate) fn list(&mut self, exception: ListedException) {
        self.all.push(exception);
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &ListedException> {
        self.all.iter()
    }

    /// What applies to a destination whose mode would otherwise be `mode`.
    pub(crate) fn for_domain(
        &self,
        name: &Domain,
        mode: DaneMode,
        today: Date,
    ) -> Option<(DaneMode, ModeSource)> {
        in_force(self.by_domain.matching(name), mode, today)
    }

    /// What applies to a receiving host of a destination whose mode is `mode`.
    pub(crate) fn for_mx(
        &self,
        host: &Domain,
        mode: DaneMode,
        today: Date,
    ) -> Option<(DaneMode, ModeSource)> {
        in_force(self.by_mx.matching(host), mode, today)
    }

    pub(crate) fn anchors(&self, today: Date) -> impl Iterator<Item = &NegativeTrustAnchor> {
        self.anchors
            .iter()
            .filter(move |anchor| today <= anchor.entry.until)
    }
}

fn in_force<'a>(
    mut candidates: impl Iterator<Item = &'a DaneException>,
    mode: DaneMode,
    today: Date,
) -> Option<(DaneMode, ModeSource)> {
    candidates
        .find(|exception| {
            today <= exception.entry.until && (mode != DaneMode::Strict || exception.override_strict)
        })
        .map(|exception| (exception.dane, ModeSource::Exception(exception.entry.clone())))
}
