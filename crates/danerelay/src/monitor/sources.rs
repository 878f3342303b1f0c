//! Where everything is taken from, and the task that takes it.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use delivery::SchedulerHandle;
use dns::Resolver;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use mail::Domain;
use policy::Policy;
use spool::Store;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use super::census::{Census, Counted, Exceptions, Vitals, open};
use super::metrics::Metrics;
use super::month::Month;
use crate::incidents::Board;
use crate::wiring::standing::Standing;

/// How often the census is taken if nobody asks, and how soon again if somebody does.
const PAUSE: Duration = Duration::from_secs(10);
const SOON: Duration = Duration::from_secs(1);
/// How often the ledger is read at most.
const MONTHLY: Duration = Duration::from_mins(5);
/// After a look there is a rest of so many times as long: taking takes no more than this part of the time.
const PAUSES: u32 = 20;
/// But it is not longer than this.
const LONGEST: Duration = Duration::from_mins(5);
/// How long the scheduler may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Rows of each table.
const ROWS: usize = 20;

/// How often the disk is asked, and after which time without an answer it counts as hanging.
const VITAL: Duration = Duration::from_secs(1);
const HANGS: Duration = Duration::from_secs(30);

/// Where everything is taken from.
pub(crate) struct Sources<S> {
    /// The name of the relay.
    pub(crate) hostname: Domain,
    /// Mail to these domains is internal.
    pub(crate) internal: Vec<Domain>,
    /// The queue, the ledger and the disk.
    pub(crate) spool: Arc<S>,
    /// The destinations.
    pub(crate) scheduler: SchedulerHandle,
    /// DNS.
    pub(crate) resolver: Resolver,
    /// The incidents.
    pub(crate) board: Board<S>,
    /// The policy in force.
    pub(crate) policy: Arc<ArcSwap<Policy>>,
    /// What is not as it should be with it.
    pub(crate) standing: Standing,
    /// How many clients are connected.
    pub(crate) clients: Box<dyn Fn() -> usize + Send + Sync>,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
}

/// The sources, and what was taken from them last.
pub(crate) struct Monitor<S> {
    pub(super) sources: Sources<S>,
    pub(super) census: ArcSwap<Census>,
    pub(super) vitals: ArcSwap<Vitals>,
    pub(super) month: ArcSwap<Counted<Month>>,
    /// Told when somebody has asked, who will want newer figures next time.
    asked: Notify,
}

impl<S: Store> Monitor<S> {
    /// Nothing has been taken yet.
    pub(crate) fn new(sources: Sources<S>) -> Arc<Self> {
        Arc::new(Self {
            census: ArcSwap::default(),
            vitals: ArcSwap::from_pointee(vitals(&*sources.spool)),
            month: ArcSwap::default(),
            asked: Notify::new(),
            sources,
        })
    }

    /// Takes census after census until the daemon stops.
    pub(crate) async fn watch(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
        tokio::select! {
            () = self.take_again_and_again() => {}
            () = self.read_the_ledger() => {}
            () = self.ask_the_disk() => {}
            // An error means that the sender is gone.
            _ = stopped.wait_for(|stop| *stop) => {}
        }
    }

    async fn take_again_and_again(&self) {
        loop {
            let began = Instant::now();
            self.census.store(Arc::new(self.take().await));
            let rest = began.elapsed().saturating_mul(PAUSES);
            sleep(rest.clamp(SOON, LONGEST)).await;
            // An error means that nobody has asked.
            let _ = timeout(PAUSE, self.asked.notified()).await;
        }
    }

    async fn read_the_ledger(&self) {
        loop {
            let began = Instant::now();
            let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
            let sources = &self.sources;
            let month = Month::take(&*sources.spool, today, &sources.internal).await;
            self.month.store(Arc::new(month.into()));
            sleep(MONTHLY.max(began.elapsed().saturating_mul(PAUSES))).await;
        }
    }

    /// On a thread of its own: a disk that hangs must not hold up those who ask, nor mail.
    async fn ask_the_disk(&self) {
        loop {
            let spool = Arc::clone(&self.sources.spool);
            let mut asking = tokio::task::spawn_blocking(move || vitals(&*spool));
            let answer = if let Ok(answer) = timeout(HANGS, &mut asking).await {
                answer
            } else {
                self.vitals.store(Arc::new(Vitals {
                    refuses: Some("the disk of the spool does not answer".to_owned()),
                    disk: None,
                }));
                asking.await
            };
            // An error is a panic, which has already been logged.
            if let Ok(vitals) = answer {
                self.vitals.store(Arc::new(vitals));
            }
            sleep(VITAL).await;
        }
    }

    async fn take(&self) -> Census {
        let (sources, now) = (&self.sources, Timestamp::now());
        let queue = sources.spool.summary(ROWS, now).await;
        let incidents = sources.board.incidents(now).await;
        let incidents = incidents.map(|all| open(all.into_iter().map(|one| one.incident).collect()));
        let today = now.to_zoned(TimeZone::UTC).date();
        let ledger = sources.spool.room(today).await;
        let standings = timeout(ANSWER, sources.scheduler.look(ROWS)).await;
        let lately = &sources.metrics.lately;
        lately.count();
        let is_read = queue.is_ok() && incidents.is_ok();
        Census {
            at: Some(now),
            read: if is_read {
                Some(now)
            } else {
                self.census.load().read
            },
            queue: queue.into(),
            incidents: incidents.into(),
            ledger: ledger.into(),
            standings: standings.ok().flatten(),
            extremes: lately.extremes(ROWS),
            exceptions: Exceptions::of(&sources.policy.load(), Zoned::now().date()),
            policy: sources.standing.all(),
        }
    }

    /// Somebody has asked.
    pub(super) fn note_interest(&self) {
        self.asked.notify_one();
    }

    /// Why this relay cannot do its work at the moment, if it cannot.
    pub(super) fn ailment(&self) -> Option<String> {
        if let Some(why) = &self.vitals.load().refuses {
            return Some(format!("no mail is accepted: {why}"));
        }
        let census = self.census.load();
        if let Counted::Failed(why) = &census.queue {
            return Some(format!("the queue cannot be read: {why}"));
        }
        if census.at.is_some() && census.standings.is_none() {
            return Some("nothing is delivered: the scheduler does not answer".to_owned());
        }
        None
    }
}

/// What the disk allows at this moment; it is asked.
fn vitals<S: Store>(spool: &S) -> Vitals {
    Vitals {
        refuses: spool.accepts().err().map(|error| error.to_string()),
        disk: spool.disk(),
    }
}
