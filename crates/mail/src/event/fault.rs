//! Faults of this program.

use crate::QueueId;
use crate::record::{Level, Put, Record, Value};
use crate::source::Source;

/// A fault of this program.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// The delivery of a message broke off: it stays in the spool and will be tried again.
    Delivery {
        /// The message.
        id: QueueId,
        /// What went wrong.
        error: String,
    },
    /// A panic, and where it happened.
    Panic(String),
    /// A part of the daemon that must run has ended.
    PartEnded(&'static str),
}

impl Record for Fault {
    fn level(&self) -> Level {
        Level::Error
    }

    fn name(&self) -> &'static str {
        "fault"
    }

    fn source(&self) -> Option<Source> {
        match self {
            Self::Delivery { .. } | Self::Panic(_) => Some(Source::Trouble("fault")),
            Self::PartEnded(_) => None,
        }
    }

    fn fields(&self, put: &mut Put<'_>) {
        match self {
            Self::Delivery { id, error } => {
                put("id", Value::Word(&id.to_string()));
                put("error", Value::Quoted(error));
            }
            Self::Panic(reason) => put("reason", Value::Quoted(reason)),
            Self::PartEnded(part) => {
                put(
                    "reason",
                    Value::Quoted(&format!("the {part} has ended unexpectedly")),
                );
            }
        }
    }
}
