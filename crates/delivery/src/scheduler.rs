//! What is due when, and how much goes to one destination at once.
//!
//! The schedule lives in memory and is rebuilt at start by one scan of the spool, during which new mail is already
//! accepted and delivered. One task owns it; deliveries are tasks of their own, and none of them can end it.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mail::event::{Level, Value};
use mail::{Event, EventLog, NextHop, QueueId};
use spool::{Pending, Spool};
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};

use crate::delivery::Delivery;

/// The longest sleep: a clock that jumps is noticed this soon.
const NAP: Duration = Duration::from_secs(30);
/// Messages that one page of the scan at start holds.
const PAGE: usize = 1_000;
/// Deliveries under way for each connection that may be open: the others look up names.
const LOOKING_UP: usize = 4;

/// How a scheduler is told about mail.
#[derive(Clone)]
pub struct SchedulerHandle(mpsc::UnboundedSender<Message>);

enum Message {
    /// Accepted just now.
    Accepted(Vec<Pending>),
    /// Found in the spool at start.
    Found(Vec<Pending>),
    /// The scan at start is over.
    ScanOver,
}

impl SchedulerHandle {
    /// Schedules what a newly accepted message has to deliver.
    pub fn accepted(&self, pending: Vec<Pending>) {
        // Without a scheduler the daemon is going down: the message is in the spool and found at the next start.
        let _ = self.0.send(Message::Accepted(pending));
    }
}

/// Limits of the scheduler.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    pub(crate) per_destination: usize,
}

pub(crate) struct Scheduler<S> {
    delivery: Arc<Delivery<S>>,
    events: Arc<dyn EventLog>,
    limits: Limits,
    inbox: mpsc::UnboundedReceiver<Message>,
    due: BTreeMap<(Timestamp, u64), Pending>,
    sequence: u64,
    destinations: HashMap<NextHop, Destination>,
    /// Destinations that have mail waiting and room for it, in turn.
    ready: VecDeque<NextHop>,
    running: JoinSet<Vec<Pending>>,
    /// What each running task delivers.
    tasks: HashMap<Id, Pending>,
    known: Known,
}

/// What was scheduled while the scan at start is under way: a message accepted meanwhile may be found as well, before
/// or after the word of its acceptance comes. Two schedules for one message would double its attempts.
struct Known(Option<HashSet<QueueId>>);

impl Known {
    /// Those not scheduled yet. All that waits of one message comes together, by either way.
    fn fresh(&mut self, mut pending: Vec<Pending>) -> Vec<Pending> {
        if let Some(known) = &mut self.0 {
            pending.retain(|one| !known.contains(&one.id));
            known.extend(pending.iter().map(|one| one.id));
        }
        pending
    }
}

#[derive(Default)]
struct Destination {
    active: usize,
    waiting: VecDeque<Pending>,
    /// Whether it stands in `ready`.
    in_turn: bool,
}

impl<S: Spool> Scheduler<S> {
    pub(crate) fn new(
        delivery: Arc<Delivery<S>>,
        spool: Arc<S>,
        events: Arc<dyn EventLog>,
        limits: Limits,
    ) -> (Self, SchedulerHandle) {
        let (outbox, inbox) = mpsc::unbounded_channel();
        let handle = SchedulerHandle(outbox);
        tokio::spawn(scan(spool, handle.clone(), Arc::clone(&events)));
        let scheduler = Self {
            delivery,
            events,
            limits,
            inbox,
            due: BTreeMap::new(),
            sequence: 0,
            destinations: HashMap::new(),
            ready: VecDeque::new(),
            running: JoinSet::new(),
            tasks: HashMap::new(),
            known: Known(Some(HashSet::new())),
        };
        (scheduler, handle)
    }

