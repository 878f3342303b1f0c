//! What a session wants done next.

use std::time::Duration;

use smtp::{Credentials, MailFrom, Transaction};
use spool::NewMessage;

/// What is due, in the order in which it is told.
#[derive(Debug)]
pub(crate) enum Step<P> {
    /// A command was answered; replies may wait for those of the next commands (RFC 2920 §3.2).
    Go,
    /// The client waits for the replies so far.
    Flush,
    /// The same, but the replies are kept back for a while.
    Pause(Duration),
    /// All that came is used: the replies leave, and more is read.
    Read,
    /// The same within content.
    ReadContent,
    /// Is there room in the spool for this message? [`super::Session::begin`] takes the answer.
    Begin(MailFrom),
    /// A place in the spool is needed for this message; [`super::Session::open`] takes it.
    Open(Transaction),
    /// Content is to be stored; [`super::Session::unstored`] has it.
    Store,
    /// A message is complete: it is to be made durable. [`super::Session::accepted`] or
    /// [`super::Session::refuse_for_spool`] takes the answer.
    Commit(Box<Finished<P>>),
    /// The replies leave, and TLS begins; what else has come in clear is to be forgotten. [`super::Session::secured`]
    /// takes what comes of it.
    StartTls,
    /// Is the client who it says it is? [`super::Session::checked`] takes the answer.
    Check(Credentials),
    /// The session is over.
    Close(End),
}

/// A message whose content has come whole and without fault.
#[derive(Debug)]
pub(crate) struct Finished<P> {
    /// Where its content is.
    pub(crate) place: P,
    /// What the spool is to know of it.
    pub(crate) message: NewMessage,
    /// Its message-id without brackets, if it has one.
    pub(crate) message_id: Option<String>,
}

/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Its last reply says it all.
    Said,
    /// The client is gone, or does not take our replies.
    Lost,
    /// The client took too long.
    TimedOut,
    /// Too many refused commands.
    TooManyErrors,
    /// We are stopping.
    Shutdown,
}
