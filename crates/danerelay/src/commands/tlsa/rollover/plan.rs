//! The steps of a key change: from two chains and what is published, without I/O.

use dane::{
    CertificateSummary, MatchingType, ReferenceIdentifiers, Selector, TlsaRecord, TlsaSet, Usage, path_of,
    verify_chain,
};
use jiff::{SignedDuration, Timestamp};
use mail::Domain;
use rustls::pki_types::{CertificateDer, UnixTime};
use serde::Serialize;

use crate::commands::tlsa::InputError;
use crate::commands::tlsa::zone::ZoneRecord;

/// What is to be changed.
pub(super) struct Change<'a> {
    /// Where the records are.
    pub(super) owner: String,
    /// The TLSA base domain, if it is known.
    pub(super) base: Option<&'a Domain>,
    /// Of the records to publish, in seconds.
    pub(super) ttl: u32,
    /// How long senders may still use what was there before, in seconds.
    pub(super) wait: u32,
    pub(super) current: &'a [CertificateDer<'static>],
    pub(super) next: &'a [CertificateDer<'static>],
    pub(super) published: Option<&'a TlsaSet>,
    pub(super) now: Timestamp,
}

/// The plan, for people and for programs.
#[derive(Debug, Serialize)]
pub(super) struct Plan {
    pub(super) owner: String,
    /// In seconds.
    pub(super) ttl: u32,
    /// Both certificates have the same key.
    pub(super) same_key: bool,
    pub(super) schemes: Vec<Scheme>,
}

/// One way to do it.
#[derive(Debug, Serialize)]
pub(super) struct Scheme {
    #[serde(rename = "scheme")]
    kind: Kind,
    possible: bool,
    /// Why it is not possible.
    pub(super) reason: Option<String>,
    pub(super) steps: Vec<Step>,
}

/// What the second record stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    CurrentNext,
    CurrentIssuer,
}

/// One step; each begins when the one before it is done.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    pub(super) action: Action,
    /// The earliest time, if everything before it is done at once.
    pub(super) at: Timestamp,
    /// How long it takes at least.
    pub(super) seconds: u32,
    /// It is not needed any more.
    pub(super) done: bool,
    /// All that is to be published.
    pub(super) records: Vec<ZoneRecord>,
    /// The host to check.
    pub(super) host: Option<String>,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Action {
    Publish,
    Wait,
    Install,
    Verify,
}

impl Scheme {
    pub(super) fn title(&self) -> &'static str {
        match self.kind {
            Kind::CurrentNext => "Current and next key: both are published before the change",
            Kind::CurrentIssuer => {
                "Current key and issuer: the issuer's record carries the change, and nothing has to be known of the next key"
            }
        }
    }
}

