//! Incidents: what holds mail up, or is wrong on our own side.

use jiff::Timestamp;

use crate::incident::{Cause, Kind, Likely};
use crate::record::{Level, Put, Record, Value};
use crate::sighting::Ending;

/// An incident, as people are told of it: when it begins, while it lasts, and when it is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// By which `incidents show` knows it.
    pub id: String,
    /// What there is to tell.
    pub state: IncidentState,
    /// What kind of thing fails.
    pub kind: Kind,
    /// Which.
    pub name: String,
    /// What fails.
    pub cause: Cause,
    /// When it was first seen.
    pub since: Timestamp,
    /// How many domains it concerns.
    pub domains: u64,
    /// How many messages wait because of it.
    pub messages: u64,
    /// When the oldest of them was accepted.
    pub oldest: Option<Timestamp>,
    /// When the first of them is returned to its sender.
    pub first_return: Option<Timestamp>,
    /// What it most likely is.
    pub likely: Likely,
    /// In a sentence, with what has changed.
    pub reason: String,
}

/// What there is to tell of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncidentState {
    /// It has begun.
    Opened,
    /// It goes on.
    Open,
    /// Half of the time has passed until the first message is returned.
    Half,
    /// It is over, in this way if that is known.
    Closed(Option<Ending>),
}

impl IncidentState {
    /// The word of the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Open => "open",
            Self::Half => "half",
            Self::Closed(_) => "closed",
        }
    }
}

impl Record for Incident {
    fn level(&self) -> Level {
        match self.state {
            IncidentState::Closed(_) => Level::Info,
            IncidentState::Opened | IncidentState::Open | IncidentState::Half => Level::Warning,
        }
    }

    fn name(&self) -> &'static str {
        "incident"
    }

    fn fields(&self, put: &mut Put<'_>) {
        put("id", Value::Word(&self.id));
        put("status", Value::Word(self.state.as_str()));
        put("kind", Value::Word(self.kind.as_str()));
        put("name", Value::Quoted(&self.name));
        put("cause", Value::Word(self.cause.as_str()));
        time(put, "since", Some(self.since));
        if let IncidentState::Closed(Some(ending)) = self.state {
            put("ending", Value::Word(ending.as_str()));
        }
        put("domains", Value::Integer(self.domains));
        put("messages", Value::Integer(self.messages));
        time(put, "oldest", self.oldest);
        time(put, "first_return", self.first_return);
        put("likely", Value::Word(self.likely.as_str()));
        put("reason", Value::Quoted(&self.reason));
    }
}

fn time(put: &mut Put<'_>, key: &'static str, time: Option<Timestamp>) {
    let text = time.map(|time| format!("{time:.0}"));
    put(key, Value::word(text.as_deref()));
}

/// Trouble with telling people of incidents. Mail is not affected.
#[derive(Debug, Clone, PartialEq)]
pub struct NotTold {
    /// The configuration key by which they were to be told.
    pub key: &'static str,
    /// What went wrong.
    pub error: String,
    /// Whether it is tried again.
    pub again: bool,
}

impl Record for NotTold {
    fn level(&self) -> Level {
        Level::Warning
    }

    fn name(&self) -> &'static str {
        "incident"
    }

    fn fields(&self, put: &mut Put<'_>) {
        put("status", Value::Word("not-told"));
        put("key", Value::Word(self.key));
        put("error", Value::Quoted(&self.error));
        put("again", crate::record::yes_or_no(self.again));
    }
}
