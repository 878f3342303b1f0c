//! What is wrong on our own side and has no record in the spool: what was said of it, also across restarts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use mail::sighting::Ending;
use report::incidents::news::{self, OwnTold};
use report::incidents::{Cause, Incident, OwnTrouble, Status};
use serde::{Deserialize, Serialize};
use spool::{Noticed, Step, Told, Way};

use crate::replace_file::write_state;

/// For so long after the start, what is tested or read at the start may not have shown itself again.
const SETTLED: SignedDuration = SignedDuration::from_mins(6);
/// And for so long what shows itself only when somebody needs it.
const NEEDED: SignedDuration = SignedDuration::from_hours(24);

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
    /// Whether it was over, and has come back within an hour: it is over only after an hour without it.
    #[serde(default)]
    has_come_back: bool,
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
        let looked = now.duration_since(self.began(now));
        let mut before = std::mem::take(&mut self.kept.incidents);
        for incident in standing {
            let id = incident.id.clone();
            let said = match before.remove(&id) {
                Some(said) => said.still(incident, now),
                None => Said::nothing(incident),
            };
            self.kept.incidents.insert(id, said);
        }
        for (id, mut said) in before {
            if said.incident.is_open()
                && let Some(ending) = said.ending(looked)
            {
                said.incident.status = Status::Ended;
                said.incident.ended = Some(now);
                said.incident.ending = Some(ending);
            }
            if !said.is_told() || said.may_come_back(now) {
                self.kept.incidents.insert(id, said);
            }
        }
    }

    /// When the incidents were first looked at since the start; now, if the clock has gone back since.
    pub(super) fn began(&mut self, now: Timestamp) -> Timestamp {
        let began = self.began.filter(|began| *began <= now);
        *self.began.insert(began.unwrap_or(now))
    }

    /// All of them; those that may not have shown themselves yet are left out.
    pub(super) fn all(&self) -> impl Iterator<Item = &Said> {
        let said = self.kept.incidents.values();
        said.filter(|said| said.is_seen || !said.incident.is_open())
    }

    /// Whether our resolver has failed its test since the start, as far as was said.
    pub(super) fn resolver_fails(&self) -> bool {
        let mut said = self.kept.incidents.values();
        said.any(|said| {
            said.is_seen && said.incident.is_open() && said.incident.cause == Cause::Own(OwnTrouble::Resolver)
        })
    }

    /// Whether everything that is tested or read at the start has had the time for it.
    pub(super) fn is_settled(&self, now: Timestamp) -> bool {
        self.began
            .is_some_and(|began| now.duration_since(began) >= SETTLED)
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
        if octets != self.written && write_state(&self.file, &octets).is_ok() {
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
            has_come_back: false,
            is_seen: true,
        }
    }

    /// The same, as it stands now. What the log has said to be over has begun anew.
    fn still(self, mut incident: Incident, now: Timestamp) -> Self {
        let told = if self.told.ended {
            Told::default()
        } else {
            self.told
        };
        let comes_back = self.may_come_back(now);
        if comes_back || self.incident.is_open() {
            incident.first_seen = incident.first_seen.min(self.incident.first_seen);
        }
        Self {
            incident,
            told,
            has_come_back: self.has_come_back || comes_back,
            is_seen: true,
            ..self
        }
    }

    /// Whether it has ended, and would be the same if it came now.
    fn may_come_back(&self, now: Timestamp) -> bool {
        let ended = self.incident.ended;
        ended.is_some_and(|ended| news::has_come_back_by(ended, now))
    }

    /// What is known of it.
    pub(super) fn told(&self) -> OwnTold {
        OwnTold {
            told: self.told,
            has_come_back: self.has_come_back,
        }
    }

    /// How it has ended, as it does not stand any more, and we have looked for so long since the start.
    fn ending(&self, looked: SignedDuration) -> Option<Ending> {
        if self.is_seen {
            return Some(Ending::Mended);
        }
        let Cause::Own(trouble) = self.incident.cause else {
            return None;
        };
        match trouble {
            OwnTrouble::Resolver
            | OwnTrouble::SpoolFails
            | OwnTrouble::Policy
            | OwnTrouble::Configuration
            | OwnTrouble::ListTooOld
            | OwnTrouble::Clock => (looked >= SETTLED).then_some(Ending::Mended),
            OwnTrouble::SpoolFull | OwnTrouble::ListHeldBack | OwnTrouble::TlsReports => {
                (looked >= NEEDED).then_some(Ending::NotSeen)
            }
        }
    }

    /// Whether everybody knows that it is over.
    fn is_told(&self) -> bool {
        let knows = |way| self.noticed.on(way) == Step::Closed;
        !self.incident.is_open() && self.told.ended && Way::ALL.into_iter().all(knows)
    }
}