    /// Runs until `stop` turns true and what is under way has ended, or `grace` has passed.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>, grace: Duration) {
        while !*stop.borrow_and_update() {
            self.start_due();
            let nap = self.until_next_due();
            tokio::select! {
                changed = stop.changed() => if changed.is_err() { break },
                message = self.inbox.recv() => match message {
                    Some(message) => self.take(message),
                    None => break,
                },
                Some(ended) = self.running.join_next_with_id() => self.ended(ended),
                () = tokio::time::sleep(nap) => {}
            }
        }
        let finish = async { while self.running.join_next().await.is_some() {} };
        // What is cut off is still in the spool: its lease ends with its task.
        let _ = tokio::time::timeout(grace, finish).await;
        self.running.abort_all();
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Accepted(pending) | Message::Found(pending) => {
                for pending in self.known.fresh(pending) {
                    self.schedule(pending);
                }
            }
            Message::ScanOver => self.known = Known(None),
        }
    }

    fn schedule(&mut self, pending: Pending) {
        self.sequence = self.sequence.wrapping_add(1);
        self.due.insert((pending.due, self.sequence), pending);
    }

    fn until_next_due(&self) -> Duration {
        let Some(((due, _), _)) = self.due.first_key_value() else {
            return NAP;
        };
        let wait = Duration::try_from(due.duration_since(Timestamp::now())).unwrap_or_default();
        wait.min(NAP)
    }

    /// Moves what has become due to its destination, and starts as much as the limits allow.
    fn start_due(&mut self) {
        let now = Timestamp::now();
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
            let pending = entry.remove();
            let next_hop = pending.next_hop.clone();
            self.destinations
                .entry(next_hop.clone())
                .or_default()
                .waiting
                .push_back(pending);
            self.offer_turn(&next_hop);
        }
        while self.running.len() < self.limits.connections.saturating_mul(LOOKING_UP) {
            let Some(next_hop) = self.ready.pop_front() else {
                break;
            };
            self.start_one(&next_hop);
        }
    }

    fn offer_turn(&mut self, next_hop: &NextHop) {
        let Some(destination) = self.destinations.get_mut(next_hop) else {
            return;
        };
        let room = destination.active < self.limits.per_destination;
        if room && !destination.in_turn && !destination.waiting.is_empty() {
            destination.in_turn = true;
            self.ready.push_back(next_hop.clone());
        }
    }

    fn start_one(&mut self, next_hop: &NextHop) {
        let Some(destination) = self.destinations.get_mut(next_hop) else {
            return;
        };
        destination.in_turn = false;
        if let Some(pending) = destination.waiting.pop_front() {
            destination.active += 1;
            let delivery = Arc::clone(&self.delivery);
            let job = pending.clone();
            let task = self.running.spawn(async move { delivery.deliver(job).await });
            self.tasks.insert(task.id(), pending);
        }
        self.offer_turn(next_hop);
    }

    fn ended(&mut self, ended: Result<(Id, Vec<Pending>), JoinError>) {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some(job) = self.tasks.remove(&id) else { return };
        let next_hop = job.next_hop.clone();
        match ended {
            Ok((_, left)) => {
                let (left, reports): (Vec<_>, Vec<_>) = left.into_iter().partition(|one| one.id == job.id);
                for left in left {
                    self.schedule(left);
                }
                // A report is a new message, which the scan at start may find as well.
                self.take(Message::Accepted(reports));
            }
            Err(error) => {
                // A fault of ours: the message stays, and its turn comes again.
                self.events.write(
                    &Event::new(Level::Error, "fault")
                        .with("id", Value::Word(job.id.to_string()))
                        .with("error", Value::Quoted(error.to_string())),
                );
                let due = Timestamp::now().checked_add(NAP).unwrap_or(Timestamp::MAX);
                self.schedule(Pending { due, ..job });
            }
        }
        if let Some(destination) = self.destinations.get_mut(&next_hop) {
            destination.active = destination.active.saturating_sub(1);
            if destination.active == 0 && destination.waiting.is_empty() {
                self.destinations.remove(&next_hop);
            }
        }
        self.offer_turn(&next_hop);
    }
}

/// Reads the spool once, in order, page by page; trouble is told and tried again.
async fn scan<S: Spool>(spool: Arc<S>, handle: SchedulerHandle, events: Arc<dyn EventLog>) {
    let mut after = None;
    loop {
        match spool.pending(after, PAGE).await {
            Ok(page) => {
                let Some(last) = page.last() else { break };
                after = Some(last.id);
                if handle.0.send(Message::Found(page)).is_err() {
                    return;
                }
            }
            Err(error) => {
                let event = Event::new(Level::Error, "spool").with("error", Value::Quoted(error.to_string()));
                events.write(&event);
                tokio::time::sleep(NAP).await;
            }
        }
    }
    let _ = handle.0.send(Message::ScanOver);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn pending(id: QueueId, domain: &str) -> Pending {
        Pending {
            id,
            next_hop: NextHop::Domain {
                domain: domain.parse().unwrap(),
                port: None,
            },
            due: Timestamp::UNIX_EPOCH,
            recipients: 1,
            size: 1,
        }
    }

    #[test]
    fn a_message_told_of_twice_is_scheduled_once() {
        let mut known = Known(Some(HashSet::new()));
        let (one, other) = (QueueId::generate(), QueueId::generate());
        let parts = || vec![pending(one, "a.example"), pending(one, "b.example")];
        assert_eq!(known.fresh(parts()).len(), 2);
        let both = [parts(), vec![pending(other, "a.example")]].concat();
        let fresh: Vec<QueueId> = known.fresh(both).iter().map(|pending| pending.id).collect();
        assert_eq!(fresh, [other]);
        // After the scan there is one way only.
        known = Known(None);
        assert_eq!(known.fresh(parts()).len(), 2);
    }
}
