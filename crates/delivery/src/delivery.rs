//! The steps for one due message: lease, route, attempt, settlement, report. `shown`: what the attempt shows about its
//! destination. `left`: what remains to be done. `overdue`: what comes of a message that has waited for its turn for long.

mod left;
mod overdue;
mod shown;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use dns::Resolver;
use jiff::Timestamp;
use mail::{Action, DomainPart, Event, EventLog, NextHop, QueueId, event};
use mta_sts::Policies;
use policy::Policy;
use spool::{After, Lease, Leasing, Outcomes, Pending, Settled as Recorded, Settlement, Spool, SpoolError};
use tokio::sync::Notify;
use tokio::time::Instant;

pub(crate) use self::left::{JobAgain, Left, ReportAgain};
use self::shown::shown;
use crate::attempt::{Attempted, Deliverer, Ending, Later, Logins, RecipientResult};
use crate::clock::{Clock, Millis, local_date};
use crate::config::{DeliveryConfig, Windows};
use crate::connections::{Connections, TlsClient};
use crate::forget::Forget;
use crate::remembered::Remembered;
use crate::route::{LookUps, Sought, Way};
use crate::session_watch::SessionWatch;
use crate::settle::reports::{DelaysAlone, Reporter, Telling};
use crate::settle::{Began, Settled, Settler, Uncounted, lines};
use crate::trace::{Step, Trace, Traces, Unsettled};
use crate::when::{Course, Job, Share, Shown, Suspension, Turn};

/// What deliveries need from outside.
pub struct Surroundings<S> {
    /// The queue.
    pub spool: Arc<S>,
    /// DNS.
    pub resolver: Resolver,
    /// The MTA-STS policies of destinations; `None` if nothing is made of them.
    pub mta_sts: Option<Policies>,
    /// The policy in force; a new one replaces it as a whole.
    pub policy: Arc<ArcSwap<Policy>>,
    /// TLS.
    pub tls: TlsClient,
    /// The log.
    pub events: Arc<dyn EventLog>,
    /// The clock by which mail is scheduled and given up: [`crate::SystemClock`] except in tests.
    pub clock: Arc<dyn Clock>,
    /// Told when a security failure has begun or ended.
    pub incidents: Arc<Notify>,
    /// Is shown the results of TLS sessions.
    pub sessions: Arc<dyn SessionWatch>,
    /// Who has asked to see what happens in deliveries.
    pub traces: Arc<Traces>,
}

const MINUTE: Duration = Duration::from_mins(1);

