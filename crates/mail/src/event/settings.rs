//! Configuration and policy, as they are read.

use crate::record::{Level, Put, Record, Value};

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// What clients are served with: certificate, key and users.
    Clients,
    /// The configuration.
    Config,
    /// The file descriptors that this process already has.
    Descriptors,
    /// The system's limits, compared with what is configured.
    Limits,
    /// The policy and its lists.
    Policy,
    /// The trust anchors.
    Resolver,
}

impl Subject {
    /// The name of its events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clients => "clients",
            Self::Config => "config",
            Self::Descriptors => "descriptors",
            Self::Limits => "limits",
            Self::Policy => "policy",
            Self::Resolver => "resolver",
        }
    }
}

/// Something that the administrator should know.
#[derive(Debug, Clone, PartialEq)]
pub struct Warning {
    /// What it is about.
    pub about: Subject,
    /// What there is to know.
    pub reason: String,
}

impl Record for Warning {
    fn level(&self) -> Level {
        Level::Warning
    }

    fn name(&self) -> &'static str {
        self.about.as_str()
    }

    fn fields(&self, put: &mut Put<'_>) {
        put("reason", Value::Quoted(&self.reason));
    }
}

/// An error in what was read: everything that was in force stays in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// Where the fault is.
    pub about: Subject,
    /// What is wrong.
    pub reason: String,
}

impl Record for Refused {
    fn level(&self) -> Level {
        Level::Error
    }

    fn name(&self) -> &'static str {
        self.about.as_str()
    }

    fn fields(&self, put: &mut Put<'_>) {
        put("status", Value::Word("refused"));
        put("reason", Value::Quoted(&self.reason));
    }
}

/// Changes that take effect at the next start.
#[derive(Debug, Clone, PartialEq)]
pub struct WaitsForRestart {
    /// The dotted keys.
    pub changed: Vec<String>,
}

impl Record for WaitsForRestart {
    fn level(&self) -> Level {
        Level::Warning
    }

    fn name(&self) -> &'static str {
        Subject::Config.as_str()
    }

    fn fields(&self, put: &mut Put<'_>) {
        put("changed", Value::Quoted(&self.changed.join(", ")));
        put("reason", Value::Quoted("takes effect at the next start"));
    }
}

/// A policy has taken effect.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyLoaded {
    /// Where it comes from.
    pub file: String,
    /// What was wrong before, if anything was, and is not any more.
    pub mended: Mended,
}

/// What has been read again and found right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mended {
    /// Configuration and policy.
    Everything,
    /// The policy.
    Policy,
    /// The policy in force, beside another one that was refused together with its configuration.
    Nothing,
}

impl Record for PolicyLoaded {
    fn level(&self) -> Level {
        Level::Info
    }

    fn name(&self) -> &'static str {
        Subject::Policy.as_str()
    }

    fn fields(&self, put: &mut Put<'_>) {
        put("status", Value::Word("loaded"));
        put("file", Value::Quoted(&self.file));
    }
}

/// What became of a list with a URL.
#[derive(Debug, Clone, PartialEq)]
pub struct ListNews {
    /// Its URL.
    pub url: String,
    /// What there is to tell.
    pub news: ListState,
}

/// How a list is.
#[derive(Debug, Clone, PartialEq)]
pub enum ListState {
    /// A new copy is on disk, with so many entries.
    Fetched(u64),
    /// It cannot be fetched.
    NotFetched(String),
    /// What came is not believed.
    HeldBack(String),
    /// Its copy could not be refreshed for longer than it may become old.
    TooOld(String),
    /// It can be fetched again.
    Recovered,
    /// The policy does not name it any more.
    NotNamed,
}

impl Record for ListNews {
    fn level(&self) -> Level {
        match self.news {
            ListState::Fetched(_) | ListState::Recovered | ListState::NotNamed => Level::Info,
            ListState::NotFetched(_) | ListState::HeldBack(_) | ListState::TooOld(_) => Level::Warning,
        }
    }

    fn name(&self) -> &'static str {
        Subject::Policy.as_str()
    }

    fn fields(&self, put: &mut Put<'_>) {
        let status = match self.news {
            ListState::Fetched(_) => "list-fetched",
            ListState::NotFetched(_) => "list-not-fetched",
            ListState::HeldBack(_) => "list-held-back",
            ListState::TooOld(_) => "list-too-old",
            ListState::Recovered => "list-recovered",
            ListState::NotNamed => "list-not-named",
        };
        put("status", Value::Word(status));
        put("list", Value::Quoted(&self.url));
        match &self.news {
            ListState::Fetched(entries) => put("entries", Value::Integer(*entries)),
            ListState::NotFetched(reason) | ListState::HeldBack(reason) | ListState::TooOld(reason) => {
                put("reason", Value::Quoted(reason));
            }
            ListState::Recovered | ListState::NotNamed => {}
        }
    }
}

/// A dated exception ends soon, or has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct ExceptionEnds {
    /// `domain` or `mx`.
    pub kind: &'static str,
    /// The names.
    pub names: String,
    /// The last day on which it applies.
    pub until: String,
    /// Whether that is past.
    pub is_over: bool,
    /// Where it is written.
    pub place: String,
    /// The administrator's reason.
    pub reason: String,
}

impl Record for ExceptionEnds {
    fn level(&self) -> Level {
        Level::Warning
    }

    fn name(&self) -> &'static str {
        "exception"
    }

    fn fields(&self, put: &mut Put<'_>) {
        put("status", Value::Word(if self.is_over { "ended" } else { "ends" }));
        put(self.kind, Value::Quoted(&self.names));
        put("until", Value::Word(&self.until));
        put("file", Value::Quoted(&self.place));
        put("reason", Value::Quoted(&self.reason));
    }
}

/// A destination for which there is an exception has been tested.
#[derive(Debug, Clone, PartialEq)]
pub struct Rechecked {
    /// `domain` or `mx`.
    pub kind: &'static str,
    /// The name.
    pub name: String,
    /// Where the exception or the list's entry is written.
    pub place: String,
    /// Whether the exception has been closed: one that a command added.
    pub is_closed: bool,
    /// What was found.
    pub reason: String,
}

impl Record for Rechecked {
    fn level(&self) -> Level {
        Level::Warning
    }

    fn name(&self) -> &'static str {
        "danefail"
    }

    fn fields(&self, put: &mut Put<'_>) {
        let status = if self.is_closed { "closed" } else { "healed" };
        put("status", Value::Word(status));
        put(self.kind, Value::Quoted(&self.name));
        put("file", Value::Quoted(&self.place));
        put("reason", Value::Quoted(&self.reason));
    }
}

/// The current certificate, key and users have taken effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientsLoaded;

impl Record for ClientsLoaded {
    fn level(&self) -> Level {
        Level::Info
    }

    fn name(&self) -> &'static str {
        Subject::Clients.as_str()
    }

    fn fields(&self, put: &mut Put<'_>) {
        put("status", Value::Word("loaded"));
    }
}
