//! What a store reports about its own work.

use std::path::PathBuf;

use crate::record::{Level, Put, Record, Value};
use crate::source::Source;

/// What a store reports.
#[derive(Debug, Clone, PartialEq)]
pub enum Store {
    /// Something failed that will be retried or is not essential.
    Failed(Failed, String),
    /// The content of a message that has left the spool cannot be removed.
    NotRemoved {
        /// The file.
        path: PathBuf,
        /// Why.
        error: String,
    },
    /// The disk has failed, and the write-ahead log is not checkpointed until it works again.
    LogKept,
    /// The disk works, and the write-ahead log has been checkpointed.
    LogCarriedOver,
    /// The record of how many transactions were durable is unreadable.
    DurableUnclear,
    /// Committed transactions are missing.
    Vanished {
        /// Transactions that were known to be durable.
        durable: u64,
        /// Transactions that were found.
        found: u64,
    },
    /// The thread for chores has ended, or panicked.
    CaretakerGone(Gone),
    /// Contents that belong to no message were removed.
    Swept(u64),
    /// It can be written to again.
    Writable,
    /// The ledger has no room for further domains.
    LedgerFull(LedgerBound),
    /// It has room again.
    LedgerHasRoom,
}

/// Which bound of the ledger is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerBound {
    /// The most outcomes that it keeps.
    Whole,
    /// The most that may be new on one day.
    Day,
}

/// How a thread ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// It has ended.
    Ended,
    /// It has panicked.
    Panicked,
}

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// Any write.
    Write,
    /// Recording what became of one message.
    SetAside,
    /// Reading one message while looking for senders who must be told.
    ReportOfOne,
    /// Reading the rest of those.
    Reports,
    /// Reading one message while building the schedule.
    ScheduleOfMessage,
    /// Reading one recipient while building it.
    ScheduleOfRecipient,
    /// The disk space kept in reserve.
    Reserve,
    /// Recording that a delivery is under way.
    NoteOfDoubt,
    /// Recording its end.
    EndOfDoubt,
    /// Reading how many transactions were durable.
    ReadDurable,
    /// Writing that number.
    NoteDurable,
    /// A checkpoint.
    Checkpoint,
    /// Restarting the log.
    NewLog,
    /// Removing contents that belong to no message.
    Sweep,
    /// Removing old figures.
    Prune,
    /// Cleaning up before the end.
    Tidy,
}

impl Failed {
    fn level(self) -> Level {
        match self {
            Self::Write
            | Self::SetAside
            | Self::ReportOfOne
            | Self::Reports
            | Self::ScheduleOfMessage
            | Self::ScheduleOfRecipient => Level::Error,
            Self::Reserve
            | Self::ReadDurable
            | Self::NoteDurable
            | Self::Checkpoint
            | Self::NewLog
            | Self::Sweep
            | Self::Prune
            | Self::Tidy => Level::Warning,
            Self::NoteOfDoubt | Self::EndOfDoubt => Level::Debug,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Write => "cannot write to the spool",
            Self::SetAside => {
                "what became of one message cannot be recorded: it is left alone until the next start, which may deliver it again"
            }
            Self::ReportOfOne => "a message is left out of the reports",
            Self::Reports => "messages are left out of the reports",
            Self::ScheduleOfMessage => "a message is left out of the schedule",
            Self::ScheduleOfRecipient => "a recipient is left out of the schedule",
            Self::Reserve => "cannot reserve space in the spool",
            Self::NoteOfDoubt => "cannot note a delivery in doubt",
            Self::EndOfDoubt => "cannot clear a delivery that was in doubt",
            Self::ReadDurable => "cannot read how many transactions were durable",
            Self::NoteDurable => "cannot note how many transactions are durable",
            Self::Checkpoint => "a checkpoint of the spool failed",
            Self::NewLog => "the spool's log could not be carried over, and is still kept",
            Self::Sweep => "cannot sweep the spool",
            Self::Prune => "old figures could not be removed from the ledger; it is tried again",
            Self::Tidy => "the spool was not tidied up before its end",
        }
    }
}

impl Store {
    const fn words(&self) -> &'static str {
        match self {
            Self::Failed(what, _) => what.words(),
            Self::NotRemoved { .. } => "cannot remove the content of a delivered message",
            Self::LogKept => {
                "the disk has failed: the spool's log is kept, and grows, until the disk works again"
            }
            Self::LogCarriedOver => "the disk works again: the spool's log is carried over",
            Self::DurableUnclear => "the number of durable transactions beside the database cannot be read",
            Self::Vanished { .. } => {
                "committed transactions are missing from the spool: the disk or another program damaged it, and mail that \
                 was accepted may be lost, or may be sent again"
            }
            Self::CaretakerGone(Gone::Ended) => "the spool's caretaker has ended",
            Self::CaretakerGone(Gone::Panicked) => "the spool's caretaker has panicked",
            Self::Swept(_) => "removed contents that belong to no message",
            Self::Writable => "the spool can be written to again",
            Self::LedgerFull(LedgerBound::Whole) => {
                "the ledger is full: deliveries to domains that are new to it are counted without domain and host, and \
                 reports do not name them; a shorter report.keep makes room"
            }
            Self::LedgerFull(LedgerBound::Day) => {
                "as many domains are new today as the ledger takes on one day: deliveries to others are counted without \
                 domain and host, and reports do not name them"
            }
            Self::LedgerHasRoom => "the ledger has room for new domains again",
        }
    }
}

impl Record for Store {
    fn level(&self) -> Level {
        match self {
            Self::Failed(what, _) => what.level(),
            Self::Vanished { .. } => Level::Error,
            Self::NotRemoved { .. }
            | Self::LogKept
            | Self::LogCarriedOver
            | Self::DurableUnclear
            | Self::CaretakerGone(_)
            | Self::Writable
            | Self::LedgerFull(_) => Level::Warning,
            Self::Swept(_) | Self::LedgerHasRoom => Level::Info,
        }
    }

    fn name(&self) -> &'static str {
        "spool"
    }

    /// Each of these is met again with every message while its cause lasts.
    fn source(&self) -> Option<Source> {
        Some(Source::Trouble(self.words()))
    }

    fn fields(&self, put: &mut Put<'_>) {
        put("reason", Value::Quoted(self.words()));
        match self {
            Self::Failed(_, error) => put("error", Value::Quoted(error)),
            Self::NotRemoved { path, error } => {
                put("path", Value::Quoted(&path.to_string_lossy()));
                put("error", Value::Quoted(error));
            }
            Self::Vanished { durable, found } => {
                put("durable", Value::Integer(*durable));
                put("found", Value::Integer(*found));
            }
            Self::Swept(swept) => put("swept", Value::Integer(*swept)),
            Self::LogKept
            | Self::LogCarriedOver
            | Self::DurableUnclear
            | Self::CaretakerGone(_)
            | Self::Writable
            | Self::LedgerFull(_)
            | Self::LedgerHasRoom => {}
        }
    }
}
