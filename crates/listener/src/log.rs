//! The events that the listener writes, but those of what sessions are refused.

use std::io;
use std::net::IpAddr;

use mail::event::{Event, Level, Value};
use mail::{ReversePath, Source};
use spool::{Accepted, SpoolError};
use tokio::task::JoinError;

use crate::shortage::Ended;

/// A client as Postfix writes it; the name would be that of a reverse look-up, which is not made.
pub(crate) fn client(address: IpAddr) -> Value {
    Value::Word(format!("unknown [{address}]"))
}

/// A message is in the spool.
pub(crate) fn accepted(
    message: &Accepted,
    client_address: IpAddr,
    from: &ReversePath,
    recipients: usize,
    message_id: Option<String>,
) -> Event {
    Event::new(Level::Info, "accepted")
        .with("id", Value::Word(message.id.to_string()))
        .with("client", client(client_address))
        .with("from", Value::Path(from.as_str().to_owned()))
        .with("nrcpt", Value::Integer(recipients as u64))
        .with("size", Value::Integer(message.size))
        .with("message-id", message_id.map_or(Value::Absent, Value::Path))
}

/// The spool failed to take a message.
pub(crate) fn spool_failed(client_address: IpAddr, error: &SpoolError) -> Event {
    Event::new(Level::Error, "spool")
        .with("status", Value::Word("failed".to_owned()))
        .with("client", client(client_address))
        .with("reason", Value::Quoted(error.to_string()))
        .caused_by(Source::Trouble("spool"))
}

/// The spool has no room: from now on clients are told to come again.
pub(crate) fn spool_full(client_address: IpAddr, error: &SpoolError) -> Event {
    Event::new(Level::Warning, "spool")
        .with("status", Value::Word("full".to_owned()))
        .with("client", client(client_address))
        .with("reason", Value::Quoted(error.to_string()))
}

/// The spool takes messages again.
pub(crate) fn spool_accepting(shortage: Ended) -> Event {
    Event::new(Level::Info, "spool")
        .with("status", Value::Word("accepting".to_owned()))
        .with("refused", Value::Integer(shortage.refused))
        .with("lasted", Value::Seconds(shortage.lasted))
}

/// There are too many connections by this limit.
pub(crate) fn connection_refused(client_address: IpAddr, limit: &str) -> Event {
    Event::new(Level::Warning, "connections")
        .with("client", client(client_address))
        .with("limit", Value::Word(limit.to_owned()))
        .caused_by(Source::client(client_address))
}

/// No connection can be accepted at present.
pub(crate) fn accept_failed(error: &io::Error) -> Event {
    Event::new(Level::Error, "accept")
        .with("reason", Value::Quoted(error.to_string()))
        .caused_by(Source::Trouble("accept"))
}

/// A session ended by a fault of ours.
pub(crate) fn session_failed(error: &JoinError) -> Event {
    Event::new(Level::Error, "session")
        .with("reason", Value::Quoted(error.to_string()))
        .caused_by(Source::Trouble("session"))
}
