//! What administrators did, and the socket that they use for it.

use crate::QueueId;
use crate::record::{Level, Put, Record, Value};

/// What administrators did. The administrator is named as the system knows them.
#[derive(Debug, Clone, PartialEq)]
pub enum Admin {
    /// A message was deleted.
    Deleted {
        /// The message.
        id: QueueId,
        /// Who deleted it.
        by: String,
    },
    /// A command has been applied to the queue.
    Acted {
        /// The command.
        action: &'static str,
        /// Who gave it.
        by: String,
        /// Which messages it was for.
        selector: String,
        /// What was done.
        done: Done,
        /// Why it was not completed.
        trouble: Option<String>,
    },
    /// Everything was reloaded.
    Reload {
        /// Who ordered it.
        by: String,
        /// Whether it took effect.
        is_loaded: bool,
    },
    /// What was cached about a name was flushed.
    Flush {
        /// Who ordered it.
        by: String,
        /// The name, or `--all`.
        selector: String,
    },
    /// Somebody reads a message.
    Export {
        /// The message.
        id: QueueId,
        /// Who reads it.
        by: String,
        /// Why it cannot be read.
        trouble: Option<String>,
    },
    /// Servers are contacted for an explanation.
    Explain {
        /// The destination.
        selector: String,
        /// Who asked.
        by: String,
    },
    /// A TLS report is sent before its time.
    SendReport {
        /// For which domain.
        selector: String,
        /// Who ordered it.
        by: String,
    },
    /// A summary of the day before is mailed.
    MailReport {
        /// To whom.
        selector: String,
        /// Who ordered it.
        by: String,
    },
    /// The socket was left over from a daemon that did not end in order.
    SocketReplaced(String),
    /// The socket cannot be made.
    NoSocket(String),
    /// Metrics and status page are at this address.
    StatusPage(String),
    /// They cannot be had.
    NoStatusPage(String),
    /// No connection can be accepted at the moment.
    NotAccepting(String),
}

/// What a command has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// The messages that it was for.
    pub messages: u64,
    /// Recipients for which it was done.
    pub done: u64,
    /// Recipients that are being delivered to.
    pub leased: u64,
    /// Recipients to which it does not apply.
    pub unsuitable: u64,
}

impl Record for Admin {
    fn level(&self) -> Level {
        match self {
            Self::Acted { trouble: Some(_), .. }
            | Self::Export { trouble: Some(_), .. }
            | Self::NoSocket(_)
            | Self::NoStatusPage(_)
            | Self::NotAccepting(_) => Level::Warning,
            Self::Deleted { .. }
            | Self::Acted { trouble: None, .. }
            | Self::Reload { .. }
            | Self::Flush { .. }
            | Self::Export { trouble: None, .. }
            | Self::Explain { .. }
            | Self::StatusPage(_)
            | Self::SendReport { .. }
            | Self::MailReport { .. }
            | Self::SocketReplaced(_) => Level::Info,
        }
    }

    fn name(&self) -> &'static str {
        "admin"
    }

    fn fields(&self, put: &mut Put<'_>) {
        match self {
            Self::Deleted { id, by } => about_message("delete", (*id, by), put),
            Self::Acted {
                action,
                by,
                selector,
                done,
                trouble,
            } => {
                put("action", Value::Word(action));
                put("by", Value::Quoted(by));
                put("selector", Value::Quoted(selector));
                put("messages", Value::Integer(done.messages));
                put("done", Value::Integer(done.done));
                put("leased", Value::Integer(done.leased));
                put("unsuitable", Value::Integer(done.unsuitable));
                because(trouble.as_deref(), put);
            }
            Self::Reload { by, is_loaded } => {
                put("action", Value::Word("reload"));
                put("by", Value::Quoted(by));
                put(
                    "status",
                    Value::Word(if *is_loaded { "loaded" } else { "refused" }),
                );
            }
            Self::Flush { by, selector } => {
                put("action", Value::Word("flush"));
                put("by", Value::Quoted(by));
                put("selector", Value::Quoted(selector));
            }
            Self::Export { id, by, trouble } => {
                about_message("export", (*id, by), put);
                because(trouble.as_deref(), put);
            }
            Self::Explain { selector, by } => {
                put("action", Value::Word("explain"));
                put("selector", Value::Quoted(selector));
                put("by", Value::Quoted(by));
            }
            Self::SendReport { selector, by } => {
                put("action", Value::Word("tlsrpt-send"));
                put("selector", Value::Quoted(selector));
                put("by", Value::Quoted(by));
            }
            Self::MailReport { selector, by } => {
                put("action", Value::Word("report-mail"));
                put("selector", Value::Quoted(selector));
                put("by", Value::Quoted(by));
            }
            Self::SocketReplaced(socket) => {
                let reason =
                    format!("{socket} was left behind by a daemon that did not shut down, and is replaced");
                put("reason", Value::Quoted(&reason));
            }
            Self::NoSocket(error) => {
                put(
                    "reason",
                    Value::Quoted(&format!("there is no admin socket: {error}")),
                );
            }
            Self::StatusPage(address) => {
                let reason = format!("metrics and status page: http://{address}/");
                put("reason", Value::Quoted(&reason));
            }
            Self::NoStatusPage(error) => {
                let reason = format!("there are no metrics and no status page: admin.http: {error}");
                put("reason", Value::Quoted(&reason));
            }
            Self::NotAccepting(error) => {
                put(
                    "reason",
                    Value::Quoted(&format!("no connection can be accepted: {error}")),
                );
            }
        }
    }
}

fn about_message(action: &str, (id, by): (QueueId, &str), put: &mut Put<'_>) {
    put("action", Value::Word(action));
    put("id", Value::Word(&id.to_string()));
    put("by", Value::Quoted(by));
}

fn because(trouble: Option<&str>, put: &mut Put<'_>) {
    if let Some(trouble) = trouble {
        put("reason", Value::Quoted(trouble));
    }
}
