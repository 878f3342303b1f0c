//! What the daily test remembers, also across restarts: where on the lists it goes on, and what was well again.

use std::fs;
use std::io;
use std::path::PathBuf;

use jiff::Timestamp;
use mail::Domain;
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
    /// When all that was due on a day had been tested.
    #[serde(default)]
    pub(super) tested: Option<Timestamp>,
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

    /// Written after each portion of a test.
    pub(super) fn write(&self, config: &Config) -> io::Result<()> {
        fs::write(path(config), serde_json::to_vec(self)?)
    }

    /// Learns what a test has found. Returns whether it is news that this works again.
    pub(super) fn note(&mut self, subject: &Subject, finding: &Finding, now: Timestamp) -> bool {
        let name = subject.tested.name();
        let is_meant = |one: &Healed| one.name == name && one.source == subject.source;
        match finding.state {
            State::Healed => {}
            // Nothing was learnt.
            State::Undecided | State::Untested => return false,
            State::Partly | State::Failing | State::Gone => {
                self.healed.retain(|one| !is_meant(one));
                return false;
            }
        }
        if let Some(known) = self.healed.iter_mut().find(|one| is_meant(one)) {
            known.place.clone_from(&subject.place);
            known.reason.clone_from(&finding.reason);
            return false;
        }
        if self.healed.len() < REMEMBERED {
            self.healed.push(Healed {
                kind: subject.tested.kind().to_owned(),
                name,
                source: subject.source.clone(),
                place: subject.place.clone(),
                since: now,
                reason: finding.reason.clone(),
            });
        }
        true
    }

    /// Forgets what is not excepted any more.
    pub(super) fn retain(&mut self, policy: &Policy) {
        self.healed.retain(|one| is_excepted(one, policy));
    }
}

/// Whether this is still an exception in the same file, or an entry of the same list, wherever it is there.
pub(super) fn is_excepted(one: &Healed, policy: &Policy) -> bool {
    let mut exceptions = policy.exceptions();
    if exceptions.any(|exception| {
        *exception.entry.file == *one.source
            && exception.kind.as_str() == one.kind
            && exception.names.to_string() == one.name
    }) {
        return true;
    }
    let Ok(name) = Domain::parse(&one.name) else {
        return false;
    };
    let mut lists = policy.lists().iter();
    lists.any(|list| {
        list.kind == ListKind::Danefail
            && **list.names.source() == *one.source
            && list.names.line_of(&name).is_some()
    })
}

fn path(config: &Config) -> PathBuf {
    config.state_directory.join("rechecked")
}
