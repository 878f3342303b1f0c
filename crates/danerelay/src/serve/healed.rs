//! What the daily test remembers, also across restarts: how far it has come, and what works again.

use std::fs;
use std::io;
use std::path::PathBuf;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use policy::pattern::Pattern;
use policy::schema::ListKind;
use policy::{ExceptedKind, Meaning, Policy};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::recheck::{Finding, State, Subject};
use crate::replace_file::write_state;
use crate::wiring::standing::{Healed, Tests};

/// If so many are remembered as working again, no further entries of lists are: a later test tells of them. Exceptions always
/// are.
const REMEMBERED: usize = 1000;
/// An exception is removed if it worked again in two tests that are so far apart: what comes and goes is still needed.
const APART: SignedDuration = SignedDuration::from_hours(20);
/// A test that was interrupted goes on within this time; later, another one begins.
const ONE_TEST: SignedDuration = SignedDuration::from_hours(24);
/// For so long what was removed is remembered: people are to be told.
const REMOVED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// All of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    #[serde(flatten)]
    pub(super) tests: Tests,
    /// The entry of the lists, counted over all of them, with which the next test begins.
    #[serde(default)]
    pub(super) next: usize,
    /// The test that is not complete yet.
    #[serde(default)]
    running: Option<Running>,
}

/// A test that is not complete yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Running {
    began: Timestamp,
    /// How many were tested.
    done: usize,
    /// The last of them: exceptions and lists may be others when the test goes on.
    #[serde(default)]
    last: Option<Mark>,
}

/// What was tested, to find it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    source: String,
    kind: ExceptedKind,
    name: Pattern,
    meaning: Meaning,
}

impl Mark {
    fn of(subject: &Subject) -> Self {
        Self {
            source: subject.source.to_string(),
            kind: subject.tested.kind(),
            name: subject.tested.names(),
            meaning: subject.meaning,
        }
    }
}

impl Memory {
    /// What was written there last; nothing if that cannot be read: then things are told again.
    pub(super) fn read(config: &Config) -> Self {
        let octets = fs::read(path(config)).unwrap_or_default();
        serde_json::from_slice(&octets).unwrap_or_default()
    }

    /// Written after each portion of a test. Without the file the next start tests earlier than it need.
    pub(super) fn write(&self, config: &Config) -> io::Result<()> {
        write_state(&path(config), &serde_json::to_vec(self)?)
    }

