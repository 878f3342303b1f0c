//! What can go wrong, by culprit.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use mail::QueueId;
use thiserror::Error;

use crate::damage::Damage;

/// Why the spool could not do what was asked. Cheap to clone: one failed commit is reported to many callers.
#[derive(Debug, Clone, Error)]
pub enum SpoolError {
    /// The disk: less space or fewer inodes are left than the administrator wants kept free. Nothing was stored; the client
    /// should try again later (452 4.3.1).
    #[error("the spool has too little space or too few inodes left")]
    Full,
    /// The administrator: the queue holds as many messages as `limits.queue_messages` allows. Nothing was stored; the client
    /// should try again later (452 4.3.1).
    #[error("the queue has reached its limit of messages")]
    TooManyMessages,
    /// The disk or the system: reading, writing or syncing failed. There is no guarantee that anything was stored.
    #[error("spool input or output failed: {0}")]
    Io(#[from] Arc<io::Error>),
    /// The stored data is not what was written.
    #[error("the spool is damaged{}: {what}", .id.map(|id| format!(" at message {id}")).unwrap_or_default())]
    Corrupt {
        /// The message concerned, if it is a single one.
        id: Option<QueueId>,
        /// What does not fit.
        what: &'static str,
    },
    /// The stored content of one message is not what was written.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The administrator: this directory was written by a newer version of this program.
    #[error("the spool has schema version {found}, this program knows up to {known}: use the newer program")]
    NewerVersion {
        /// The version found.
        found: i32,
        /// The newest version known here.
        known: i32,
    },
    /// The administrator: this directory was last written by an older version of this program, which kept no such figures, or
    /// in another form. The next start of the daemon brings them up to date.
    #[error(
        "the spool has schema version {found}, and what is asked for is there from version {needed} on: start the relay of this \
         version once, which migrates it"
    )]
    OlderVersion {
        /// The version found.
        found: i32,
        /// The first one that has it.
        needed: i32,
    },
    /// The administrator: the database file belongs to another program.
    #[error("{0} is no spool of this program")]
    Foreign(PathBuf),
    /// The administrator: another daemon uses this spool.
    #[error("in use by another daemon{}", .pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Locked {
        /// The spool's directory.
        path: PathBuf,
        /// The holder, if it said who it is.
        pid: Option<u32>,
    },
    /// The administrator: there is no spool in this directory.
    #[error("there is no spool in {0}")]
    Missing(PathBuf),
    /// Ours: a message with this id already exists.
    #[error("a message {0} is already in the spool")]
    Duplicate(QueueId),
    /// Ours: a message without recipients cannot be queued.
    #[error("a message without recipients cannot be queued")]
    NoRecipients,
    /// Ours: the last `append` to this content failed or was abandoned half-way, so that it cannot be used any more.
    #[error("the content was not written whole")]
    Incomplete,
    /// Ours: a settlement names a recipient twice, or one that the lease does not hold.
    #[error("recipient {0} cannot be settled under this lease, or not twice")]
    WrongSettlement(u32),
    /// Ours: the store rejects the request as invalid; the text is the store's, for the log.
    #[error("internal error: the spool's store refuses a request: {0}")]
    Defect(Arc<str>),
    /// Ours: the spool has been closed.
    #[error("the spool is closed")]
    Closed,
}

impl From<io::Error> for SpoolError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io(Arc::new(error)),
        }
    }
}
