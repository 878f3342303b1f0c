//! The events that the listener writes, but those of what sessions are refused.

use std::io;
use std::net::IpAddr;

use mail::event::Event;
use mail::event::client::{Accepted, ConnectionRefused, ListenerTrouble};
use mail::event::spool::Spool;
use mail::{Over, ReversePath};
use spool::SpoolError;
use tokio::task::JoinError;

/// A message is in the spool.
pub(crate) fn accepted(
    message: &spool::Accepted,
    client: IpAddr,
    from: &ReversePath,
    recipients: usize,
    message_id: Option<String>,
) -> Event {
    Event::Accepted(Accepted {
        id: message.id,
        client,
        from: from.clone(),
        recipients: recipients as u64,
        size: message.size,
        message_id,
    })
}

/// The spool failed to take a message.
pub(crate) fn spool_failed(client: IpAddr, error: &SpoolError) -> Event {
    let error = error.to_string();
    Event::Spool(Spool::Failed { client, error })
}

/// The spool has no room: from now on clients are told to come again.
pub(crate) fn spool_full(client: IpAddr, error: &SpoolError) -> Event {
    let error = error.to_string();
    Event::Spool(Spool::Full { client, error })
}

/// The spool takes messages again.
pub(crate) fn spool_accepting(shortage: Over) -> Event {
    Event::Spool(Spool::Accepting {
        refused: shortage.raised,
        lasted: shortage.lasted,
    })
}

/// There are too many connections by this limit.
pub(crate) fn connection_refused(client: IpAddr, limit: &'static str) -> Event {
    Event::ConnectionRefused(ConnectionRefused { client, limit })
}

/// No connection can be accepted at present.
pub(crate) fn accept_failed(error: &io::Error) -> Event {
    Event::Listener(ListenerTrouble::Accept(error.to_string()))
}

/// Connections are accepted again.
pub(crate) fn accepting(over: Over) -> Event {
    Event::Listener(ListenerTrouble::AcceptOver(over.lasted))
}

/// A session ended by a fault of ours.
pub(crate) fn session_failed(error: &JoinError) -> Event {
    Event::Listener(ListenerTrouble::Session(error.to_string()))
}