impl Change<'_> {
    pub(super) fn plan(&self) -> Result<Plan, InputError> {
        let (old, new) = (self.key(self.current), self.key(self.next));
        Ok(Plan {
            owner: self.owner.clone(),
            ttl: self.ttl,
            same_key: old.is_some() && old == new,
            schemes: vec![
                self.by_keys(old.as_ref(), new.as_ref()),
                self.by_issuer(old.as_ref(), new.as_ref())?,
            ],
        })
    }

    fn by_keys(&self, old: Option<&TlsaRecord>, new: Option<&TlsaRecord>) -> Scheme {
        let both = each([old, new]);
        Scheme {
            kind: Kind::CurrentNext,
            possible: true,
            reason: None,
            steps: self.steps(&both, &each([new])),
        }
    }

    fn by_issuer(&self, old: Option<&TlsaRecord>, new: Option<&TlsaRecord>) -> Result<Scheme, InputError> {
        let anchors = |chain| self.anchor(chain);
        let (before, after) = (anchors(self.current), anchors(self.next));
        let reason = match &after {
            None => Some("the next chain has no issuer's certificate".to_owned()),
            Some(anchor) => self.refused(anchor)?,
        };
        if reason.is_some() {
            return Ok(Scheme {
                kind: Kind::CurrentIssuer,
                possible: false,
                reason,
                steps: Vec::new(),
            });
        }
        let first = each([old, before.as_ref(), after.as_ref()]);
        Ok(Scheme {
            kind: Kind::CurrentIssuer,
            possible: true,
            reason: None,
            steps: self.steps(&first, &each([new, after.as_ref()])),
        })
    }

    /// The record of the issuer that is furthest from the server: one that is published already, or `2 0 1`.
    fn anchor(&self, chain: &[CertificateDer<'_>]) -> Option<TlsaRecord> {
        let path = path_of(chain);
        let [_, .., issuer] = path.as_slice() else {
            return None;
        };
        let published = self.published.into_iter().flat_map(TlsaSet::usable);
        let known = published
            .filter(|record| record.usage == Usage::DaneTa)
            .find(|record| record.matches(issuer));
        known
            .cloned()
            .or_else(|| self.made(Usage::DaneTa, Selector::Cert, issuer))
    }

    /// The name that the next certificate must bear; where the host is not known, one that it does bear, so that its path and
    /// dates are checked all the same.
    fn name_to_bear(&self) -> Option<String> {
        if let Some(base) = self.base {
            return Some(base.to_string());
        }
        let own = CertificateSummary::of(self.next.first()?)?;
        let name = own.names.first()?;
        Some(match name.strip_prefix("*.") {
            Some(domain) => format!("host.{domain}"),
            None => name.clone(),
        })
    }

    /// Why senders would refuse the next chain for its issuer.
    fn refused(&self, anchor: &TlsaRecord) -> Result<Option<String>, InputError> {
        let Some(name) = self.name_to_bear() else {
            return Ok(None);
        };
        let references = ReferenceIdentifiers::new(&name)?;
        let set = TlsaSet::new(vec![anchor.clone()]);
        let checked = verify_chain(&set, self.next, &references, UnixTime::now());
        Ok(checked.err().map(|failure| failure.to_string()))
    }

    /// The record of a chain's own key, `3 1 1` where no other digest is in use.
    fn key(&self, chain: &[CertificateDer<'_>]) -> Option<TlsaRecord> {
        self.made(Usage::DaneEe, Selector::Spki, chain.first()?)
    }

    /// With the strongest digest in use for the usage and selector: a weaker one would be passed over (RFC 7671 §9).
    fn made(&self, usage: Usage, selector: Selector, certificate: &CertificateDer<'_>) -> Option<TlsaRecord> {
        let published = self.published.into_iter().flat_map(TlsaSet::usable);
        let same = published.filter(|record| (record.usage, record.selector) == (usage, selector));
        let strongest = same.map(|record| record.matching).max();
        let digest = strongest.map_or(MatchingType::Sha256, |digest| digest.max(MatchingType::Sha256));
        TlsaRecord::for_certificate(usage, selector, digest, certificate)
    }

    /// Published records of neither chain, such as those of a second key of the server: they stay.
    fn others(&self) -> Vec<TlsaRecord> {
        let is_ours = |record: &TlsaRecord| {
            self.current
                .iter()
                .chain(self.next)
                .any(|own| record.matches(own))
        };
        let published = self.published.into_iter().flat_map(TlsaSet::usable);
        published.filter(|record| !is_ours(record)).cloned().collect()
    }

    /// Publish, wait, install, check, publish what is needed from then on.
    fn steps(&self, first: &[TlsaRecord], then: &[TlsaRecord]) -> Vec<Step> {
        let with_others = |own: &[TlsaRecord]| [own, &self.others()].concat();
        let (first, then) = (with_others(first), with_others(then));
        let is_published =
            |record: &TlsaRecord| self.published.is_some_and(|set| set.usable().contains(record));
        let done = first.iter().all(is_published);
        let seconds = if done { 0 } else { self.wait };
        let mut at = self.now;
        let mut steps = Vec::new();
        let mut add = |action, seconds: u32, done, records: &[TlsaRecord]| {
            steps.push(Step {
                action,
                at,
                seconds,
                done,
                records: ZoneRecord::all(&self.owner, Some(self.ttl), records),
                host: (action == Action::Verify)
                    .then(|| self.base.map(ToString::to_string))
                    .flatten(),
            });
            at = at
                .saturating_add(SignedDuration::from_secs(seconds.into()))
                .unwrap_or(at);
        };
        add(Action::Publish, 0, done, &first);
        if seconds > 0 {
            add(Action::Wait, seconds, false, &[]);
        }
        add(Action::Install, 0, false, &[]);
        add(Action::Verify, 0, false, &[]);
        add(Action::Publish, 0, first == then, &then);
        steps
    }
}

/// Each record that there is, once.
fn each<const N: usize>(records: [Option<&TlsaRecord>; N]) -> Vec<TlsaRecord> {
    let mut all: Vec<TlsaRecord> = Vec::new();
    for record in records.into_iter().flatten() {
        if !all.contains(record) {
            all.push(record.clone());
        }
    }
    all
}
