//! Days and weekends in moments: when mail is tried, reported late and given up, whatever the clock does.
//!
//! The recipients are addresses, which the policy `strict` never connects to: every attempt ends at once, and no
//! question goes out to the network.

use std::sync::Arc;
use std::time::Duration;

use crate::scene::memory::{Attempt, MemorySpool, VirtualClock};
use crate::scene::{Log, Setting};
use delivery::{Clock as _, SchedulerHandle};
use jiff::{SignedDuration, Timestamp};
use mail::{Action, AddressFamily, CauseKind, DeliverySecurity, QueueId, Status};
use tokio::sync::watch;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const RECIPIENT: &str = "a@[192.0.2.1]";

struct World {
    clock: Arc<VirtualClock>,
    spool: Arc<MemorySpool>,
    scheduler: SchedulerHandle,
    log: Arc<Log>,
    _stop: watch::Sender<bool>,
}

/// The defaults of the configuration.
fn defaults() -> Setting {
    Setting {
        retry: [5, 10, 20, 40, 60, 120, 240].map(Duration::from_mins).to_vec(),
        delay_warning: Some(4 * HOUR),
        ..Setting::default()
    }
}

impl World {
    async fn new(setting: Setting) -> Self {
        let clock = Arc::new(VirtualClock::new());
        let spool = Arc::new(MemorySpool::new(Arc::clone(&clock)));
        Self::around(clock, spool, setting).await
    }

