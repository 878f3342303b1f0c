//! A queue in memory, and a clock that a test can move: for what takes days.

use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use delivery::Clock;
use jiff::{SignedDuration, Timestamp};
use mail::sighting::{FailingSpot, Spot};
use mail::{
    LedgerEntry, MailParameters, Mailbox, NextHop, Notice, Outcome, QueueId, RecipientParameters,
    ReversePath, Sighting,
};
use spool::leases::{LeaseGuard, LeaseTable};
use spool::{
    Accepted, After, Content, Flaw, Incoming, Lease, LeasedRecipient, Leasing, NewMessage, NoticedRecipient,
    Notices, Outcomes, Pending, RecipientIndex, Report, Reported, Settled, Spool, SpoolError,
};
use tokio::time::Instant;

/// The content of every message.
const CONTENT: &[u8] = b"Subject: kept\r\n\r\nhello\r\n";

/// A clock that goes with the runtime's paused time, but for its jumps.
pub struct VirtualClock {
    began: Instant,
    start: Timestamp,
    jumped: Mutex<SignedDuration>,
}

impl VirtualClock {
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            start: "2026-11-20T17:00:00Z".parse().unwrap(),
            jumped: Mutex::new(SignedDuration::ZERO),
        }
    }

    /// Goes forward or back, while no time passes for anything else.
    pub fn jump(&self, by: SignedDuration) {
        *self.jumped.lock() += by;
    }

    /// How long the machine has been awake.
    pub fn awake(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.began.elapsed()).unwrap();
        self.start + elapsed + *self.jumped.lock()
    }
}

/// One message with one recipient.
struct Stored {
    id: QueueId,
    created: Timestamp,
    reverse_path: ReversePath,
    recipient: Mailbox,
    parameters: RecipientParameters,
    attempts: u32,
    due: Timestamp,
    done: bool,
    delay_noticed: bool,
    notice: Option<(Outcome, Notice)>,
}

/// One attempt as it was settled.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub id: QueueId,
    pub outcome: Outcome,
    pub notice: Option<Notice>,
    pub entry: LedgerEntry,
    pub held_up: Option<Spot>,
    /// The time of day.
    pub at: Timestamp,
    /// How long the machine had been awake.
    pub awake: Duration,
}

/// The queue.
pub struct MemorySpool {
    clock: Arc<VirtualClock>,
    leases: LeaseTable,
    stored: Mutex<BTreeMap<QueueId, Stored>>,
    attempts: Mutex<Vec<Attempt>>,
    reports: Mutex<Vec<Report>>,
    /// What attempts have seen.
    sightings: Mutex<Vec<Sighting>>,
    /// What fails by what is recorded.
    failing_places: Mutex<Vec<FailingSpot>>,
    /// So many leases fail yet.
    failing: AtomicU32,
    /// So many reports fail yet.
    failing_reports: AtomicU32,
    /// Whether no envelope can be read.
    damaged: AtomicBool,
    /// Whether no content can be read.
    without_content: AtomicBool,
    /// Whether something of every message is said to be due that may bring more to tell.
    kept_back: AtomicBool,
}

impl MemorySpool {
    pub fn new(clock: Arc<VirtualClock>) -> Self {
        Self {
            clock,
            leases: LeaseTable::default(),
            stored: Mutex::default(),
            attempts: Mutex::default(),
            reports: Mutex::default(),
            sightings: Mutex::default(),
            failing_places: Mutex::default(),
            failing: AtomicU32::new(0),
            failing_reports: AtomicU32::new(0),
            damaged: AtomicBool::new(false),
            without_content: AtomicBool::new(false),
            kept_back: AtomicBool::new(false),
        }
    }

    /// Queues a message with one recipient, accepted at `created`.
    pub fn put(&self, sender: &str, recipient: &str, created: Timestamp) -> (QueueId, Vec<Pending>) {
        let stored = Stored {
            id: made_at(created),
            created,
            reverse_path: ReversePath::parse(sender).unwrap(),
            recipient: Mailbox::parse(recipient).unwrap(),
            parameters: RecipientParameters::default(),
            attempts: 0,
            due: created,
            done: false,
            delay_noticed: false,
            notice: None,
        };
        let (id, pending) = (stored.id, stored.pending());
        self.stored().insert(id, stored);
        (id, vec![pending])
    }

