//! Starts deliveries and reports when they are due.
//!
//! The schedule is in memory and is rebuilt at start by one scan of the spool; meanwhile new mail is already accepted
//! and delivered. One task owns the schedule; deliveries run in tasks of their own, and none of them can end it.
//!
//! A part of a message may be announced more than once: found by the scan and also announced by the listener, or
//! waiting for a later time and tried earlier on the administrator's command. It is at most once in the schedule and at
//! most once among what is due. Only one delivery of it can hold the lease, and a delivery that finds a part put off by
//! another one leaves it until its time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mail::cause::Limit;
use mail::event::delivery::ClockWentBack;
use mail::event::fault::Fault;
use mail::{Event, EventLog, QueueId};
use spool::{Pending, Spool};
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::destination::Put;
use super::handle::{Message, SchedulerHandle};
use super::job::{Course, Job, Suspension, Turn, TurnEnded};
use super::overdue::{Ages, Overdue};
use super::scan::{self, Found, SPOOL_TROUBLE};
use super::schedule::{Due, STEP, Schedule, Shares};
use super::standing::Standings;
use super::untold::Untold;
use crate::clock::{Clock, Millis, Now};
use crate::config::Windows;
use crate::delivery::{Delivery, JobAgain, Left, ReportAgain};
use crate::settle::reports::{DelaysAlone, OTHERS_AWAITED};

/// The longest sleep: this is how soon a jump of the clock is noticed.
const NAP: Duration = Duration::from_secs(30);
/// A clock that is kept right makes no larger step ahead.
const JUMP: Duration = Duration::from_mins(1);
/// The maximum number of entries taken up at once: after a jump of the clock everything may be due, and other tasks
/// must run, too.
const BATCH: usize = 10_000;
/// Deliveries in progress per connection that may be open: those without a connection are doing look-ups.
const LOOKING_UP: usize = 4;
/// Messages that are looked at simultaneously because they have waited for their turn for long: as many as one commit of the
/// spool takes together.
const OVERDUE: usize = 50;

/// Limits of the scheduler.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) windows: Windows,
    /// The longest delay between two attempts, without jitter.
    pub(crate) longest_delay: Duration,
    /// How long a delay warning waits for others of the same message.
    pub(crate) delays_gathered: Duration,
    /// The ages at which something happens to mail.
    pub(crate) ages: Ages,
}

pub(crate) struct Scheduler<S> {
    delivery: Arc<Delivery<S>>,
    events: Arc<dyn EventLog>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    inbox: mpsc::UnboundedReceiver<Message>,
    /// The scan at start, until it is over.
    found: mpsc::Receiver<Found>,
    schedule: Schedule,
    /// The ends of turns, and each turn until its task has ended.
    ended_turns: mpsc::UnboundedReceiver<TurnEnded>,
    end_of_turns: mpsc::UnboundedSender<TurnEnded>,
    turns: HashMap<u64, TurnTaken>,
    last_turn: u64,
    /// The present time when the clock last was what it should be by then, or ahead of that.
    right: Now,
    /// Since when the clock has not jumped ahead: a machine that slept makes all mail look old.
    steady: Instant,
    untold: Untold,
    /// How long messages with a damaged envelope wait; doubled after each attempt. They can be neither tried nor given
    /// up.
    damaged: HashMap<QueueId, Duration>,
    running: JoinSet<Left>,
    /// How many of the running tasks are about mail that has waited for its turn for long.
    overdue: usize,
    /// What each running task does.
    tasks: HashMap<Id, Task>,
}

/// What a task is doing.
enum Task {
    /// With a turn of this number.
    Deliver(Job, u64),
    /// Without an attempt.
    Defer(Job),
    /// Only if it has waited for its turn for too long.
    Overdue(Job),
    Report(QueueId),
}

/// A job's turn at its destination.
struct TurnTaken {
    job: Job,
    /// How the job goes on, and how it is put back if something is left of it; none until the turn has ended.
    end: Option<(Course, Put)>,
}

