//! What is to be done, and what doing it shows about its destination.

use std::sync::Arc;
use std::time::Duration;

use mail::cause::{Cause, Lookup};
use mail::{NextHop, QueueId};
use policy::failure::Failure;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::attempt::HostRecord;
use crate::clock::Millis;

/// What is to be delivered: a part of a message, and the due time that its entry in the schedule was made for.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: QueueId,
    pub(crate) next_hop: Arc<NextHop>,
    pub(crate) due: Millis,
}

/// How much a destination may get.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    /// Deliveries at the same time.
    pub(crate) connections: usize,
    /// The time from one delivery to the next.
    pub(crate) interval: Duration,
}

/// Why nothing is sent to a destination at present, as the outcome of what is not tried.
#[derive(Debug)]
pub(crate) struct Suspension {
    pub(crate) failure: Arc<Failure>,
    pub(crate) record: Arc<HostRecord>,
}

impl Suspension {
    /// After an attempt failed there.
    pub(crate) fn after(failure: &Failure, record: &HostRecord) -> Arc<Self> {
        let reason = format!(
            "not tried, because mail to this destination failed: {}",
            failure.reason
        );
        Arc::new(Self {
            failure: Arc::new(Failure {
                reason: reason.into(),
                ..failure.clone()
            }),
            record: Arc::new(record.without_connection()),
        })
    }

    /// Whether it is by what the receiver has published, or by TLS, that other mail failed: mail with `TLS-Required: No` is
    /// not concerned.
    pub(crate) fn is_of_tls(&self) -> bool {
        match &self.failure.cause {
            Cause::Tls(_) | Cause::Policy(_) | Cause::Dns(Lookup::Tlsa, _) => true,
            Cause::Dns(Lookup::Mx | Lookup::Address, _)
            | Cause::Ours(_)
            | Cause::Destination(_)
            | Cause::Connection(_)
            | Cause::Login(_)
            | Cause::Smtp(_) => false,
        }
    }
}

/// What an attempt shows about the destination.
#[derive(Debug, Clone)]
pub(crate) enum Shown {
    /// It works: it took the message, or refused this message or its recipients.
    Works,
    /// It works for a message with `TLS-Required: No`, which may say nothing about others.
    WorksWaived,
    /// Nothing.
    Nothing,
    /// It takes no more connections now. Nothing was sent, and no recipient has a final outcome.
    Busy(Arc<Suspension>),
    /// It fails whatever the message.
    Down(Arc<Suspension>),
    /// Nothing was done: its host gets the next message only then.
    Early(Instant),
    /// Nothing was done: too many wait for a place at its host. It comes again then.
    Crowded(Instant),
}

/// How a job goes on after its attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    /// The outcome is settled.
    Settle,
    /// The attempt counts for nothing: the message goes on in the next free place.
    Again,
}

/// A job's turn at its destination. It ends with the attempt, before the outcome is written: then the session is free
/// for the next message.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(super) number: u64,
    pub(super) ended: mpsc::UnboundedSender<TurnEnded>,
}

/// The end of a turn.
#[derive(Debug)]
pub(super) struct TurnEnded {
    pub(super) number: u64,
    pub(super) shown: Shown,
    pub(super) course: oneshot::Sender<Course>,
}

impl Turn {
    /// Ends the turn, and says how the job goes on.
    pub(crate) async fn end(self, shown: Shown) -> Course {
        let (course, decided) = oneshot::channel();
        let (is_busy, is_early) = match &shown {
            Shown::Busy(_) => (true, false),
            Shown::Early(_) | Shown::Crowded(_) => (false, true),
            Shown::Works | Shown::WorksWaived | Shown::Nothing | Shown::Down(_) => (false, false),
        };
        let number = self.number;
        let told = self.ended.send(TurnEnded {
            number,
            shown,
            course,
        });
        // There is nothing to settle.
        if is_early {
            return Course::Again;
        }
        // Everything else is settled at once, whatever the scheduler does.
        if told.is_err() || !is_busy {
            return Course::Settle;
        }
        // Nobody decides when the daemon is shutting down.
        decided.await.unwrap_or(Course::Settle)
    }
}