    /// Begins a test of these, or goes on with one that was interrupted. Returns how many of them were tested already: up to the
    /// last one, or as many as it was if that is not excepted any more.
    pub(super) fn begin<'a>(&mut self, mut all: impl Iterator<Item = &'a Subject>, now: Timestamp) -> usize {
        let goes_on =
            |running: &Running| (SignedDuration::ZERO..ONE_TEST).contains(&now.duration_since(running.began));
        let running = self.running.take().filter(goes_on);
        let running = self.running.insert(running.unwrap_or(Running {
            began: now,
            done: 0,
            last: None,
        }));
        let last = running.last.as_ref();
        let place = last.and_then(|last| all.position(|one| Mark::of(one) == *last));
        place.map_or(running.done, |place| place + 1)
    }

    /// So many more were tested, up to this one.
    pub(super) fn advance(&mut self, more: usize, last: Option<&Subject>) {
        if let Some(running) = &mut self.running {
            running.done = running.done.saturating_add(more);
            running.last = last.map(Mark::of);
        }
    }

    /// Forgets what was removed since, even if it was added again in the same words: this is what is known of those that were
    /// excepted all the time.
    pub(super) fn keep_only(&mut self, known: &[Healed]) {
        let is_known = |one: &Healed| known.iter().any(|other| is_the_same(one, other));
        self.tests.healed.retain(is_known);
    }

    /// All that was due has been tested; the next test begins with the entry `next`.
    pub(super) fn complete(&mut self, next: usize, now: Timestamp) {
        self.running = None;
        self.next = next;
        self.tests.tested = Some(now);
    }

    /// Whether an exception that works again may be removed: it was in an earlier test, too, and each host answered.
    pub(super) fn may_close(&self, subject: &Subject, finding: &Finding, now: Timestamp) -> bool {
        let known = self.tests.healed.iter().find(|one| is_about(one, subject));
        finding.is_whole && known.is_some_and(|known| now.duration_since(known.since) >= APART)
    }

    /// Learns what a test has found. Returns whether it is news that this works again.
    pub(super) fn note(&mut self, subject: &Subject, finding: &Finding, now: Timestamp) -> bool {
        let healed = &mut self.tests.healed;
        match finding.state {
            State::Healed => {}
            // Nothing was learnt.
            State::Undecided | State::Untested => return false,
            State::Partly | State::Failing | State::Gone => {
                healed.retain(|one| !is_about(one, subject));
                return false;
            }
        }
        if let Some(known) = healed.iter_mut().find(|one| is_about(one, subject)) {
            // It may have been written while the clock was ahead.
            known.since = known.since.min(now);
            known.place = subject.place();
            known.reason.clone_from(&finding.reason);
            return false;
        }
        let has_room = subject.exception.is_some() || healed.len() < REMEMBERED;
        if has_room {
            healed.push(healed_one(subject, finding, now));
        }
        has_room
    }

    /// This was removed, because it works again. If it is added again, it begins anew.
    pub(super) fn closed(&mut self, subject: &Subject, finding: &Finding, now: Timestamp) {
        self.tests.healed.retain(|one| !is_about(one, subject));
        let closed = &mut self.tests.closed;
        if closed.len() < REMEMBERED {
            closed.push(healed_one(subject, finding, now));
        }
    }

    /// Forgets what is not excepted any more, and what was removed long ago.
    pub(super) fn retain(&mut self, policy: &Policy, now: Timestamp) {
        self.tests.healed.retain(|one| is_excepted(one, policy));
        self.tests
            .closed
            .retain(|one| now.duration_since(one.since) < REMOVED);
    }
}

fn healed_one(subject: &Subject, finding: &Finding, since: Timestamp) -> Healed {
    Healed {
        kind: subject.tested.kind(),
        name: subject.tested.names(),
        meaning: subject.meaning,
        until: until(subject),
        exception_reason: exception_reason(subject).map(str::to_owned),
        source: subject.source.to_string(),
        place: subject.place(),
        since,
        reason: finding.reason.clone(),
    }
}

fn until(subject: &Subject) -> Option<Date> {
    subject.exception.as_ref().map(|exception| exception.entry.until)
}

fn exception_reason(subject: &Subject) -> Option<&str> {
    subject
        .exception
        .as_ref()
        .map(|exception| &*exception.entry.reason)
}

fn is_the_same(one: &Healed, other: &Healed) -> bool {
    one.source == other.source
        && one.meaning == other.meaning
        && one.until == other.until
        && one.exception_reason == other.exception_reason
        && one.kind == other.kind
        && one.name == other.name
}

fn is_about(one: &Healed, subject: &Subject) -> bool {
    *one.source == *subject.source
        && one.meaning == subject.meaning
        && one.until == until(subject)
        && one.exception_reason.as_deref() == exception_reason(subject)
        && one.kind == subject.tested.kind()
        && one.name == subject.tested.names()
}

/// Whether this is still an exception in the same file, or an entry of the same list, wherever it is there.
pub(super) fn is_excepted(one: &Healed, policy: &Policy) -> bool {
    let mut exceptions = policy.exceptions();
    if exceptions.any(|exception| {
        *exception.entry.file == *one.source
            && exception.kind == one.kind
            && exception.names == one.name
            && one.until == Some(exception.entry.until)
            && one.exception_reason.as_deref() == Some(&*exception.entry.reason)
    }) {
        return true;
    }
    let Pattern::Exactly(name) = &one.name else {
        return false;
    };
    let mut lists = policy.lists().iter();
    lists.any(|list| {
        list.kind == ListKind::Danefail
            && **list.names.source() == *one.source
            && list.names.line_of(name).is_some()
    })
}

fn path(config: &Config) -> PathBuf {
    config.state_directory.join("rechecked")
}