impl<S: Spool> Scheduler<S> {
    /// A scheduler that starts with what is in `spool`.
    pub(crate) fn new(
        delivery: Arc<Delivery<S>>,
        spool: Arc<S>,
        events: Arc<dyn EventLog>,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> (Self, SchedulerHandle) {
        let (outbox, inbox) = mpsc::unbounded_channel();
        let found = scan::start(spool, Arc::clone(&events));
        let (end_of_turns, ended_turns) = mpsc::unbounded_channel();
        let right = Now::by(&*clock);
        let scheduler = Self {
            events,
            clock,
            limits,
            inbox,
            found,
            schedule: Schedule::new(
                shares(Arc::clone(&delivery)),
                (
                    limits.windows.connections,
                    limits.longest_delay.max(SPOOL_TROUBLE),
                ),
                Overdue::new(limits.ages, right.awake),
            ),
            delivery,
            ended_turns,
            end_of_turns,
            turns: HashMap::new(),
            last_turn: 0,
            right,
            steady: right.awake,
            untold: Untold::default(),
            damaged: HashMap::new(),
            running: JoinSet::new(),
            overdue: 0,
            tasks: HashMap::new(),
        };
        (scheduler, SchedulerHandle(outbox))
    }

    /// Runs until `stop` turns true and all tasks have ended, or `grace` has passed.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>, grace: Duration) {
        while !*stop.borrow_and_update() {
            let now = Now::by(&*self.clock);
            self.mind_the_clock(now);
            self.tell_of_held_up(now);
            self.start_due(now);
            let nap = self.until_next_due(now);
            tokio::select! {
                changed = stop.changed() => if changed.is_err() { break },
                message = self.inbox.recv() => match message {
                    Some(message) => self.take(message),
                    None => break,
                },
                Some(found) = self.found.recv() => self.take(match found {
                    Found::Pending(page) => Message::Schedule(page),
                    Found::Unreported(messages) => Message::Report(messages),
                }),
                Some(ended) = self.ended_turns.recv() => self.turn_ended(ended),
                Some(ended) = self.running.join_next_with_id() => self.ended(ended),
                () = tokio::time::sleep(nap) => {}
            }
        }
        // Nobody decides about the ends of turns any more.
        self.ended_turns.close();
        while self.ended_turns.try_recv().is_ok() {}
        self.delivery.stop();
        // A task that is cut off loses nothing: its message is still in the spool, and its lease ends with it.
        let _ = tokio::time::timeout(grace, self.finish()).await;
        self.running.abort_all();
    }

    /// Waits for all tasks, and ends the sessions that are kept by then or set free meanwhile.
    async fn finish(&mut self) {
        let mut quitting = JoinSet::new();
        loop {
            let delivery = Arc::clone(&self.delivery);
            quitting.spawn(async move { delivery.quit_kept().await });
            if self.running.join_next().await.is_none() {
                break;
            }
        }
        while quitting.join_next().await.is_some() {}
    }

    fn take(&mut self, message: Message) {
        let now = Now::by(&*self.clock);
        match message {
            Message::Schedule(pending) => {
                for pending in pending {
                    self.schedule.insert(pending, Put::Own, now);
                }
            }
            Message::Report(messages) => {
                let at = Instant::now();
                for id in messages {
                    self.untold.insert(at, id);
                }
            }
            // Who asked may be gone.
            Message::Answer(answer) => drop(answer.send(())),
            Message::Look(most, answer) => {
                let standings = Standings {
                    connections: self.delivery.connections() as u64,
                    ..self.schedule.look(most)
                };
                // Who asked may be gone.
                let _ = answer.send(standings);
            }
            Message::Forget(what) => {
                self.delivery.forget(&what);
                self.schedule.reset(&what, now);
            }
            Message::Reloaded(windows) => {
                self.limits.windows = windows;
                self.delivery.resize(windows);
                self.delivery.forget_paces();
                self.schedule.resize(windows.connections);
                self.schedule.probe_now(now);
            }
        }
    }

