//! Start, recovery and end of the daemon.

use std::net::SocketAddr;

use crate::QueueId;
use crate::record::{Level, Put, Record, Value};

/// The daemon is serving, and with what settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Started {
    /// The version of the program.
    pub version: &'static str,
    /// Where clients connect.
    pub listen: String,
    /// Who validates, as the configuration writes it.
    pub dns: &'static str,
    /// Why it was chosen.
    pub reason: String,
    /// The DNS servers that are asked.
    pub servers: String,
    /// Where the queue is.
    pub spool: String,
    /// The configuration file, or `built-in`.
    pub config: String,
    /// The policy file, or `built-in`.
    pub policy: String,
}

impl Record for Started {
    fn level(&self) -> Level {
        Level::Info
    }

    fn name(&self) -> &'static str {
        "started"
    }

    fn fields(&self, put: &mut Put<'_>) {
        put("version", Value::Word(self.version));
        put("listen", Value::Quoted(&self.listen));
        put("dns", Value::Word(self.dns));
        put("reason", Value::Quoted(&self.reason));
        put("servers", Value::Quoted(&self.servers));
        put("spool", Value::Quoted(&self.spool));
        put("config", Value::Quoted(&self.config));
        put("policy", Value::Quoted(&self.policy));
    }
}

/// What the previous process left.
#[derive(Debug, Clone, PartialEq)]
pub enum Recovery {
    /// What is in the queue, and which deliveries are in doubt.
    Found {
        /// Messages in the queue.
        messages: u64,
        /// Transactions that were under way.
        deliveries: u64,
        /// Recipients that may be sent the message twice.
        possible_duplicates: u64,
    },
    /// A message whose delivery was under way.
    InDoubt(QueueId),
    /// Durable transactions that are missing now.
    Vanished(u64),
}

impl Record for Recovery {
    fn level(&self) -> Level {
        match self {
            Self::Found { deliveries: 0, .. } => Level::Info,
            Self::Found { .. } | Self::InDoubt(_) => Level::Warning,
            Self::Vanished(_) => Level::Error,
        }
    }

    fn name(&self) -> &'static str {
        "recovery"
    }

    fn fields(&self, put: &mut Put<'_>) {
        match self {
            Self::Found {
                messages,
                deliveries,
                possible_duplicates,
            } => {
                put("messages", Value::Integer(*messages));
                put("deliveries", Value::Integer(*deliveries));
                put("possible_duplicates", Value::Integer(*possible_duplicates));
            }
            Self::InDoubt(id) => {
                put("id", Value::Word(&id.to_string()));
                let reason = "its delivery was in progress when the previous process ended";
                put("reason", Value::Quoted(reason));
            }
            Self::Vanished(vanished) => {
                put("vanished", Value::Integer(*vanished));
                let reason = "committed transactions are missing from the spool: the disk or another program damaged it";
                put("reason", Value::Quoted(reason));
            }
        }
    }
}

/// Clients cannot connect where they might be expected to.
#[derive(Debug, Clone, PartialEq)]
pub enum Listen {
    /// systemd passes sockets to another process (`LISTEN_PID`).
    PassedToAnother(String),
    /// An address that this machine does not have.
    NoAddress {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        reason: String,
    },
}

impl Record for Listen {
    fn level(&self) -> Level {
        Level::Warning
    }

    fn name(&self) -> &'static str {
        "listen"
    }

    fn fields(&self, put: &mut Put<'_>) {
        match self {
            Self::PassedToAnother(process) => {
                let reason = format!(
                    "LISTEN_PID names process {process}, not this one: the sockets that are passed are not used"
                );
                put("reason", Value::Quoted(&reason));
            }
            Self::NoAddress { address, reason } => {
                put("address", Value::Word(&address.to_string()));
                put("reason", Value::Quoted(reason));
            }
        }
    }
}

/// The daemon ends before serving.
#[derive(Debug, Clone, PartialEq)]
pub struct NotStarted {
    /// Why.
    pub reason: String,
}

impl Record for NotStarted {
    fn level(&self) -> Level {
        Level::Error
    }

    fn name(&self) -> &'static str {
        "not-started"
    }

    fn fields(&self, put: &mut Put<'_>) {
        put("reason", Value::Quoted(&self.reason));
    }
}

/// The daemon is shutting down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopping {
    /// No new work is started.
    Begun,
    /// Transactions took too long and were aborted.
    BrokenOff,
}

impl Record for Stopping {
    fn level(&self) -> Level {
        match self {
            Self::Begun => Level::Info,
            Self::BrokenOff => Level::Warning,
        }
    }

    fn name(&self) -> &'static str {
        "stopping"
    }

    fn fields(&self, put: &mut Put<'_>) {
        match self {
            Self::Begun => {}
            Self::BrokenOff => {
                put(
                    "reason",
                    Value::Quoted("transactions took too long and were aborted"),
                );
            }
        }
    }
}

/// The daemon ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Stopped {
    /// In order.
    InOrder,
    /// The spool was not closed.
    SpoolOpen(SpoolTrouble),
    /// It was told to stop twice, and does not wait for anything.
    AtOnce,
}

/// Why the spool was not closed.
#[derive(Debug, Clone, PartialEq)]
pub enum SpoolTrouble {
    /// What the error says.
    Failed(String),
    /// Its disk did not answer in time.
    Late,
}

impl Record for Stopped {
    fn level(&self) -> Level {
        match self {
            Self::InOrder => Level::Info,
            Self::SpoolOpen(_) => Level::Error,
            Self::AtOnce => Level::Warning,
        }
    }

    fn name(&self) -> &'static str {
        "stopped"
    }

    fn fields(&self, put: &mut Put<'_>) {
        match self {
            Self::InOrder => {}
            Self::SpoolOpen(SpoolTrouble::Failed(error)) => put("reason", Value::Quoted(error)),
            Self::SpoolOpen(SpoolTrouble::Late) => {
                put("reason", Value::Quoted("the disk did not answer in time"));
            }
            Self::AtOnce => put("reason", Value::Quoted("second signal to stop: exiting at once")),
        }
    }
}
