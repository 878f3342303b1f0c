//! What the daily test remembers, also across restarts: where on the lists it goes on, and what was well again.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use policy::Policy;
use policy::schema::ListKind;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::recheck::{Finding, State, Subject};
use crate::wiring::standing::Healed;

/// The most that are remembered as well again; of the rest the next day's test tells.
const REMEMBERED: usize = 1000;

/// All of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    /// The entry of the lists, counted over all of them, with which the next test begins.
    #[serde(default)]
    pub(super) next: usize,
    #[serde(default)]
    pub(super) healed: Vec<Healed>,
}

impl Memory {
    /// What was written there last; nothing if that cannot be read: then things are told again.
    pub(super) fn read(config: &Config) -> Self {
        let octets = fs::read(path(config)).unwrap_or_default();
        serde_json::from_slice(&octets).unwrap_or_default()
    }

    /// Written after a test; the file's time is that of the test.
    pub(super) fn write(&self, config: &Config) -> io::Result<()> {
        fs::write(path(config), serde_json::to_vec(self)?)
    }

    /// Learns what a test has found. Returns whether it is news that this is well again.
    pub(super) fn note(&mut self, subject: &Subject, finding: &Finding, now: Timestamp) -> bool {
        let (name, place) = (subject.tested.name(), &subject.place);
        let known = self
            .healed
            .iter_mut()
            .find(|one| one.place == *place && one.name == name);
        if finding.state != State::Healed {
            self.healed.retain(|one| one.place != *place || one.name != name);
            return false;
        }
        if let Some(known) = known {
            known.reason.clone_from(&finding.reason);
            return false;
        }
        if self.healed.len() < REMEMBERED {
            self.healed.push(Healed {
                kind: subject.tested.kind().to_owned(),
                name,
                place: place.clone(),
                since: now,
                reason: finding.reason.clone(),
            });
        }
        true
    }

    /// Forgets what is not excepted any more.
    pub(super) fn retain(&mut self, policy: &Policy) {
        self.healed.retain(|one| {
            let is_excepted = |place: String| place == one.place;
            let name = mail::Domain::parse(&one.name).ok();
            let mut lists = policy.lists().iter();
            policy
                .exceptions()
                .any(|exception| is_excepted(format!("{}:{}", exception.entry.file, exception.entry.line)))
                || lists.any(|list| {
                    let line = name.as_ref().and_then(|name| list.names.line_of(name));
                    list.kind == ListKind::Danefail
                        && line.is_some_and(|line| is_excepted(format!("{}:{line}", list.names.source())))
                })
        });
    }
}

/// How long ago the last test was; `None` if none is known.
pub(super) fn age(config: &Config) -> Option<Duration> {
    let last = fs::metadata(path(config)).and_then(|stamp| stamp.modified());
    last.ok()?.elapsed().ok()
}

fn path(config: &Config) -> PathBuf {
    config.state_directory.join("rechecked")
}