    /// What the administrator does by a retry.
    pub fn retry(&self, id: QueueId) -> Vec<Pending> {
        let now = self.clock.now();
        let mut stored = self.stored();
        let waiting = stored.get_mut(&id).filter(|one| !one.done);
        waiting
            .into_iter()
            .map(|one| {
                one.due = now;
                one.pending()
            })
            .collect()
    }

    /// Puts a message off, and tells nobody: as if the recipient for which the schedule stands had been held, and this one
    /// were beside it.
    pub fn put_off(&self, id: QueueId, until: Timestamp) {
        self.stored().get_mut(&id).unwrap().due = until;
    }

    /// The attempts on a message so far.
    pub fn attempts(&self, id: QueueId) -> Vec<Attempt> {
        let attempts = self.attempts.lock();
        attempts
            .iter()
            .filter(|attempt| attempt.id == id)
            .cloned()
            .collect()
    }

    /// All attempts so far.
    pub fn all_attempts(&self) -> Vec<Attempt> {
        self.attempts.lock().clone()
    }

    /// The reports so far.
    pub fn reports(&self) -> Vec<NewMessage> {
        let reports = self.reports.lock();
        reports.iter().map(|report| report.message.clone()).collect()
    }

    /// What attempts have seen since this was last called.
    pub fn sightings(&self) -> Vec<Sighting> {
        std::mem::take(&mut self.sightings.lock())
    }

    /// What is said to fail at the start.
    pub fn fails_at_start(&self, places: Vec<FailingSpot>) {
        *self.failing_places.lock() = places;
    }

    /// What they say.
    pub fn report_texts(&self) -> Vec<String> {
        let reports = self.reports.lock();
        let text = |report: &Report| String::from_utf8_lossy(&report.content).into_owned();
        reports.iter().map(text).collect()
    }

    /// The next leases fail.
    pub fn fail(&self, times: u32) {
        self.failing.store(times, Ordering::Relaxed);
    }

    /// The next reports fail.
    pub fn fail_reports(&self, times: u32) {
        self.failing_reports.store(times, Ordering::Relaxed);
    }

    /// From now on no envelope can be read.
    pub fn damage(&self) {
        self.damaged.store(true, Ordering::Relaxed);
    }

    /// Whether the content of every message is missing.
    pub fn lose_contents(&self, lost: bool) {
        self.without_content.store(lost, Ordering::Relaxed);
    }

    fn content(&self, id: QueueId) -> Content {
        if self.without_content.load(Ordering::Relaxed) {
            Content::Damaged(Flaw::Missing.of(id))
        } else {
            Content::Inline(Bytes::from_static(CONTENT))
        }
    }

    /// Takes a part in hand, as the administrator's doings do while they are written.
    pub fn take(&self, id: QueueId) -> LeaseGuard {
        let next_hop = self.stored()[&id].pending().next_hop;
        self.leases.take(id, &next_hop).unwrap()
    }

    /// Reports are not due by themselves.
    pub fn keep_reports_back(&self, kept: bool) {
        self.kept_back.store(kept, Ordering::Relaxed);
    }

    fn stored(&self) -> MutexGuard<'_, BTreeMap<QueueId, Stored>> {
        self.stored.lock()
    }
}

/// An id of this time.
fn made_at(time: Timestamp) -> QueueId {
    let mut id = QueueId::generate().to_bytes();
    let millis = u64::try_from(time.as_millisecond()).unwrap().to_be_bytes();
    id[..6].copy_from_slice(&millis[2..]);
    QueueId::from_bytes(id)
}

impl Stored {
    fn pending(&self) -> Pending {
        Pending {
            id: self.id,
            next_hop: NextHop::of(&self.recipient),
            due: self.due,
            recipients: 1,
            size: CONTENT.len() as u64,
        }
    }
}

/// Fails as long as it is to.
fn trouble(failing: &AtomicU32) -> Result<(), SpoolError> {
    let one_less = |left: u32| left.checked_sub(1);
    match failing.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less) {
        Ok(_) => Err(SpoolError::Full),
        Err(_) => Ok(()),
    }
}

impl Spool for MemorySpool {
    fn create(&self) -> Result<Incoming, SpoolError> {
        Err(SpoolError::Full)
    }

    async fn commit(&self, _: Incoming, _: NewMessage) -> Result<Accepted, SpoolError> {
        Err(SpoolError::Full)
    }

    async fn pending(&self, after: Option<QueueId>, limit: usize) -> Result<Vec<Pending>, SpoolError> {
        let stored = self.stored();
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let waiting = stored.range((after, Bound::Unbounded));
        let waiting = waiting.map(|(_, one)| one).filter(|one| !one.done);
        Ok(waiting.take(limit).map(Stored::pending).collect())
    }

