//! Trouble with the queue, as its users see it. What a store itself reports is in [`store`](super::store).

use std::net::IpAddr;
use std::time::Duration;

use super::client::client;
use crate::QueueId;
use crate::record::{Level, Put, Record, Value};
use crate::source::Source;

/// Trouble with the queue.
#[derive(Debug, Clone, PartialEq)]
pub enum Spool {
    /// It failed to take a message.
    Failed {
        /// The client that sent it.
        client: IpAddr,
        /// What went wrong.
        error: String,
    },
    /// It has no room: from now on clients are told to try again later.
    Full {
        /// The client that sent the message.
        client: IpAddr,
        /// What there is no room for.
        error: String,
    },
    /// It takes messages again.
    Accepting {
        /// Messages refused since that was last logged.
        refused: u64,
        /// From the first refusal to the first message taken again.
        lasted: Duration,
    },
    /// It cannot give out a message, or record its outcome.
    Message {
        /// The message.
        id: QueueId,
        /// What went wrong.
        error: String,
        /// Whether what is stored of it is damaged, so that it can only be deleted.
        is_damaged: bool,
    },
    /// The waiting messages cannot be read.
    Unread(String),
    /// What is recorded of incidents cannot be read, or not be written.
    Incidents(String),
    /// What is counted for TLS reports cannot be read, or not be written.
    TlsReports(String),
    /// A command could not read some messages.
    Unreadable {
        /// The command.
        action: &'static str,
        /// How many they are.
        messages: u64,
        /// The first of them, if it is known.
        id: Option<QueueId>,
        /// What is wrong with it.
        error: String,
    },
}

impl Record for Spool {
    fn level(&self) -> Level {
        match self {
            Self::Failed { .. } | Self::Message { .. } | Self::Unread(_) | Self::Unreadable { .. } => {
                Level::Error
            }
            Self::Full { .. } | Self::Incidents(_) | Self::TlsReports(_) => Level::Warning,
            Self::Accepting { .. } => Level::Info,
        }
    }

    fn name(&self) -> &'static str {
        "spool"
    }

    fn source(&self) -> Option<Source> {
        match self {
            Self::Failed { .. } => Some(Source::Trouble("spool")),
            Self::Incidents(_) => Some(Source::Trouble("incidents in the spool")),
            Self::TlsReports(_) => Some(Source::Trouble("TLS reports in the spool")),
            // As long as it lasts, everything that is due runs into it.
            Self::Message {
                is_damaged: false, ..
            } => Some(Source::Trouble("delivery from the spool")),
            Self::Message { is_damaged: true, .. }
            | Self::Full { .. }
            | Self::Accepting { .. }
            | Self::Unread(_)
            | Self::Unreadable { .. } => None,
        }
    }

    fn fields(&self, put: &mut Put<'_>) {
        match self {
            Self::Failed { client, error } => refusal("failed", *client, error, put),
            Self::Full { client, error } => refusal("full", *client, error, put),
            Self::Accepting { refused, lasted } => {
                put("status", Value::Word("accepting"));
                put("refused", Value::Integer(*refused));
                put("lasted", Value::Seconds(*lasted));
            }
            Self::Message {
                id,
                error,
                is_damaged,
            } => {
                put("id", Value::Word(&id.to_string()));
                put("error", Value::Quoted(error));
                if *is_damaged {
                    put("remedy", Value::Quoted(&remedy(*id)));
                }
            }
            Self::Unread(error) => put("error", Value::Quoted(error)),
            Self::Incidents(error) => {
                put("reason", Value::Quoted("incidents cannot be read or written"));
                put("error", Value::Quoted(error));
            }
            Self::TlsReports(error) => {
                put("reason", Value::Quoted("TLS results cannot be read or written"));
                put("error", Value::Quoted(error));
            }
            Self::Unreadable {
                action,
                messages,
                id,
                error,
            } => {
                put("action", Value::Word(action));
                put("messages", Value::Integer(*messages));
                if let Some(id) = id {
                    put("id", Value::Word(&id.to_string()));
                }
                put("error", Value::Quoted(error));
                if let Some(id) = id {
                    put("remedy", Value::Quoted(&remedy(*id)));
                }
            }
        }
    }
}

fn refusal(status: &str, address: IpAddr, error: &str, put: &mut Put<'_>) {
    put("status", Value::Word(status));
    put("client", Value::Word(&client(address)));
    put("reason", Value::Quoted(error));
}

/// What the administrator can do about a damaged message.
fn remedy(id: QueueId) -> String {
    format!("danerelay queue delete --id {id}")
}
