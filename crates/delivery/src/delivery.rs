//! The way of one due message: lease, route, attempt, settlement.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use dns::Resolver;
use jiff::{Timestamp, Zoned};
use mail::event::{Level, Value};
use mail::{DomainPart, Event, EventLog};
use policy::Policy;
use spool::{Lease, Pending, Settlement, Spool, SpoolError};
use tokio::sync::Semaphore;

use crate::attempt::{Deliverer, RecipientResult};
use crate::config::DeliveryConfig;
use crate::host_limits::HostLimits;
use crate::marks::HandshakeMarks;
use crate::record::{Delays, DeliveryLine};
use crate::route;
use crate::session::Caller;
use crate::settle::{Age, Settling};
use crate::source::SourceAddresses;
use crate::tls::TlsClient;
use crate::undeliverable::{Attempted, Reporter};

/// How long a message waits when the spool cannot hand it out.
const SPOOL_TROUBLE: Duration = Duration::from_secs(30);

/// What deliveries need from outside.
pub struct Surroundings<S> {
    /// The queue.
    pub spool: Arc<S>,
    /// DNS.
    pub resolver: Resolver,
    /// The policy in force; a new one is swapped in whole.
    pub policy: Arc<ArcSwap<Policy>>,
    /// TLS.
    pub tls: TlsClient,
    /// The log.
    pub events: Arc<dyn EventLog>,
}

/// Delivers one due message at a time; any number of them at once.
pub(crate) struct Delivery<S> {
    spool: Arc<S>,
    resolver: Resolver,
    policy: Arc<ArcSwap<Policy>>,
    events: Arc<dyn EventLog>,
    config: DeliveryConfig,
    deliverer: Deliverer,
    reporter: Reporter,
    connections: Semaphore,
}

/// When the parts of an attempt began.
struct Clock {
    due: Timestamp,
    leased: Timestamp,
    began: Instant,
}

impl<S: Spool> Delivery<S> {
    pub(crate) fn new(config: DeliveryConfig, surroundings: Surroundings<S>, hostname: DomainPart) -> Self {
        let reporter = Reporter {
            reporting_mta: hostname.clone(),
            postmaster: config.postmaster.clone(),
        };
        let deliverer = Deliverer {
            caller: Caller {
                hostname,
                timeouts: config.timeouts.clone(),
                tls: surroundings.tls,
            },
            sources: SourceAddresses::new(&config.source_addresses),
            hosts: HostLimits::new(config.connections_per_host),
            marks: HandshakeMarks::default(),
            first_delay: config.retry.first_delay(),
        };
        Self {
            spool: surroundings.spool,
            resolver: surroundings.resolver,
            policy: surroundings.policy,
            events: surroundings.events,
            connections: Semaphore::new(config.connections.max(1)),
            deliverer,
            reporter,
            config,
        }
    }

    /// One attempt. Gives back what is left to schedule.
    pub(crate) async fn deliver(&self, pending: Pending) -> Vec<Pending> {
        let lease = match self.spool.lease(pending.id, &pending.next_hop).await {
            Ok(Some(lease)) => lease,
            Ok(None) => return Vec::new(),
            Err(error) => return vec![self.put_off(pending, &error)],
        };
        let clock = Clock {
            due: pending.due,
            leased: Timestamp::now(),
            began: Instant::now(),
        };
        let policy = self.policy.load_full();
        let today = Zoned::now().date();
        let route = route::find(&lease.next_hop, &policy, &self.resolver, &self.config, today).await;
        let results = {
            // Look-ups are over: only now is a connection's place taken.
            let _place = self.connections.acquire().await;
            self.deliverer.attempt(&lease, &route).await
        };
        self.settle(lease, results, &clock).await
    }