    /// After the clock went back, moves up entries that are now too far ahead; and notices when it jumped ahead.
    fn mind_the_clock(&mut self, now: Now) {
        let should_be = self.right.clock.plus(now.awake - self.right.awake);
        if now.clock.plus(STEP) < should_be {
            let messages = self.schedule.pull_in(now);
            if messages > 0 {
                self.events
                    .write(&Event::ClockWentBack(ClockWentBack { messages }));
            }
        } else if now.clock < should_be {
            return;
        } else if now.clock > should_be.plus(JUMP) {
            self.steady = now.awake;
        }
        self.right = now;
    }

    fn tell_of_held_up(&mut self, now: Now) {
        while let Some(summary) = self.schedule.summary(now) {
            self.events.write(&Event::DestinationHeldUp(summary));
        }
    }

    fn until_next_due(&self, now: Now) -> Duration {
        let delivery = self.schedule.until_next(now).unwrap_or(NAP);
        let report = self
            .untold
            .next()
            .map_or(NAP, |at| at.saturating_duration_since(now.awake));
        delivery.min(report).min(NAP)
    }

    /// Gives turns to what has become due, and starts as many deliveries as the limits allow.
    fn start_due(&mut self, now: Now) {
        self.schedule.take_due(now, BATCH);
        while self.has_room()
            && let Some(id) = self.untold.take_due(now.awake)
        {
            self.start_report(id);
        }
        // Before that it is not known what is due.
        if self.found.is_closed() && self.found.is_empty() {
            self.schedule.look_for_overdue(now, self.steady);
        }
        while self.has_room()
            && self.overdue < OVERDUE
            && let Some((job, limit)) = self.schedule.next_overdue(now)
        {
            self.start_overdue(job, limit, now);
        }
        while self.has_room()
            && let Some(due) = self.schedule.next(now)
        {
            match due {
                Due::Attempt(job) => self.start_attempt(job),
                Due::Defer(job, suspension) => self.start_deferral(job, suspension),
            }
        }
    }

    fn has_room(&self) -> bool {
        self.running.len() < self.limits.windows.connections.saturating_mul(LOOKING_UP)
    }

    fn start_attempt(&mut self, job: Job) {
        let delivery = Arc::clone(&self.delivery);
        self.last_turn += 1;
        let turn = Turn {
            number: self.last_turn,
            ended: self.end_of_turns.clone(),
        };
        let (number, taken) = (turn.number, job.clone());
        let started = self
            .running
            .spawn(async move { delivery.deliver(job, turn).await });
        let job = taken;
        self.tasks
            .insert(started.id(), Task::Deliver(job.clone(), number));
        self.turns.insert(number, TurnTaken { job, end: None });
    }

    fn start_deferral(&mut self, job: Job, suspension: Arc<Suspension>) {
        let (delivery, deferred) = (Arc::clone(&self.delivery), job.clone());
        let started = self
            .running
            .spawn(async move { delivery.defer(deferred, &suspension).await });
        self.tasks.insert(started.id(), Task::Defer(job));
    }

    fn start_overdue(&mut self, job: Job, limit: Limit, now: Now) {
        let (delivery, overdue) = (Arc::clone(&self.delivery), job.clone());
        let steady = now.awake.saturating_duration_since(self.steady);
        let started = self
            .running
            .spawn(async move { delivery.overdue(overdue, limit, steady).await });
        self.tasks.insert(started.id(), Task::Overdue(job));
        self.overdue += 1;
    }

    fn start_report(&mut self, id: QueueId) {
        let delivery = Arc::clone(&self.delivery);
        let started = self
            .running
            .spawn(async move { delivery.report(id, DelaysAlone::Told).await });
        self.tasks.insert(started.id(), Task::Report(id));
    }

    fn turn_ended(&mut self, ended: TurnEnded) {
        let now = Now::by(&*self.clock);
        let Some(turn) = self.turns.get_mut(&ended.number) else {
            return;
        };
        let (course, put) = self.schedule.turn_ended(&turn.job, ended.shown, now);
        turn.end = Some((course, put));
        // The task may have gone on without asking.
        let _ = ended.course.send(course);
    }

