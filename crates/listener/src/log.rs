//! The events that the listener logs, except refusals in sessions.

use std::io;
use std::net::IpAddr;

use mail::event::Event;
use mail::event::client::{Accepted, BeginFault, ConnectionRefused, ListenerTrouble, NotBegun};
use mail::event::spool::Spool;
use mail::{Over, ReversePath};
use spool::SpoolError;
use tokio::task::JoinError;

use crate::client::{Client, Identity};
use crate::session::Origin;

/// A message is in the spool.
pub(crate) fn accepted(message: &spool::Accepted, of: Arrived<'_>) -> Event {
    let tls = of.client.tls.as_ref();
    Event::Accepted(Box::new(Accepted {
        id: message.id,
        client: of.client.address,
        name: of.client.name.clone(),
        from: of.from,
        recipients: of.recipients as u64,
        size: message.size,
        message_id: of.message_id,
        tls: tls.map(|tls| format!("{}:{}", tls.version, tls.cipher)),
        auth: of.identity.map(|identity| identity.to_string()),
        orig_client: of.origin.map(Origin::to_string),
    }))
}

/// What is logged about a message besides what the spool reports.
#[derive(Debug)]
pub(crate) struct Arrived<'a> {
    pub(crate) client: &'a Client,
    pub(crate) identity: Option<Identity>,
    pub(crate) origin: Option<&'a Origin>,
    pub(crate) from: ReversePath,
    pub(crate) recipients: usize,
    pub(crate) message_id: Option<String>,
}

/// A handshake failed, or a proxy did not say whose connection it forwards.
pub(crate) fn not_begun(client: IpAddr, fault: BeginFault) -> Event {
    Event::NotBegun(NotBegun { client, fault })
}

/// The spool failed to store a message.
pub(crate) fn spool_failed(client: IpAddr, error: &SpoolError) -> Event {
    let error = error.to_string();
    Event::Spool(Spool::Failed { client, error })
}

/// The spool has no room: from now on clients are told to try again later.
pub(crate) fn spool_full(client: IpAddr, error: &SpoolError) -> Event {
    let error = error.to_string();
    Event::Spool(Spool::Full { client, error })
}

/// The spool accepts messages again.
pub(crate) fn spool_accepting(shortage: Over) -> Event {
    Event::Spool(Spool::Accepting {
        refused: shortage.raised,
        lasted: shortage.lasted,
    })
}

/// This connection limit has been exceeded.
pub(crate) fn connection_refused(client: IpAddr, limit: &'static str) -> Event {
    Event::ConnectionRefused(ConnectionRefused { client, limit })
}

/// Connections cannot be accepted at present.
pub(crate) fn accept_failed(error: &io::Error) -> Event {
    Event::Listener(ListenerTrouble::Accept(error.to_string()))
}

/// Connections are being accepted again.
pub(crate) fn accepting(over: Over) -> Event {
    Event::Listener(ListenerTrouble::AcceptOver(over.lasted))
}

/// A session ended because of a bug of ours.
pub(crate) fn session_failed(error: &JoinError) -> Event {
    Event::Listener(ListenerTrouble::Session(error.to_string()))
}