    async fn settle(&self, lease: Lease, results: Vec<RecipientResult>, clock: &Clock) -> Vec<Pending> {
        let now = Timestamp::now();
        let age = Age {
            created: lease.created,
            reverse_path: &lease.reverse_path,
            now,
        };
        let retry = &self.config.retry;
        let settlings: Vec<Settling> = lease
            .recipients
            .iter()
            .zip(&results)
            .map(|(recipient, result)| retry.settle(&age, recipient, result, rand::random_range(0.0..=1.0)))
            .collect();
        let attempted = Attempted {
            lease: &lease,
            results: &results,
            settlings: &settlings,
            now,
        };
        let report = self.reporter.report(&attempted).await;
        let mut events = lines(&attempted, clock, report.is_some());
        events.extend(report.as_ref().map(|report| reported(&lease, report)));
        let settlements = settlements(&lease, settlings);
        let (id, next_hop) = (lease.id, lease.next_hop.clone());
        let settled = self.spool.settle(lease, settlements, report).await;
        for event in events {
            self.events.write(&event);
        }
        match settled {
            Ok(settled) => settled.pending.into_iter().chain(settled.report).collect(),
            Err(error) => {
                let pending = Pending {
                    id,
                    next_hop,
                    due: later(SPOOL_TROUBLE),
                    recipients: 0,
                    size: 0,
                };
                vec![self.put_off(pending, &error)]
            }
        }
    }

    /// The spool cannot hand a message out or take an outcome: the message waits, and the administrator is told.
    fn put_off(&self, pending: Pending, error: &SpoolError) -> Pending {
        self.events.write(
            &Event::new(Level::Error, "spool")
                .with("id", Value::Word(pending.id.to_string()))
                .with("error", Value::Quoted(error.to_string())),
        );
        Pending {
            due: later(SPOOL_TROUBLE),
            ..pending
        }
    }
}

fn later(delay: Duration) -> Timestamp {
    Timestamp::now().checked_add(delay).unwrap_or(Timestamp::MAX)
}

/// Before the queue manager, in the queue, connection set-up (look-ups included), transmission.
fn delays(created: Timestamp, clock: &Clock, result: &RecipientResult) -> Delays {
    let since =
        |from: Timestamp, to: Timestamp| Duration::try_from(to.duration_since(from)).unwrap_or_default();
    let before = since(created, clock.due);
    let queued = since(clock.due, clock.leased);
    let now = Instant::now();
    let ready = result.record.times().map_or(now, |(_, ready)| ready);
    let setup = ready.saturating_duration_since(clock.began);
    let transmission = now.saturating_duration_since(ready);
    Delays {
        total: before + queued + setup + transmission,
        stages: [before, queued, setup, transmission],
    }
}

/// What the spool is told.
fn settlements(lease: &Lease, settlings: Vec<Settling>) -> Vec<Settlement> {
    let recipients = lease.recipients.iter().zip(settlings);
    recipients
        .map(|(recipient, settling)| Settlement {
            recipient: recipient.index,
            outcome: settling.outcome,
            next_attempt: settling.next_attempt,
        })
        .collect()
}

/// One line a recipient.
fn lines(attempted: &Attempted<'_>, clock: &Clock, has_report: bool) -> Vec<Event> {
    let lease = attempted.lease;
    lease
        .recipients
        .iter()
        .zip(attempted.results)
        .zip(attempted.settlings)
        .map(|((recipient, result), settling)| {
            let line = DeliveryLine {
                id: lease.id,
                from: &lease.reverse_path,
                recipient,
                size: lease.size,
                record: &result.record,
                settling,
                delays: delays(lease.created, clock, result),
                reported: has_report && attempted.is_reported(settling),
            };
            line.event()
        })
        .collect()
}

/// The event that names the report on a message.
fn reported(lease: &Lease, report: &spool::Report) -> Event {
    Event::new(Level::Info, "dsn")
        .with("id", Value::Word(report.message.id.to_string()))
        .with("about", Value::Word(lease.id.to_string()))
        .with("to", Value::Address(lease.reverse_path.as_str().to_owned()))
}
