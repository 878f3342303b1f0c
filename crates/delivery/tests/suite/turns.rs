//! Mail that waits for its turn for hours and days: its sender is warned and told of its end as if it were tried.
//!
//! No message here has its content, so that an attempt ends at once, asks nobody, and shows nothing about the destination.

use std::sync::Arc;
use std::time::Duration;

use crate::scene::common::{EXPIRED, OPPORTUNISTIC, assert_line};
use crate::scene::memory::{Attempt, MemorySpool, VirtualClock};
use crate::scene::{Log, Setting, start_under};
use delivery::{Clock as _, SchedulerHandle};
use jiff::{SignedDuration, Timestamp};
use mail::{Action, QueueId, Status};
use tokio::sync::watch;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

struct World {
    clock: Arc<VirtualClock>,
    spool: Arc<MemorySpool>,
    scheduler: SchedulerHandle,
    log: Arc<Log>,
    _stop: watch::Sender<bool>,
}

impl World {
    /// Mail for `paced.test` goes out at one message a minute, and lives for twelve hours.
    async fn new() -> Self {
        let clock = Arc::new(VirtualClock::new());
        let spool = Arc::new(MemorySpool::new(Arc::clone(&clock)));
        Self::around(clock, spool).await
    }

    async fn around(clock: Arc<VirtualClock>, spool: Arc<MemorySpool>) -> Self {
        let policy = format!("{OPPORTUNISTIC}[[domain]]\nmatch = \"paced.test\"\nmessages_per_minute = 1\n");
        let setting = Setting {
            // Longer than any message lives: each is tried once, and then at its end.
            retry: [30, 60, 6000].map(Duration::from_mins).to_vec(),
            max_age: 12 * HOUR,
            bounce_max_age: 12 * HOUR,
            delay_warning: Some(4 * HOUR),
            ..Setting::default()
        };
        spool.lose_contents(true);
        let (stop, stopped) = watch::channel(false);
        let log = Arc::default();
        let scheduler = start_under(&policy, &spool, &clock, &setting, &log, stopped).await;
        Self {
            clock,
            spool,
            scheduler,
            log,
            _stop: stop,
        }
    }

    fn accept(&self, sender: &str, count: usize) -> Vec<QueueId> {
        let accept = || {
            let (id, pending) = self.spool.put(sender, "a@paced.test", self.clock.now());
            self.scheduler.schedule(pending);
            id
        };
        std::iter::repeat_with(accept).take(count).collect()
    }

    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// What became of the messages that were not tried until then.
    fn waited(&self, ids: &[QueueId]) -> Vec<Vec<Attempt>> {
        let all = ids.iter().map(|id| self.spool.attempts(*id));
        all.filter(|attempts| {
            attempts
                .iter()
                .all(|one| one.outcome.reason.starts_with("waiting for its turn"))
        })
        .collect()
    }
}

fn age(attempt: &Attempt, created: Timestamp) -> Duration {
    Duration::try_from(attempt.at.duration_since(created)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_turn_is_late_and_expires_like_all_mail() {
    let world = World::new().await;
    let created = world.clock.now();
    // Four hours let 240 of them be tried; each of those comes again and takes turns from the others.
    let ids = world.accept("s@origin.test", 900);
    world.pass((4 * 60 - 1) * MINUTE).await;
    assert_eq!(world.spool.reports().len(), 0);
    world.pass(10 * MINUTE).await;
    let waited = world.waited(&ids);
    assert!(waited.len() > 600, "{}", waited.len());
    for attempts in &waited {
        let [late] = &attempts[..] else {
            panic!("{attempts:#?}");
        };
        assert_eq!(late.outcome.status, Status::Deferred);
        assert_eq!(late.outcome.enhanced.to_string(), "4.4.5");
        let action = late.notice.as_ref().unwrap().action;
        let Action::Delayed { will_retry_until } = action else {
            panic!("{action:?}");
        };
        assert_eq!(
            will_retry_until.duration_since(created),
            SignedDuration::from_hours(12)
        );
        assert!(age(late, created) < 4 * HOUR + 6 * MINUTE);
    }
    // The warnings go out, although the messages themselves are still due.
    world.pass(30 * MINUTE).await;
    assert!(world.spool.reports().len() >= waited.len());
    world.pass(8 * HOUR).await;
    let waited = world.waited(&ids);
    assert!(!waited.is_empty());
    for attempts in &waited {
        let [_, end] = &attempts[..] else {
            panic!("{attempts:#?}");
        };
        assert_eq!(end.outcome.status, Status::Expired);
        assert_eq!(end.notice.as_ref().unwrap().action, Action::Expired);
        let age = age(end, created);
        assert!(age >= 12 * HOUR && age < 12 * HOUR + 6 * MINUTE, "{age:?}");
    }
    let line = world.log.about(waited[0][1].id).pop().unwrap();
    assert_line(&line, &[EXPIRED, ("enhanced", "4.4.5"), ("dane", "-")]);
}

#[tokio::test(start_paused = true)]
async fn who_waits_keeps_its_place_and_of_what_nobody_is_told_nothing_is_written() {
    let world = World::new().await;
    let told = world.accept("s@origin.test", 300);
    world.pass(MINUTE).await;
    let quiet = world.accept("", 300);
    world.pass(4 * HOUR + 10 * MINUTE).await;
    assert!(quiet.iter().all(|id| world.spool.attempts(*id).is_empty()));
    // 250 of them have been tried; the last of them were warned before, and come before what was accepted later. The look is
    // between two turns.
    world.pass(45 * MINUTE + MINUTE / 2).await;
    let tried = |id: &&QueueId| {
        let attempts = world.spool.attempts(**id);
        attempts.iter().any(|one| one.outcome.reason.contains("damaged"))
    };
    assert_eq!(told.iter().filter(tried).count(), 296);
    assert_eq!(quiet.iter().filter(tried).count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_gives_nothing_up_that_had_no_turn() {
    let world = World::new().await;
    let ids = world.accept("s@origin.test", 900);
    world.pass(HOUR).await;
    world.clock.jump(SignedDuration::from_hours(20));
    // Their senders are warned, which counts as an attempt; the second one would take an hour.
    world.pass(55 * MINUTE).await;
    let expired = |attempts: &Vec<Attempt>| attempts.iter().any(|one| one.outcome.status == Status::Expired);
    assert_eq!(world.waited(&ids).iter().filter(|one| expired(one)).count(), 0);
    world.pass(15 * MINUTE).await;
    assert!(world.waited(&ids).iter().all(expired));
}

#[tokio::test(start_paused = true)]
async fn what_is_found_at_the_start_is_looked_at_as_well() {
    let clock = Arc::new(VirtualClock::new());
    let spool = Arc::new(MemorySpool::new(Arc::clone(&clock)));
    let created = clock.now() - SignedDuration::from_hours(5);
    let ids: Vec<QueueId> = (0..2_500)
        .map(|_| spool.put("s@origin.test", "a@paced.test", created).0)
        .collect();
    let world = World::around(clock, spool).await;
    world.pass(10 * MINUTE).await;
    let waited = world.waited(&ids);
    assert!(waited.len() > 2_400);
    assert!(
        waited
            .iter()
            .all(|attempts| attempts.len() == 1 && attempts[0].notice.is_some())
    );
}