    fn ended(&mut self, ended: Result<(Id, Left), JoinError>) {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some(task) = self.tasks.remove(&id) else {
            return;
        };
        // The end of a turn was told before the end of its task.
        while let Ok(ended) = self.ended_turns.try_recv() {
            self.turn_ended(ended);
        }
        let message = match &task {
            Task::Deliver(job, _) | Task::Defer(job) | Task::Overdue(job) => job.id,
            Task::Report(id) => *id,
        };
        let left = match ended {
            Ok((_, left)) => left,
            Err(error) => self.fault(message, &error),
        };
        self.take(Message::Schedule(left.pending));
        let wait = self.wait(message, left.damaged);
        if let Some(again) = left.report {
            let wait = match again {
                ReportAgain::Trouble => wait,
                ReportAgain::Gathered => self.limits.delays_gathered,
                ReportAgain::Others => OTHERS_AWAITED,
            };
            self.untold.insert(Instant::now() + wait, message);
        }
        let now = Now::by(&*self.clock);
        let job = match task {
            Task::Report(_) => return,
            Task::Deliver(job, number) => {
                self.delivery_ended(&job, number, left.deferred, now);
                job
            }
            Task::Defer(job) => {
                self.deferral_ended(&job, left.deferred, Put::NotTried, now);
                job
            }
            Task::Overdue(job) => {
                self.overdue = self.overdue.saturating_sub(1);
                self.deferral_ended(&job, left.deferred, Put::Own, now);
                job
            }
        };
        if let Some(again) = left.job {
            self.put_back(job, again, wait, now);
        }
    }

    /// What is left is put back first, so that the destination is not forgotten with what it has shown.
    fn delivery_ended(&mut self, job: &Job, number: u64, left: Option<Pending>, now: Now) {
        let end = self.turns.remove(&number).and_then(|turn| turn.end);
        if let Some(left) = left {
            let put = end.map_or(Put::Own, |(_, put)| put);
            self.schedule.insert(left, put, now);
        }
        match end {
            Some((Course::Settle, _)) => self.schedule.settled(job, now),
            Some((Course::Again, _)) => {}
            None => self.schedule.turn_lost(job, now),
        }
    }

    /// As [`Self::delivery_ended`], without an attempt.
    fn deferral_ended(&mut self, job: &Job, left: Option<Pending>, put: Put, now: Now) {
        if let Some(left) = left {
            self.schedule.insert(left, put, now);
        }
        self.schedule.deferral_ended(job, now);
    }

    /// Puts back what could not be done.
    fn put_back(&mut self, job: Job, again: JobAgain, wait: Duration, now: Now) {
        let wake = now.clock.plus(wait);
        match again {
            JobAgain::Trouble => {
                // Whatever its due time in the spool is by then.
                let due = Millis::NEVER;
                self.schedule.insert_again(&Job { due, ..job }, wake, now);
            }
            JobAgain::Taken => self.schedule.insert_again(&job, wake, now),
            JobAgain::Refused => {
                // Before what became due later.
                let wake = job.due.min(now.clock);
                self.schedule.insert_again(&job, wake, now);
            }
        }
    }

    /// How long to wait after a message could not be handled. A disk may work again at any time; damage hardly ever
    /// heals.
    fn wait(&mut self, message: QueueId, damaged: bool) -> Duration {
        if !damaged {
            self.damaged.remove(&message);
            return SPOOL_TROUBLE;
        }
        let next = self.damaged.entry(message).or_insert(SPOOL_TROUBLE);
        let wait = *next;
        *next = wait
            .saturating_mul(2)
            .min(self.limits.longest_delay.max(SPOOL_TROUBLE));
        wait
    }

    /// A bug of ours: the message stays in the spool, and is tried again.
    fn fault(&self, id: QueueId, error: &JoinError) -> Left {
        let error = error.to_string();
        self.events.write(&Event::Fault(Fault::Delivery { id, error }));
        Left {
            job: Some(JobAgain::Trouble),
            report: Some(ReportAgain::Trouble),
            ..Left::default()
        }
    }
}

/// The shares of all destinations by the policy in force.
fn shares<S: Spool>(delivery: Arc<Delivery<S>>) -> Shares {
    Box::new(move |next_hop| delivery.share(next_hop))
}
