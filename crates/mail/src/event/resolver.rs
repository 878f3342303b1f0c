//! Whether DNS can be trusted.

use crate::record::{Level, Put, Record, Value};
use crate::{Domain, words};

/// The state of the resolver, and what has changed about it.
#[derive(Debug, Clone, PartialEq)]
pub enum Resolver {
    /// The self-test passed, or found a fault.
    Tested {
        /// Who validates, as the configuration writes it.
        dns: &'static str,
        /// Why this one, or what is wrong.
        finding: Finding,
        /// The servers that are asked.
        servers: String,
    },
    /// The system names other servers, which are used from now on.
    Servers {
        /// Who validates, as the configuration writes it.
        dns: &'static str,
        /// The file that names them.
        file: String,
        /// The servers.
        servers: String,
    },
    /// The system names other servers, but they cannot be used.
    ServersRefused {
        /// The file that names them.
        file: String,
        /// What is wrong with them.
        error: String,
    },
    /// Servers that the system names but that are not used.
    PassedOver {
        /// The file that names them.
        file: String,
        /// Which, and why.
        reason: String,
    },
    /// Names below which signatures are not demanded.
    Unvalidated {
        /// The names at present.
        names: Vec<Domain>,
        /// Whether that has an effect, that is, whether we validate.
        has_effect: bool,
    },
    /// The trust anchors in force.
    TrustAnchors {
        /// Where they come from.
        file: String,
        /// How many there are.
        anchors: usize,
    },
}

/// What a self-test found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The resolver validates; why it was chosen.
    Fine(String),
    /// What is wrong with it.
    Failing(String),
}

impl Record for Resolver {
    fn level(&self) -> Level {
        match self {
            Self::Tested {
                finding: Finding::Failing(_),
                ..
            }
            | Self::ServersRefused { .. } => Level::Error,
            Self::PassedOver { .. } => Level::Warning,
            Self::Unvalidated { names, has_effect } if !has_effect && !names.is_empty() => Level::Warning,
            Self::Tested {
                finding: Finding::Fine(_),
                ..
            }
            | Self::Servers { .. }
            | Self::Unvalidated { .. }
            | Self::TrustAnchors { .. } => Level::Info,
        }
    }

    fn name(&self) -> &'static str {
        "resolver"
    }

    fn fields(&self, put: &mut Put<'_>) {
        match self {
            Self::Tested {
                dns,
                finding,
                servers,
            } => {
                let (status, reason) = match finding {
                    Finding::Fine(reason) => ("fine", reason),
                    Finding::Failing(fault) => ("failing", fault),
                };
                put("status", Value::Word(status));
                put("dns", Value::Word(dns));
                put("reason", Value::Quoted(reason));
                put("servers", Value::Quoted(servers));
            }
            Self::Servers { dns, file, servers } => {
                put("status", Value::Word("servers"));
                put("dns", Value::Word(dns));
                put("reason", Value::Quoted(&format!("{file} has changed")));
                put("servers", Value::Quoted(servers));
            }
            Self::ServersRefused { file, error } => {
                put("status", Value::Word("servers"));
                let reason = format!("{file} has changed: {error}; the previous servers stay in use");
                put("reason", Value::Quoted(&reason));
            }
            Self::PassedOver { file, reason } => {
                put("status", Value::Word("passed-over"));
                put("reason", Value::Quoted(&format!("{file}: {reason}")));
            }
            Self::Unvalidated { names, .. } => unvalidated(names, self.level(), put),
            Self::TrustAnchors { file, anchors } => {
                put("status", Value::Word("trust-anchors"));
                put("file", Value::Quoted(file));
                put("anchors", Value::Word(&anchors.to_string()));
            }
        }
    }
}

fn unvalidated(names: &[Domain], level: Level, put: &mut Put<'_>) {
    let reason = if level == Level::Warning {
        "no effect in trust-ad mode: configure them in the resolver that validates"
    } else {
        "dns.domain_insecure and exceptions of today"
    };
    put("status", Value::Word("unvalidated"));
    put("names", Value::Quoted(&words::list(names)));
    put("reason", Value::Quoted(reason));
}
