//! The steps for one due message: lease, route, attempt, settlement, report.

use std::sync::Arc;

use arc_swap::ArcSwap;
use dns::Resolver;
use jiff::Timestamp;
use mail::event::delivery::Undeliverable;
use mail::{DomainPart, Event, EventLog, QueueId, ReversePath, Status, event};
use policy::Policy;
use spool::{Lease, Leasing, Pending, Settlement, Spool, SpoolError};
use tokio::time::Instant;

use crate::attempt::{Deliverer, RecipientResult};
use crate::clock::{Clock, Millis, local_date, since};
use crate::config::{DeliveryConfig, Windows};
use crate::connections::{Connections, TlsClient};
use crate::route::{LookUps, Way};
use crate::settle::reports::{DelaysAlone, Reporter, Telling};
use crate::settle::{Delays, DeliveryLine, Settled, Settler};
use crate::when::Job;

/// What deliveries need from outside.
pub struct Surroundings<S> {
    /// The queue.
    pub spool: Arc<S>,
    /// DNS.
    pub resolver: Resolver,
    /// The policy in force; a new one replaces it as a whole.
    pub policy: Arc<ArcSwap<Policy>>,
    /// TLS.
    pub tls: TlsClient,
    /// The log.
    pub events: Arc<dyn EventLog>,
    /// The clock by which mail is scheduled and given up: [`crate::SystemClock`] except in tests.
    pub clock: Arc<dyn Clock>,
}

/// Delivers due messages; any number of deliveries can run at once.
pub(crate) struct Delivery<S> {
    spool: Arc<S>,
    resolver: Resolver,
    policy: Arc<ArcSwap<Policy>>,
    events: Arc<dyn EventLog>,
    clock: Arc<dyn Clock>,
    config: DeliveryConfig,
    deliverer: Deliverer,
    reporter: Reporter<S>,
}

/// What remains to be done after a delivery or a report.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// What is still to be delivered, each part at its time.
    pub(crate) pending: Vec<Pending>,
    /// What could not be done now.
    pub(crate) again: Vec<Again>,
    /// Whether the reason is that the message's stored envelope is damaged.
    pub(crate) damaged: bool,
}

/// What is to be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// The delivery, when the spool may be working again.
    Deliver,
    /// The delivery, when the other holder of the lease may have released it.
    Taken,
    /// The report on the message, when the spool may be working again.
    Report,
    /// The report on the message, when more recipients may be late.
    Gathered,
}

/// When each phase of an attempt began.
struct Began {
    due: Timestamp,
    leased: Timestamp,
    at: Instant,
}

impl<S: Spool> Delivery<S> {
    pub(crate) fn new(config: DeliveryConfig, surroundings: Surroundings<S>, hostname: DomainPart) -> Self {
        let reporter = Reporter {
            spool: Arc::clone(&surroundings.spool),
            events: Arc::clone(&surroundings.events),
            clock: Arc::clone(&surroundings.clock),
            reporting_mta: hostname.clone(),
            postmaster: Arc::clone(&config.postmaster),
        };
        let deliverer = Deliverer {
            connections: Connections::new(&config, hostname, surroundings.tls),
            first_delay: config.retry.first_delay(),
            clock: Arc::clone(&surroundings.clock),
        };
        Self {
            spool: surroundings.spool,
            resolver: surroundings.resolver,
            policy: surroundings.policy,
            events: surroundings.events,
            clock: surroundings.clock,
            deliverer,
            reporter,
            config,
        }
    }

    /// Changes how many connections may be open at once.
    pub(crate) fn resize(&self, windows: Windows) {
        self.deliverer.connections.resize(windows);
    }

    /// Forgets what was learned about receiving hosts.
    pub(crate) fn forget_hosts(&self) {
        self.deliverer.connections.forget_hosts();
    }

    /// Makes one attempt, and the report if there is something to report.
    pub(crate) async fn deliver(&self, job: Job) -> Left {
        let lease = match self.spool.lease(job.id, &job.next_hop).await {
            Ok(Leasing::Leased(lease)) => *lease,
            Ok(Leasing::Nothing) => return Left::default(),
            // The holder of the lease reports what is left, but not if an action on it fails.
            Ok(Leasing::Taken) => {
                return Left {
                    again: vec![Again::Taken],
                    ..Left::default()
                };
            }
            Err(error) => return self.trouble(job.id, Again::Deliver, &error),
        };
        let leased = self.clock.now();
        let due = lease.recipients.iter().map(|recipient| recipient.due).min();
        let due = due.unwrap_or(leased);
        if is_put_off(due, &job, leased) {
            let pending = put_off(&lease, due);
            self.spool.release(lease);
            return Left {
                pending: vec![pending],
                ..Left::default()
            };
        }
        let began = Began {
            due,
            leased,
            at: Instant::now(),
        };
        let policy = self.policy.load_full();
        let look_ups = LookUps {
            next_hop: &lease.next_hop,
            way: Way::Usual,
            policy: &policy,
            resolver: &self.resolver,
            config: &self.config,
            today: local_date(leased),
        };
        let attempted = self.deliverer.attempt(&lease, &look_ups).await;
        if let Some(damage) = attempted.damage {
            self.tell_trouble(lease.id, &damage.into());
        }
        let now = self.clock.now();
        let settled = self.settled(&lease, attempted.results, now);
        let events = settled
            .iter()
            .flat_map(|one| lines(&lease, one, &began))
            .collect();
        let settlements = settled.into_iter().map(|one| one.settlement).collect();
        self.settle(lease, settlements, events, now).await
    }

