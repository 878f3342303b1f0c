//! What a session wants the driver to do next.

use std::time::Duration;

use smtp::{Credentials, MailFrom, Transaction};
use spool::NewMessage;

use crate::client::Client;

/// The next action.
#[derive(Debug)]
pub(crate) enum Step<P> {
    /// A command was answered; replies may wait for those of the next commands (RFC 2920 §3.2).
    Go,
    /// The client is waiting for the replies so far.
    Flush,
    /// The same, but the replies are delayed for a while.
    Pause(Duration),
    /// All input is used up: send the replies, and read more.
    Read,
    /// The same during content.
    ReadContent,
    /// Is there room in the spool for this message? Pass the answer to [`super::Session::begin`].
    Begin(MailFrom),
    /// Get a place in the spool for this message and pass it to [`super::Session::open`].
    Open(Transaction),
    /// Store the content given by [`super::Session::unstored`].
    Store,
    /// A message is complete: make it durable, then call [`super::Session::accepted`] or
    /// [`super::Session::refuse_for_spool`] with the result.
    Commit(Box<Finished<P>>),
    /// Send the replies and start TLS; discard all other input received in plain text. Then call
    /// [`super::Session::secured`].
    StartTls,
    /// Is the password right? Pass the answer to [`super::Session::checked`].
    Check(Credentials),
    /// A proxy says who the client is. Count the connection as that client's, and call [`super::Session::renamed`].
    Rename(Box<Renamed>),
    /// The session is over.
    Close(End),
}

/// The client that a proxy names (XCLIENT).
#[derive(Debug)]
pub(crate) struct Renamed {
    /// Who it is.
    pub(crate) client: Client,
    /// How it introduced itself to the proxy.
    pub(crate) helo: Option<String>,
}

/// A message whose content has been received completely and without fault.
#[derive(Debug)]
pub(crate) struct Finished<P> {
    /// Where its content is.
    pub(crate) place: P,
    /// What the spool must know about it.
    pub(crate) message: NewMessage,
    /// Its message-id without brackets, if it has one.
    pub(crate) message_id: Option<String>,
}

/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Its last reply has already been written.
    Said,
    /// The client is gone, or does not take our replies.
    Lost,
    /// The client took too long.
    TimedOut,
    /// Too many refused commands.
    TooManyErrors,
    /// The client that a proxy named has too many connections.
    TooManyConnections,
    /// We are shutting down.
    Shutdown,
}
