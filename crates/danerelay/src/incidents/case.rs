//! An incident as the watch has it, with what was said of it.

use jiff::Timestamp;
use mail::Domain;
use report::incidents::news::{self, News};
use report::incidents::{Composed, Incident};
use spool::{IncidentNumber, Step, Told, Way};

use super::own::Said;

/// An incident with what was said of it.
pub(super) enum Case {
    /// What was said is in its records.
    Recorded(Composed),
    /// It has no records.
    Own(Said),
}

/// Of which incident something was said, to write it down.
#[derive(Debug, Clone)]
pub(super) enum Name {
    Records(Vec<IncidentNumber>),
    Own(String),
}

impl Case {
    pub(super) fn incident(&self) -> &Incident {
        match self {
            Self::Recorded(composed) => &composed.incident,
            Self::Own(said) => &said.incident,
        }
    }

    pub(super) fn name(&self) -> Name {
        match self {
            Self::Recorded(composed) => {
                Name::Records(composed.records.iter().map(|record| record.number).collect())
            }
            Self::Own(said) => Name::Own(said.incident.id.clone()),
        }
    }

    /// Whose hosts or domains fail; `None` if it is ours.
    pub(super) fn holder(&self) -> Option<Domain> {
        match self {
            Self::Recorded(composed) => {
                let first = composed.records.first()?;
                first.spot.place.registrable()
            }
            Self::Own(_) => None,
        }
    }

    /// What is to be written to the log now, if anything changes.
    pub(super) fn due(&self, now: Timestamp) -> Option<(Option<News>, Told)> {
        match self {
            Self::Recorded(composed) => news::due(composed, now),
            Self::Own(said) => news::of_own(&said.incident, said.told(), now),
        }
    }

    /// What people are to be told on this way, if anything changes.
    pub(super) fn notice(&self, way: Way, now: Timestamp) -> Option<(Option<News>, Step)> {
        match self {
            Self::Recorded(composed) => news::notice(composed, way, now),
            Self::Own(said) => news::notice_of_own(&said.incident, (said.noticed.on(way), said.told()), now),
        }
    }
}
