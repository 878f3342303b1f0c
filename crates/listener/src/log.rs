//! The events that the listener writes.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use mail::event::{Event, Level, Value};
use mail::{Mailbox, ReversePath};
use spool::{Accepted, SpoolError};

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

/// A recipient or a message was refused for a reason that an administrator may want to know.
pub(crate) fn rejected(
    client_address: IpAddr,
    from: &ReversePath,
    to: Option<&Mailbox>,
    reply: &str,
) -> Event {
    let to = to.map_or(Value::Absent, |to| Value::Path(to.as_str().to_owned()));
    Event::new(Level::Info, "rejected")
        .with("client", client(client_address))
        .with("from", Value::Path(from.as_str().to_owned()))
        .with("to", to)
        .with("reply", Value::Quoted(reply.to_owned()))
}

/// The spool failed to take a message; `held_back` more such events were not written.
pub(crate) fn spool_failed(client_address: IpAddr, error: &SpoolError, held_back: u64) -> Event {
    Event::new(Level::Error, "spool")
        .with("status", Value::Word("failed".to_owned()))
        .with("client", client(client_address))
        .with("reason", Value::Quoted(error.to_string()))
        .with("more", Value::Integer(held_back))
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

/// Lets an event that may come in floods through at most once a minute, with the number of those held back.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    state: Mutex<(Option<Instant>, u64)>,
}

impl Throttle {
    const PAUSE: Duration = Duration::from_mins(1);

    /// `Some(n)`: write it, n were held back since the last one.
    pub(crate) fn pass(&self) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, held_back) = &mut *state;
        if last.is_some_and(|last| last.elapsed() < Self::PAUSE) {
            *held_back = held_back.saturating_add(1);
            return None;
        }
        *last = Some(Instant::now());
        Some(std::mem::take(held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floods_are_counted_not_written() {
        let throttle = Throttle::default();
        assert_eq!(throttle.pass(), Some(0));
        assert_eq!(throttle.pass(), None);
    }
}