    async fn lease(&self, id: QueueId, next_hop: &NextHop) -> Result<Leasing, SpoolError> {
        trouble(&self.failing)?;
        if self.damaged.load(Ordering::Relaxed) {
            return Err(SpoolError::Corrupt {
                id: Some(id),
                what: "a reverse-path that does not parse",
            });
        }
        let stored = self.stored();
        let Some(one) = stored.get(&id).filter(|one| !one.done) else {
            return Ok(Leasing::Nothing);
        };
        let Some(guard) = self.leases.take(id, next_hop) else {
            return Ok(Leasing::Taken);
        };
        Ok(Leasing::Leased(Box::new(Lease {
            id,
            next_hop: next_hop.clone(),
            created: one.created,
            reverse_path: one.reverse_path.clone(),
            parameters: MailParameters::of(mail::BodyType::SevenBit),
            size: CONTENT.len() as u64,
            recipients: vec![LeasedRecipient {
                index: RecipientIndex(0),
                address: one.recipient.clone(),
                parameters: one.parameters.clone(),
                attempts: one.attempts,
                due: one.due,
                delay_noticed: one.delay_noticed,
            }],
            accepted_recipients: 1,
            content: self.content(id),
            guard,
        })))
    }

    fn settle(
        &self,
        lease: Lease,
        outcomes: impl Into<Outcomes> + Send,
        _: Timestamp,
    ) -> impl Future<Output = Result<Settled, SpoolError>> + Send {
        let outcomes = outcomes.into();
        self.sightings.lock().extend(outcomes.sightings);
        let settlement = outcomes.settlements.into_iter().next().unwrap();
        let outcome = settlement.outcome();
        let mut stored = self.stored();
        let one = stored.get_mut(&lease.id).unwrap();
        one.attempts += 1;
        self.attempts.lock().push(Attempt {
            id: lease.id,
            outcome: outcome.clone(),
            notice: settlement.notice.clone(),
            entry: settlement.entry,
            held_up: settlement.ending.held_up().cloned(),
            at: self.clock.now(),
            awake: self.clock.awake(),
        });
        match settlement.ending.next_attempt() {
            Some(next) => one.due = next,
            None => one.done = true,
        }
        if let Some(notice) = settlement.notice {
            one.delay_noticed = true;
            one.notice = Some((outcome, notice));
        }
        let is_told_now = one.notice.is_some() && !self.kept_back.load(Ordering::Relaxed);
        let settled = Settled {
            pending: (!one.done).then(|| one.pending()),
            after: if is_told_now {
                After::ReportDue
            } else if one.done && one.notice.is_none() {
                After::Gone
            } else {
                After::Left
            },
        };
        std::future::ready(Ok(settled))
    }

    async fn failing(&self) -> Result<Vec<FailingSpot>, SpoolError> {
        Ok(self.failing_places.lock().clone())
    }

    async fn unreported(&self) -> Result<Vec<QueueId>, SpoolError> {
        let stored = self.stored();
        Ok(stored
            .values()
            .filter(|one| one.notice.is_some())
            .map(|one| one.id)
            .collect())
    }

    async fn notices(&self, id: QueueId) -> Result<Option<Notices>, SpoolError> {
        let stored = self.stored();
        let Some(one) = stored.get(&id) else {
            return Ok(None);
        };
        let (Some((outcome, notice)), Some(guard)) = (one.notice.clone(), self.leases.take_report(id)) else {
            return Ok(None);
        };
        Ok(Some(Notices {
            id,
            created: one.created,
            reverse_path: one.reverse_path.clone(),
            parameters: MailParameters::of(mail::BodyType::SevenBit),
            size: CONTENT.len() as u64,
            content: self.content(id),
            recipients: vec![NoticedRecipient {
                index: RecipientIndex(0),
                address: one.recipient.clone(),
                parameters: one.parameters.clone(),
                outcome,
                notice,
            }],
            guard,
        }))
    }

    async fn report(&self, notices: Notices, report: Option<Report>) -> Result<Reported, SpoolError> {
        trouble(&self.failing_reports)?;
        let mut stored = self.stored();
        let one = stored.get_mut(&notices.id).unwrap();
        one.notice = None;
        self.reports.lock().extend(report);
        Ok(Reported {
            pending: Vec::new(),
            after: if one.done { After::Gone } else { After::Left },
        })
    }

    fn release(&self, lease: Lease) {
        drop(lease);
    }
}