    async fn around(clock: Arc<VirtualClock>, spool: Arc<MemorySpool>, setting: Setting) -> Self {
        let (stop, stopped) = watch::channel(false);
        let log = Arc::default();
        let scheduler = crate::scene::start_around(&spool, &clock, &setting, &log, stopped).await;
        Self {
            log,
            clock,
            spool,
            scheduler,
            _stop: stop,
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn accept(&self, sender: &str, created: Timestamp) -> QueueId {
        let (id, pending) = self.spool.put(sender, RECIPIENT, created);
        self.scheduler.schedule(pending);
        id
    }

    /// So much time passes.
    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    async fn until_final(&self, id: QueueId) -> Vec<Attempt> {
        for _ in 0..40 * 24 * 60 {
            let attempts = self.spool.attempts(id);
            if attempts
                .last()
                .is_some_and(|attempt| attempt.outcome.status.is_final())
            {
                return attempts;
            }
            self.pass(MINUTE).await;
        }
        panic!("never: {:#?}", self.spool.attempts(id));
    }
}

/// The time from each attempt to the next, as the machine was awake.
fn gaps(attempts: &[Attempt]) -> Vec<Duration> {
    attempts
        .windows(2)
        .map(|two| two[1].awake.abs_diff(two[0].awake))
        .collect()
}

/// Whether `gap` is `delay`, jitter and the time of a look at the clock included.
fn is_about(gap: Duration, delay: Duration) -> bool {
    let slack = Duration::from_secs(31);
    gap + slack >= delay && gap <= delay.mul_f64(1.2) + slack
}

#[tokio::test(start_paused = true)]
async fn retried_by_the_schedule_until_the_age_is_reached_to_the_second() {
    let world = World::new(defaults()).await;
    let created = world.now();
    let id = world.accept("s@origin.test", created);
    let attempts = world.until_final(id).await;
    let gaps = gaps(&attempts);
    for (gap, minutes) in gaps.iter().zip([5, 10, 20, 40, 60, 120, 240, 240, 240]) {
        assert!(is_about(*gap, minutes * MINUTE), "{gap:?} for {minutes} min");
    }
    // 5 days: at most 35 attempts, and the last of them on the fifth day to the second.
    let last = attempts.last().unwrap();
    assert!((30..=40).contains(&attempts.len()), "{}", attempts.len());
    assert_eq!(last.outcome.status, Status::Expired);
    let age = last.at.duration_since(created);
    let five_days = SignedDuration::from_hours(120);
    assert!(
        age >= five_days && age < five_days + SignedDuration::from_secs(1),
        "{age}"
    );
    // Two of the gaps of four hours differ: the delays are spread.
    assert_ne!(gaps[8], gaps[9]);
}

#[tokio::test(start_paused = true)]
async fn the_sender_hears_once_that_mail_is_late_and_once_of_its_end() {
    let world = World::new(defaults()).await;
    let id = world.accept("s@origin.test", world.now());
    let quiet = world.accept("", world.now());
    let attempts = world.until_final(id).await;
    world.until_final(quiet).await;
    let told: Vec<(usize, Action)> = attempts
        .iter()
        .enumerate()
        .filter_map(|(number, attempt)| Some((number, attempt.notice.as_ref()?.action)))
        .collect();
    let [
        (late, Action::Delayed { will_retry_until }),
        (end, Action::Expired),
    ] = told[..]
    else {
        panic!("{told:?}");
    };
    // After four hours the sixth or seventh attempt is over.
    assert!((5..=7).contains(&late), "{late}");
    assert_eq!(end, attempts.len() - 1);
    assert_eq!(
        will_retry_until.duration_since(attempts[0].at),
        SignedDuration::from_hours(120)
    );
    let reports = world.spool.reports();
    assert_eq!(reports.len(), 2);
    assert!(
        reports
            .iter()
            .all(|report| report.envelope.recipients[0].address.as_str() == "s@origin.test")
    );
    // Of what has nobody to be told, nobody is told.
    assert!(
        world
            .spool
            .attempts(quiet)
            .iter()
            .all(|attempt| attempt.notice.is_none())
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_warning_there_is_none() {
    let setting = Setting {
        delay_warning: None,
        ..defaults()
    };
    let world = World::new(setting).await;
    let id = world.accept("s@origin.test", world.now());
    world.until_final(id).await;
    assert_eq!(world.spool.reports().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_weekend_asleep_costs_one_attempt() {
    let world = World::new(defaults()).await;
    let id = world.accept("s@origin.test", world.now());
    world.pass(20 * MINUTE).await;
    assert_eq!(world.spool.attempts(id).len(), 3);
    world.clock.jump(SignedDuration::from_hours(3 * 24));
    world.pass(MINUTE).await;
    assert_eq!(world.spool.attempts(id).len(), 4);
    let attempts = world.until_final(id).await;
    let last = attempts.last().unwrap();
    assert_eq!(last.outcome.status, Status::Expired);
    // Five days by the clock, two of them awake.
    let awake = last.awake.abs_diff(attempts[0].awake);
    assert!(
        is_about(awake, 48 * HOUR) && awake <= 48 * HOUR + MINUTE,
        "{awake:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_sleep_longer_than_the_age_gives_nothing_up() {
    let world = World::new(defaults()).await;
    let id = world.accept("s@origin.test", world.now());
    world.pass(MINUTE).await;
    world.clock.jump(SignedDuration::from_hours(30 * 24));
    let attempts = world.until_final(id).await;
    // As many as there are listed delays, at their distance.
    assert_eq!(attempts.len(), 7);
    for (gap, minutes) in gaps(&attempts)[1..].iter().zip([10, 20, 40, 60, 120]) {
        assert!(is_about(*gap, minutes * MINUTE), "{gap:?} for {minutes} min");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_goes_back_puts_nothing_to_sleep() {
    let world = World::new(defaults()).await;
    let id = world.accept("s@origin.test", world.now());
    world.pass(MINUTE).await;
    world.clock.jump(-SignedDuration::from_hours(10 * 24));
    world.pass(4 * HOUR + MINUTE).await;
    let before = world.spool.attempts(id).len();
    assert!(before >= 2, "{before}");
    // From there on the schedule goes on, and the age counts from the acceptance by the clock as it is then.
    world.pass(24 * HOUR).await;
    assert!(world.spool.attempts(id).len() >= before + 5);
    assert!(
        world
            .spool
            .attempts(id)
            .iter()
            .all(|one| one.outcome.status == Status::Deferred)
    );
}

#[tokio::test(start_paused = true)]
async fn years_forward_and_back_lose_and_flood_nothing() {
    let world = World::new(defaults()).await;
    let id = world.accept("s@origin.test", world.now());
    world.pass(MINUTE).await;
    let years = SignedDuration::from_hours(20 * 365 * 24);
    world.clock.jump(years);
    world.pass(HOUR).await;
    let meanwhile = world.accept("s@origin.test", world.now());
    world.pass(MINUTE).await;
    world.clock.jump(-years);
    let attempts = world.spool.attempts(id).len();
    assert!((3..=6).contains(&attempts), "{attempts}");
    for id in [id, meanwhile] {
        let attempts = world.until_final(id).await;
        assert_eq!(attempts.last().unwrap().outcome.status, Status::Expired);
        assert!(attempts.len() >= 7);
        // The first wait ended with the jump ahead, the last with the message's time.
        let gaps = gaps(&attempts);
        let waits = &gaps[1..gaps.len() - 1];
        assert!(waits.iter().all(|gap| *gap >= 4 * MINUTE), "{gaps:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn mail_from_the_future_is_tried_as_if_it_were_new() {
    let clock = Arc::new(VirtualClock::new());
    let spool = Arc::new(MemorySpool::new(Arc::clone(&clock)));
    // Found at start, written when the clock was a month ahead.
    let ahead = clock.now() + SignedDuration::from_hours(30 * 24);
    let (id, _) = spool.put("s@origin.test", RECIPIENT, ahead);
    let world = World::around(clock, spool, defaults()).await;
    world.pass(4 * HOUR + MINUTE).await;
    let attempts = world.spool.attempts(id);
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].notice, None, "it is not late");
    world.pass(24 * HOUR).await;
    assert!(world.spool.attempts(id).len() > 6);
}

#[tokio::test(start_paused = true)]
async fn the_administrators_retry_is_one_attempt_more_and_no_second_schedule() {
    let world = World::new(defaults()).await;
    let id = world.accept("s@origin.test", world.now());
    world.pass(5 * HOUR).await;
    let before = world.spool.attempts(id).len();
    world.scheduler.schedule(world.spool.retry(id));
    world.pass(Duration::from_secs(1)).await;
    assert_eq!(world.spool.attempts(id).len(), before + 1);
    // The entry for the old time is still there and must come to nothing.
    world.pass(24 * HOUR).await;
    let attempts = world.spool.attempts(id);
    let gaps = gaps(&attempts[before..]);
    assert!(gaps.len() >= 4);
    assert!(gaps.iter().all(|gap| is_about(*gap, 4 * HOUR)), "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_found_put_off_is_taken_up_at_its_new_time() {
    let world = World::new(defaults()).await;
    let id = world.accept("s@origin.test", world.now());
    world.pass(MINUTE).await;
    assert_eq!(world.spool.attempts(id).len(), 1);
    world
        .spool
        .put_off(id, world.now() + SignedDuration::from_mins(30));
    world.pass(29 * MINUTE).await;
    assert_eq!(world.spool.attempts(id).len(), 1);
    world.pass(2 * MINUTE).await;
    assert_eq!(world.spool.attempts(id).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn told_of_and_found_is_delivered_once() {
    let clock = Arc::new(VirtualClock::new());
    let spool = Arc::new(MemorySpool::new(Arc::clone(&clock)));
    let (id, pending) = spool.put("s@origin.test", RECIPIENT, clock.now());
    let world = World::around(clock, spool, defaults()).await;
    world.scheduler.schedule(pending.clone());
    world.scheduler.schedule(pending);
    world.pass(MINUTE).await;
    assert_eq!(world.spool.attempts(id).len(), 1);
    world.pass(5 * MINUTE).await;
    assert_eq!(world.spool.attempts(id).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn all_that_is_found_at_start_is_delivered_once() {
    let clock = Arc::new(VirtualClock::new());
    let spool = Arc::new(MemorySpool::new(Arc::clone(&clock)));
    // More than two pages of the scan.
    let ids: Vec<QueueId> = (0..2_500)
        .map(|_| spool.put("s@origin.test", RECIPIENT, clock.now()).0)
        .collect();
    let world = World::around(clock, spool, defaults()).await;
    world.pass(MINUTE).await;
    assert!(ids.iter().all(|id| world.spool.attempts(*id).len() == 1));
}

#[tokio::test(start_paused = true)]
async fn a_dead_destination_is_tried_rarely_and_each_message_ends_in_its_own_time() {
    let world = World::new(defaults()).await;
    let mut all = Vec::new();
    for _ in 0..100 {
        all.push((world.accept("s@origin.test", world.now()), world.now()));
        world.pass(MINUTE).await;
    }
    let mut tried = 0;
    for (id, created) in all {
        let attempts = world.until_final(id).await;
        let last = attempts.last().unwrap();
        assert_eq!(last.outcome.status, Status::Expired);
        let (age, five_days) = (last.at.duration_since(created), SignedDuration::from_hours(120));
        assert!(
            age >= five_days && age < five_days + SignedDuration::from_secs(1),
            "{age}"
        );
        assert!((30..=40).contains(&attempts.len()), "{}", attempts.len());
        let told = attempts.iter().filter(|attempt| attempt.notice.is_some());
        assert_eq!(told.count(), 2, "late, and returned");
        let not_tried = |attempt: &&Attempt| attempt.outcome.reason.starts_with("not tried, because ");
        tried += attempts.len() - attempts.iter().filter(not_tried).count();
    }
    // Of more than 3,000 steps: one an hour, those at the beginning, and the last one of each message.
    assert!((200..=250).contains(&tried), "{tried}");
    assert_eq!(world.spool.reports().len(), 200);
    let summaries = world.log.events("destination");
    assert!(
        summaries.iter().all(|line| line["state"] == "failing"),
        "{summaries:?}"
    );
    assert!(!summaries.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_the_spool_cannot_do_now_is_done_when_it_can() {
    let world = World::new(defaults()).await;
    // The scan at start is over.
    world.pass(Duration::from_secs(1)).await;
    world.spool.fail(3);
    let id = world.accept("s@origin.test", world.now());
    world.pass(Duration::from_secs(89)).await;
    assert_eq!(world.spool.attempts(id).len(), 0);
    world.pass(Duration::from_secs(2)).await;
    assert_eq!(world.spool.attempts(id).len(), 1);
    // The report on the delay fails, is made later, and once.
    world.spool.fail_reports(2);
    while world.spool.attempts(id).last().unwrap().notice.is_none() {
        world.pass(Duration::from_secs(1)).await;
    }
    world.pass(20 * MINUTE).await;
    assert_eq!(world.spool.reports().len(), 0);
    world.pass(MINUTE + Duration::from_secs(1)).await;
    assert_eq!(world.spool.reports().len(), 1);
    world.pass(2 * HOUR).await;
    assert_eq!(world.spool.reports().len(), 1);
    let troubles = world.log.events("spool");
    assert_eq!(troubles.len(), 5);
    assert!(troubles.iter().all(|event| event["id"] == id.to_string()));
}

#[tokio::test(start_paused = true)]
async fn what_waited_for_a_held_recipient_is_told_at_the_administrators_word() {
    let world = World::new(defaults()).await;
    let id = world.accept("s@origin.test", world.now());
    world.spool.keep_reports_back(true);
    world.until_final(id).await;
    assert_eq!(world.spool.reports().len(), 1, "of the delay");
    world.scheduler.report(vec![id]);
    world.pass(Duration::from_secs(1)).await;
    assert_eq!(world.spool.reports().len(), 2);
    world.pass(HOUR).await;
    assert_eq!(world.spool.reports().len(), 2);
}

/// Other recipients of the message may be due, and wait for their turns for days.
#[tokio::test(start_paused = true)]
async fn what_other_recipients_keep_back_is_told_in_minutes() {
    let world = World::new(defaults()).await;
    let id = world.accept("s@origin.test", world.now());
    world.spool.keep_reports_back(true);
    while world
        .spool
        .attempts(id)
        .last()
        .is_none_or(|last| last.notice.is_none())
    {
        world.pass(Duration::from_secs(1)).await;
    }
    world.pass(19 * MINUTE).await;
    assert_eq!(world.spool.reports().len(), 0, "more may be late by then");
    world.pass(2 * MINUTE).await;
    assert_eq!(world.spool.reports().len(), 1);
    world.until_final(id).await;
    world.pass(3 * MINUTE).await;
    assert_eq!(world.spool.reports().len(), 1, "more may have failed by then");
    world.pass(2 * MINUTE + Duration::from_secs(1)).await;
    assert_eq!(world.spool.reports().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn every_attempt_is_an_entry_of_the_ledger() {
    let world = World::new(defaults()).await;
    let id = world.accept("s@origin.test", world.now());
    let attempts = world.until_final(id).await;
    let (last, before) = attempts.split_last().unwrap();
    assert!(
        before
            .iter()
            .all(|attempt| attempt.entry.key.status == Status::Deferred && attempt.entry.octets == 0)
    );
    assert!(
        before
            .iter()
            .chain([last])
            .all(|attempt| attempt.entry.at == attempt.at)
    );
    assert!(last.entry.octets > 0);
    let key = &last.entry.key;
    assert_eq!(key.status, Status::Expired);
    assert_eq!(key.domain.as_ref().unwrap().to_string(), "[192.0.2.1]");
    assert_eq!((&key.host, key.family), (&None, AddressFamily::None));
    assert_eq!(key.security, DeliverySecurity::None);
    assert_eq!(key.cause, Some(CauseKind::AddressLiteral));
}

#[tokio::test(start_paused = true)]
async fn what_is_in_other_hands_is_tried_when_they_let_go() {
    let world = World::new(defaults()).await;
    let id = world.accept("s@origin.test", world.now());
    world.pass(MINUTE).await;
    assert_eq!(world.spool.attempts(id).len(), 1);
    // It falls due while the administrator's action is written, and that fails: nobody tells the scheduler.
    let hands = world.spool.take(id);
    world.pass(7 * MINUTE).await;
    drop(hands);
    assert_eq!(world.spool.attempts(id).len(), 1);
    world.pass(MINUTE).await;
    assert_eq!(world.spool.attempts(id).len(), 2);
    // What has been put off meanwhile is left for its time.
    let hands = world.spool.take(id);
    world.pass(12 * MINUTE).await;
    let until = world.now() + SignedDuration::from_mins(30);
    world.spool.put_off(id, until);
    drop(hands);
    world.pass(29 * MINUTE).await;
    assert_eq!(world.spool.attempts(id).len(), 2);
    world.pass(2 * MINUTE).await;
    assert_eq!(world.spool.attempts(id).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_envelope_is_told_of_ever_more_rarely() {
    let world = World::new(defaults()).await;
    // The scan at start is over.
    world.pass(Duration::from_secs(1)).await;
    world.spool.damage();
    let id = world.accept("s@origin.test", world.now());
    // After 0, 30, 90, 210 ... seconds: the n-th at 30 * (2^n - 1), until four hours lie between two.
    world.pass(HOUR).await;
    assert_eq!(world.log.events("spool").len(), 7);
    world.pass(23 * HOUR).await;
    let events = world.log.events("spool");
    assert!((13..=15).contains(&events.len()), "{}", events.len());
    let remedy = format!("danerelay queue delete --id {id}");
    assert!(events.iter().all(|event| event["remedy"] == remedy));
}