/// Delivers due messages; any number of deliveries can run at once.
pub(crate) struct Delivery<S> {
    spool: Arc<S>,
    resolver: Resolver,
    mta_sts: Option<Policies>,
    policy: Arc<ArcSwap<Policy>>,
    events: Arc<dyn EventLog>,
    clock: Arc<dyn Clock>,
    config: DeliveryConfig,
    /// Deliveries to one next hop for which the policy sets no limit.
    per_destination: AtomicUsize,
    deliverer: Deliverer,
    reporter: Reporter<S>,
    uncounted: Uncounted,
    sessions: Arc<dyn SessionWatch>,
    traces: Arc<Traces>,
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
            logins: Logins::new(Arc::clone(&surroundings.events)),
            counts_tls: config.counts_tls,
            remembered: Remembered::new(surroundings.incidents),
        };
        Self {
            spool: surroundings.spool,
            resolver: surroundings.resolver,
            mta_sts: surroundings.mta_sts,
            policy: surroundings.policy,
            events: surroundings.events,
            clock: surroundings.clock,
            per_destination: AtomicUsize::new(config.connections_per_destination),
            deliverer,
            reporter,
            uncounted: Uncounted::default(),
            sessions: surroundings.sessions,
            traces: surroundings.traces,
            config,
        }
    }

    /// How much a destination may get.
    pub(crate) fn share(&self, next_hop: &NextHop) -> Share {
        let today = local_date(self.clock.now());
        let limits = self.policy.load().for_destination(next_hop, today).limits;
        let connections = limits
            .connections
            .and_then(|connections| usize::try_from(connections.get()).ok());
        let interval = |per_minute: NonZeroU32| MINUTE / per_minute.get();
        Share {
            connections: connections.unwrap_or_else(|| self.per_destination.load(Ordering::Relaxed)),
            interval: limits.messages_per_minute.map_or(Duration::ZERO, interval),
        }
    }

    /// Changes how many connections may be open at once.
    pub(crate) fn resize(&self, windows: Windows) {
        self.per_destination
            .store(windows.per_destination, Ordering::Relaxed);
        self.deliverer.connections.resize(windows);
    }

    /// How many connections to receiving servers are open.
    pub(crate) fn connections(&self) -> usize {
        self.deliverer.connections.open_ones()
    }

    /// Forgets what was learned about these receiving hosts.
    pub(crate) fn forget(&self, what: &Forget) {
        match what {
            Forget::All => self.deliverer.connections.forget_hosts(),
            Forget::Below(names) | Forget::NextHops(_, names) => {
                self.deliverer.connections.forget_named(names);
            }
        }
    }

    /// There may be another policy about how many messages a minute a host gets.
    pub(crate) fn forget_paces(&self) {
        self.deliverer.connections.forget_paces();
    }

    /// No further connection is begun: deliveries that wait for something end.
    pub(crate) fn stop(&self) {
        self.deliverer.connections.stop();
    }

    /// Ends the sessions that are kept for the next message.
    pub(crate) async fn quit_kept(&self) {
        self.deliverer.connections.quit_kept().await;
    }

    /// Learns from the store what fails. Without that, an incident that has healed stays open until it fails again, or until it
    /// has not been seen for long.
    pub(crate) async fn recall(&self) {
        match self.spool.failing().await {
            Ok(places) => self.deliverer.remembered.recall(places),
            Err(error) => self
                .events
                .write(&Event::Spool(event::spool::Spool::Incidents(error.to_string()))),
        }
    }

    /// Makes one attempt, and the report if there is something to report.
    pub(crate) async fn deliver(&self, job: Job, turn: Turn) -> Left {
        let trace = self.traces.of(job.id, &job.next_hop, &self.events);
        let (lease, began) = match self.lease(&job, &trace).await {
            Ok(leased) => leased,
            Err(left) => return left,
        };
        trace.tell(|| Step::Message(&lease));
        let look_ups = self.look_ups(&lease, began, &trace);
        let attempted = self.deliverer.attempt(&lease, &look_ups).await;
        let mut shown = shown(&attempted);
        if matches!(shown, Shown::Works) && look_ups.are_waived() {
            shown = Shown::WorksWaived;
        }
        match turn.end(shown).await {
            Course::Settle => {}
            Course::Again => {
                trace.tell(|| Step::Unsettled(unsettled(attempted.later)));
                self.deliverer.remembered.unsee(&attempted.trail.sightings);
                if attempted.later.is_none() {
                    self.uncounted.keep(attempted.trail.tls);
                }
                drop(attempted.results);
                self.spool.release(lease);
                return Left {
                    job: Some(JobAgain::Refused),
                    ..Left::default()
                };
            }
        }
        let (outcomes, events) = self.attempted(&lease, attempted, began);
        self.settle(lease, outcomes, events, &trace).await
    }

    /// The look-ups of an attempt.
    fn look_ups<'a>(&'a self, lease: &'a Lease, began: Began, trace: &'a Trace) -> LookUps<'a> {
        LookUps {
            sought: Sought {
                next_hop: &lease.next_hop,
                way: Way::Usual,
                tag: lease.parameters.tls,
                sender: &lease.reverse_path,
            },
            policy: &self.policy,
            resolver: &self.resolver,
            mta_sts: self.mta_sts.as_ref(),
            config: &self.config,
            today: local_date(began.leased),
            sts: OnceLock::new(),
            trace,
        }
    }

    /// The outcomes of an attempt.
    fn attempted(&self, lease: &Lease, attempted: Attempted<'_>, began: Began) -> (Outcomes, Vec<Event>) {
        if let Some(damage) = attempted.damage {
            self.tell_trouble(lease.id, &damage.into());
        }
        let (settlements, events) = self.settled(lease, attempted.results, began);
        let outcomes = Outcomes {
            settlements,
            sightings: attempted.trail.sightings,
            tls: self.uncounted.with(attempted.trail.tls),
        };
        (outcomes, events)
    }

    /// Defers without an attempt, because the destination fails; and makes the report if there is something to report. Mail
    /// that is not concerned by why it fails is tried all the same, and so is what would be given up: its connections are
    /// limited like all others.
    pub(crate) async fn defer(&self, job: Job, suspension: &Suspension) -> Left {
        let mut trace = self.traces.watched(job.id, &job.next_hop);
        let (lease, began) = match self.lease(&job, &trace).await {
            Ok(leased) => leased,
            Err(left) => return left,
        };
        let settler = self.settler(&lease);
        let is_tried = lease.recipients.iter().any(|one| settler.is_last(one))
            || suspension.is_of_tls() && self.look_ups(&lease, began, &trace).are_waived();
        if is_tried {
            // The log has the traces of attempts, not of mail that is left alone.
            let (traces, log) = (&self.traces, &self.events);
            traces.log_rest(&mut trace, job.id, &job.next_hop, log);
        }
        trace.tell(|| Step::Message(&lease));
        if is_tried {
            let look_ups = self.look_ups(&lease, began, &trace);
            let attempted = self.deliverer.attempt(&lease, &look_ups).await;
            if attempted.later.is_none() {
                let (outcomes, events) = self.attempted(&lease, attempted, began);
                return self.settle(lease, outcomes, events, &trace).await;
            }
            self.deliverer.remembered.unsee(&attempted.trail.sightings);
        }
        trace.tell(|| Step::NotTried(&suspension.failure));
        let recipients = lease.recipients.iter();
        let results = recipients.map(|recipient| RecipientResult {
            recipient,
            ending: Ending::NotTried(Arc::clone(&suspension.failure)),
            record: Arc::clone(&suspension.record),
        });
        let (settlements, events) = self.settled(&lease, results.collect(), began);
        self.settle(lease, settlements.into(), events, &trace).await
    }

    /// The right to deliver, unless the part was put off meanwhile.
    async fn lease(&self, job: &Job, trace: &Trace) -> Result<(Lease, Began), Left> {
        let lease = match self.spool.lease(job.id, &job.next_hop).await {
            Ok(Leasing::Leased(lease)) => *lease,
            Ok(Leasing::Nothing) => {
                trace.tell(|| Step::NothingLeft);
                trace.settled();
                return Err(Left::default());
            }
            // The holder of the lease reports what is left, but not if an action on it fails.
            Ok(Leasing::Taken) => {
                trace.tell(|| Step::Unsettled(Unsettled::Taken));
                return Err(Left {
                    job: Some(JobAgain::Taken),
                    ..Left::default()
                });
            }
            Err(error) => {
                trace.tell(|| Step::Unsettled(Unsettled::Spool(&error)));
                return Err(self.job_trouble(job.id, &error));
            }
        };
        let leased = self.clock.now();
        let due = lease.recipients.iter().map(|recipient| recipient.due).min();
        let due = due.unwrap_or(leased);
        if is_put_off(due, job, leased) {
            trace.tell(|| Step::PutOff(due));
            trace.settled();
            let pending = put_off(&lease, due);
            self.spool.release(lease);
            return Err(Left {
                pending: vec![pending],
                ..Left::default()
            });
        }
        let began = Began {
            due,
            leased,
            at: Instant::now(),
        };
        Ok((lease, began))
    }

    /// Makes the report on a message, if there is something to report.
    pub(crate) async fn report(&self, about: QueueId, alone: DelaysAlone) -> Left {
        let mut left = Left::default();
        loop {
            match self.reporter.report(about, alone).await {
                Ok(Telling::Nothing) => return left,
                Ok(Telling::Later) => {
                    left.report = Some(ReportAgain::Gathered);
                    return left;
                }
                Ok(Telling::Told(reported)) => {
                    left.pending.extend(reported.pending);
                    if reported.after != After::ReportDue {
                        return left;
                    }
                }
                Err(error) => {
                    self.tell_trouble(about, &error);
                    left.report = Some(ReportAgain::Trouble);
                    left.damaged = is_damage(&error);
                    return left;
                }
            }
        }
    }

    /// The outcome for each recipient, and the lines of the log.
    fn settled(
        &self,
        lease: &Lease,
        results: Vec<RecipientResult<'_>>,
        began: Began,
    ) -> (Vec<Settlement>, Vec<Event>) {
        let settler = self.settler(lease);
        // The same jitter for all of them, so that they stay together.
        let jitter = rand::random_range(0.0..=1.0);
        let results = results.into_iter();
        let settled = results.map(|result| settler.settle(result, jitter)).collect();
        written(lease, settled, &began)
    }

    fn settler<'a>(&'a self, lease: &'a Lease) -> Settler<'a> {
        Settler {
            retry: &self.config.retry,
            delay_warning: self.config.delay_warning,
            created: lease.created,
            reverse_path: &lease.reverse_path,
            tag: lease.parameters.tls,
            size: lease.size,
            now: self.clock.now(),
        }
    }

    /// Records outcomes, and makes the report if there is something to report.
    async fn settle(&self, lease: Lease, outcomes: Outcomes, events: Vec<Event>, trace: &Trace) -> Left {
        let id = lease.id;
        let again = told_later(&outcomes.settlements);
        let settled = match self.record(lease, outcomes, events, trace).await {
            Ok(settled) => settled,
            Err(left) => return left,
        };
        let left = match settled.after {
            After::ReportDue => self.report(id, DelaysAlone::Gathered).await,
            After::Gone | After::Left => Left {
                report: again,
                ..Left::default()
            },
        };
        Left {
            deferred: settled.pending,
            ..left
        }
    }

    async fn record(
        &self,
        lease: Lease,
        outcomes: Outcomes,
        events: Vec<Event>,
        trace: &Trace,
    ) -> Result<Recorded, Left> {
        let id = lease.id;
        let (sightings, sessions) = (outcomes.sightings.clone(), outcomes.tls.clone());
        let settled = self.spool.settle(lease, outcomes, self.clock.now()).await;
        for event in events {
            self.events.write(&event);
            trace.tell(|| Step::Outcome(&event));
        }
        let settled = match settled {
            Ok(settled) => settled,
            Err(error) => {
                trace.tell(|| Step::Unsettled(Unsettled::Spool(&error)));
                self.deliverer.remembered.unsee(&sightings);
                return Err(self.job_trouble(id, &error));
            }
        };
        trace.settled();
        if !sessions.is_empty() {
            self.sessions.seen(&sessions);
        }
        Ok(settled)
    }

    /// The spool cannot lease a message or store an outcome: the message waits, and the administrator is told.
    fn job_trouble(&self, id: QueueId, error: &SpoolError) -> Left {
        self.tell_trouble(id, error);
        Left {
            job: Some(JobAgain::Trouble),
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

/// What the spool is to record, and the lines of the log.
fn written(lease: &Lease, settled: Vec<Settled<'_>>, began: &Began) -> (Vec<Settlement>, Vec<Event>) {
    let events = settled.iter().flat_map(|one| lines(lease, one, began)).collect();
    let settlements = settled.into_iter().map(|one| one.settlement).collect();
    (settlements, events)
}

/// When to tell the sender of what came of these recipients, if other recipients keep the report back.
fn told_later(settlements: &[Settlement]) -> Option<ReportAgain> {
    let notices = settlements.iter().filter_map(|one| one.notice.as_ref());
    let again = notices.map(|notice| match notice.action {
        Action::Delayed { .. } => ReportAgain::Gathered,
        Action::Failed | Action::Expired | Action::Relayed => ReportAgain::Others,
    });
    again.max_by_key(|again| *again == ReportAgain::Others)
}

/// Why an attempt that settles nothing is made again.
fn unsettled(later: Option<Later>) -> Unsettled<'static> {
    match later {
        None => Unsettled::Busy,
        Some(Later::Paced(at)) => Unsettled::Paced(at.saturating_duration_since(Instant::now())),
        Some(Later::Crowded) => Unsettled::Crowded,
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