    /// Makes the report on a message, if there is something to report.
    pub(crate) async fn report(&self, about: QueueId, alone: DelaysAlone) -> Left {
        let mut left = Left::default();
        loop {
            match self.reporter.report(about, alone).await {
                Ok(Telling::Nothing) => return left,
                Ok(Telling::Later) => {
                    left.again.push(Again::Gathered);
                    return left;
                }
                Ok(Telling::Told(reported)) => {
                    left.pending.extend(reported.pending);
                    if !reported.notices_left {
                        return left;
                    }
                }
                Err(error) => {
                    let trouble = self.trouble(about, Again::Report, &error);
                    left.again.extend(trouble.again);
                    left.damaged = trouble.damaged;
                    return left;
                }
            }
        }
    }

    /// The outcome for each recipient.
    fn settled<'a>(
        &self,
        lease: &Lease,
        results: Vec<RecipientResult<'a>>,
        now: Timestamp,
    ) -> Vec<Settled<'a>> {
        let settler = Settler {
            retry: &self.config.retry,
            delay_warning: self.config.delay_warning,
            created: lease.created,
            reverse_path: &lease.reverse_path,
            next_hop: &lease.next_hop,
            now,
        };
        // The same jitter for all of them, so that they stay together.
        let jitter = rand::random_range(0.0..=1.0);
        let results = results.into_iter();
        results.map(|result| settler.settle(result, jitter)).collect()
    }

    async fn settle(
        &self,
        lease: Lease,
        settlements: Vec<Settlement>,
        events: Vec<Event>,
        now: Timestamp,
    ) -> Left {
        let id = lease.id;
        let settled = self.spool.settle(lease, settlements, now).await;
        for event in events {
            self.events.write(&event);
        }
        let settled = match settled {
            Ok(settled) => settled,
            Err(error) => return self.trouble(id, Again::Deliver, &error),
        };
        let mut left = if settled.report_due {
            self.report(id, DelaysAlone::Gathered).await
        } else {
            Left::default()
        };
        left.pending.extend(settled.pending);
        left
    }

    /// The spool cannot lease a message or store an outcome: the message waits, and the administrator is told.
    fn trouble(&self, id: QueueId, again: Again, error: &SpoolError) -> Left {
        self.tell_trouble(id, error);
        Left {
            again: vec![again],
            damaged: is_damage(error),
            ..Left::default()
        }
    }

    /// Tells the administrator what is wrong with the spool, and what to do if a single message is damaged.
    fn tell_trouble(&self, id: QueueId, error: &SpoolError) {
        self.events.write(&Event::Spool(event::spool::Spool::Message {
            id,
            error: error.to_string(),
            is_damaged: is_damage(error),
        }));
    }
}

/// Whether a single message is damaged in the spool.
fn is_damage(error: &SpoolError) -> bool {
    matches!(
        error,
        SpoolError::Corrupt { id: Some(_), .. } | SpoolError::Damaged(_)
    )
}

/// Whether the leased part was put off to a time in the future after its entry in the schedule was made.
fn is_put_off(due: Timestamp, job: &Job, now: Timestamp) -> bool {
    let due = Millis::from(due);
    due > job.due && due > Millis::from(now)
}

/// The entry that replaces it. Usually the schedule already has one for the later time, and keeps one of the two; but
/// not if the recipient that the old entry was for has been held or deleted.
fn put_off(lease: &Lease, due: Timestamp) -> Pending {
    Pending {
        id: lease.id,
        next_hop: lease.next_hop.clone(),
        due,
        recipients: u32::try_from(lease.recipients.len()).unwrap_or(u32::MAX),
        size: lease.size,
    }
}

/// Before the queue manager, in the queue, connection set-up (including look-ups), transmission.
fn delays(created: Timestamp, began: &Began, result: &RecipientResult<'_>) -> Delays {
    let before = since(created, began.due);
    let queued = since(began.due, began.leased);
    let now = Instant::now();
    let ready = result.record.times().map_or(now, |(_, ready)| ready);
    let setup = ready.saturating_duration_since(began.at);
    let transmission = now.saturating_duration_since(ready);
    Delays {
        total: before + queued + setup + transmission,
        stages: [before, queued, setup, transmission],
    }
}

/// The log line of a recipient, and a second one if a report cannot be delivered.
fn lines(lease: &Lease, settled: &Settled<'_>, began: &Began) -> impl Iterator<Item = Event> {
    let Settled { result, settlement } = settled;
    let line = DeliveryLine {
        id: lease.id,
        from: &lease.reverse_path,
        recipient: result.recipient,
        size: lease.size,
        record: &result.record,
        settlement,
        delays: delays(lease.created, began, result),
    };
    std::iter::once(line.event()).chain(undeliverable(lease, &result.recipient.address, settlement))
}

/// A report that cannot be delivered ends here: nobody is told, except in the log (RFC 5321 §6.1).
fn undeliverable(lease: &Lease, recipient: &mail::Mailbox, settlement: &Settlement) -> Option<Event> {
    let outcome = &settlement.outcome;
    match (&lease.reverse_path, outcome.status) {
        (ReversePath::Null, Status::Bounced | Status::Expired) => Some(Event::Undeliverable(Undeliverable {
            id: lease.id,
            to: recipient.clone(),
            outcome: outcome.clone(),
        })),
        (ReversePath::Null, Status::Sent | Status::Deferred) | (ReversePath::Mailbox(_), _) => None,
    }
}
