//! What is wrong on our own side and has no record in the spool: what was said of it, also across restarts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use mail::sighting::Ending;
use report::incidents::{Cause, Incident, OwnTrouble, Status};
use serde::{Deserialize, Serialize};
use spool::{Noticed, Step, Told, Way};

use crate::state_file;

/// For so long after the start, what was wrong before it may not have shown itself again.
const SETTLED: SignedDuration = SignedDuration::from_mins(5);

/// What was said.
#[derive(Debug)]
pub(super) struct Own {
    kept: Kept,
    file: PathBuf,
    /// What is in the file.
    written: Vec<u8>,
    /// When it was first looked at.
    began: Option<Timestamp>,
}

/// The content of the file.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// What is wrong, or was and is not told yet, by its id.
    #[serde(default)]
    incidents: BTreeMap<String, Said>,
    /// Up to which time people know of each way what is not needed any more.
    #[serde(default)]
    healed: BTreeMap<Way, Timestamp>,
}

/// What was said of one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Said {
    pub(super) incident: Incident,
    pub(super) told: Told,
    pub(super) noticed: Noticed,
    /// Whether it was seen since the start.
    #[serde(skip)]
    is_seen: bool,
}

impl Own {
    /// What is known from before the start. If that cannot be read, things are told again.
    pub(super) fn read(file: PathBuf) -> Self {
        let written = std::fs::read(&file).unwrap_or_default();
        Self {
            kept: serde_json::from_slice(&written).unwrap_or_default(),
            file,
            written,
            began: None,
        }
    }

    /// These are wrong now, and nothing else.
    pub(super) fn stand(&mut self, standing: Vec<Incident>, now: Timestamp) {
        let is_settled = now.duration_since(*self.began.get_or_insert(now)) >= SETTLED;
        let mut before = std::mem::take(&mut self.kept.incidents);
        for incident in standing {
            let id = incident.id.clone();
            let said = match before.remove(&id) {
                Some(said) => said.still(incident),
                None => Said::nothing(incident),
            };
            self.kept.incidents.insert(id, said);
        }
        for (id, mut said) in before {
            if said.incident.is_open() && (said.is_seen || is_settled) {
                said.incident.status = Status::Ended;
                said.incident.ended = Some(now);
                said.incident.ending = Some(Ending::Mended);
            }
            if !said.is_told() {
                self.kept.incidents.insert(id, said);
            }
        }
    }

    /// All of them; those that may not have shown themselves yet are left out.
    pub(super) fn all(&self) -> impl Iterator<Item = &Said> {
        let said = self.kept.incidents.values();
        said.filter(|said| said.is_seen || !said.incident.is_open())
    }

    /// Whether our resolver fails its test, as far as was said.
    pub(super) fn resolver_fails(&self) -> bool {
        let mut said = self.kept.incidents.values();
        said.any(|said| said.incident.is_open() && said.incident.cause == Cause::Own(OwnTrouble::Resolver))
    }

    /// What was said of this one, to be changed.
    pub(super) fn said(&mut self, id: &str) -> Option<&mut Said> {
        self.kept.incidents.get_mut(id)
    }

    /// Up to which time people know on this way what is not needed any more.
    pub(super) fn healed(&self, way: Way) -> Option<Timestamp> {
        self.kept.healed.get(&way).copied()
    }

    /// They know it up to this time.
    pub(super) fn know_healed(&mut self, way: Way, until: Timestamp) {
        self.kept.healed.insert(way, until);
    }

    /// Writes down what was said, if that is new. Without the file it is said again after a restart.
    pub(super) fn write(&mut self) {
        let Ok(octets) = serde_json::to_vec(&self.kept) else {
            return;
        };
        if octets != self.written && state_file::write(&self.file, &octets).is_ok() {
            self.written = octets;
        }
    }
}

impl Said {
    fn nothing(incident: Incident) -> Self {
        Self {
            incident,
            told: Told::default(),
            noticed: Noticed::default(),
            is_seen: true,
        }
    }

    /// The same, as it stands now. What the log has said to be over has begun anew.
    fn still(self, incident: Incident) -> Self {
        let told = if self.told.ended {
            Told::default()
        } else {
            self.told
        };
        Self {
            incident,
            told,
            is_seen: true,
            ..self
        }
    }

    /// Whether everybody knows that it is over.
    fn is_told(&self) -> bool {
        let knows = |way| self.noticed.on(way) == Step::Closed;
        !self.incident.is_open() && self.told.ended && Way::ALL.into_iter().all(knows)
    }
}
