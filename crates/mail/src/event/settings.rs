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
