#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation
)]
use super::*;

use jiff::Timestamp;
use mail::Stage;
use mail::cause::{Cause, ConnectionFault};

use mail::QueueId;

use crate::when::job::Suspension;
use crate::when::overdue::Ages;

mod failing;
mod histories;
mod paces;

const HOUR: u64 = 3600;
const MINUTE: u64 = 60;

/// A schedule and its time, in which a test does what the scheduler does.
struct Bench {
    schedule: Schedule,
    now: Now,
    began: Now,
}

fn pending(domain: &str, due: Timestamp) -> Pending {
    Pending {
        id: QueueId::generate(),
        next_hop: domain.parse().unwrap(),
        due,
        recipients: 1,
        size: 1,
    }
}

/// The same, of a message that was accepted then.
fn accepted(domain: &str, second: u64) -> Pending {
    let mut id = QueueId::generate().to_bytes();
    id[..6].copy_from_slice(&at(second).as_millisecond().to_be_bytes()[2..]);
    Pending {
        id: QueueId::from_bytes(id),
        ..pending(domain, at(second))
    }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_second(1_000_000_000 + i64::try_from(seconds).unwrap()).unwrap()
}

fn down() -> Shown {
    let cause = Cause::Connection(ConnectionFault::TimedOut(Stage::Connect));
    let record = crate::attempt::HostRecord::without_route(policy::settings::DaneMode::Opportunistic, 25);
    Shown::Down(Suspension::after(&cause.into(), &record))
}

fn busy() -> Shown {
    match down() {
        Shown::Down(suspension) => Shown::Busy(suspension),
        other => other,
    }
}

impl Bench {
    fn new() -> Self {
        Self::with(Share {
            connections: 20,
            interval: Duration::ZERO,
        })
    }

    fn with(share: Share) -> Self {
        let shares = Box::new(move |_: &NextHop| share);
        let now = Now {
            clock: at(0).into(),
            awake: Instant::now(),
        };
        let ages = Ages {
            warning: Some(Duration::from_hours(4)),
            end: Duration::from_hours(120),
        };
        let overdue = Overdue::new(ages, now.awake);
        Self {
            schedule: Schedule::new(shares, (500, Duration::from_hours(4)), overdue),
            now,
            began: now,
        }
    }

    /// The time is that of [`at`] from now on.
    fn at(&mut self, seconds: u64) {
        let passed = Duration::from_secs(seconds);
        self.now.clock = self.began.clock.plus(passed);
        self.now.awake = self.began.awake + passed;
    }

    fn insert(&mut self, pending: &Pending) {
        self.schedule.insert(pending.clone(), Put::Own, self.now);
    }

    /// New messages for a destination, the oldest first.
    fn accept(&mut self, domain: &str, count: usize) -> Vec<QueueId> {
        let mut all: Vec<Pending> = (0..count).map(|_| pending(domain, at(0))).collect();
        all.sort_by_key(|one| one.id);
        for one in &all {
            self.insert(one);
        }
        all.iter().map(|one| one.id).collect()
    }

    fn next(&mut self) -> Option<Due> {
        self.schedule.take_due(self.now, usize::MAX);
        self.schedule.next(self.now)
    }

    /// The next attempt.
    fn attempt(&mut self) -> Option<Job> {
        match self.next()? {
            Due::Attempt(job) => Some(job),
            Due::Defer(job, _) => panic!("{job:?} is deferred"),
        }
    }

    fn attempts(&mut self) -> Vec<Job> {
        std::iter::from_fn(|| self.attempt()).collect()
    }

    /// What is deferred without an attempt.
    fn deferred(&mut self) -> Option<Job> {
        match self.next()? {
            Due::Defer(job, _) => Some(job),
            Due::Attempt(job) => panic!("{job:?} is tried"),
        }
    }

    fn end(&mut self, job: &Job, shown: Shown) {
        let (course, _) = self.schedule.turn_ended(job, shown, self.now);
        assert_eq!(course, Course::Settle);
        self.schedule.settled(job, self.now);
    }

    /// An attempt after which the message waits until `due`.
    fn fail(&mut self, job: &Job, shown: Shown, due: u64) {
        let (course, put) = self.schedule.turn_ended(job, shown, self.now);
        assert_eq!(course, Course::Settle);
        self.put_off(job, put, due);
        self.schedule.settled(job, self.now);
    }

    /// A deferral without an attempt after which the message waits until `due`.
    fn defer(&mut self, job: &Job, due: u64) {
        self.put_off(job, Put::NotTried, due);
        self.schedule.deferral_ended(job, self.now);
    }

    fn put_off(&mut self, job: &Job, put: Put, due: u64) {
        let left = Pending {
            id: job.id,
            next_hop: (*job.next_hop).clone(),
            ..pending("x", at(due))
        };
        self.schedule.insert(left, put, self.now);
    }

    /// Five messages fail, and wait until `due`.
    fn suspend(&mut self, domain: &str, due: u64) -> Vec<QueueId> {
        let ids = self.accept(domain, 5);
        for job in self.attempts() {
            self.fail(&job, down(), due);
        }
        ids
    }

    fn entries(&self) -> usize {
        let all = self.schedule.destinations.values();
        all.map(|known| known.destination.len()).sum()
    }
}

fn ids(jobs: &[Job]) -> Vec<QueueId> {
    jobs.iter().map(|job| job.id).collect()
}

#[test]
fn in_the_order_of_their_times() {
    let mut bench = Bench::new();
    let [late, early] = [pending("a.example", at(20)), pending("a.example", at(10))];
    let expected = [early.id, late.id];
    for one in [late, early] {
        bench.insert(&one);
    }
    bench.at(3);
    assert_eq!(bench.schedule.until_next(bench.now), Some(Duration::from_secs(7)));
    bench.at(9);
    assert!(bench.attempt().is_none());
    bench.at(20);
    let taken = bench.attempts();
    assert_eq!(ids(&taken), expected);
    assert_eq!(bench.schedule.until_next(bench.now), None);
}

#[test]
fn nothing_waits_for_a_clock_that_went_back() {
    let mut bench = Bench::new();
    let days = 10 * 24 * HOUR;
    bench.at(days - HOUR);
    bench.insert(&pending("a.example", at(days)));
    bench.at(0);
    let near = pending("b.example", at(2 * HOUR));
    bench.insert(&near);
    // Ten days back, so that one entry is far ahead; the other is where it was.
    assert_eq!(bench.schedule.pull_in(bench.now), 1);
    bench.at(MINUTE);
    assert_eq!(bench.schedule.pull_in(bench.now), 0);
    bench.at(2 * HOUR);
    assert_eq!(bench.attempt().map(|job| job.id), Some(near.id));
    bench.at(4 * HOUR - 1);
    assert!(bench.attempt().is_none());
    bench.at(4 * HOUR);
    // Its due time is still that of the spool.
    assert_eq!(bench.attempt().map(|job| job.due), Some(at(days).into()));
}

#[test]
fn what_is_found_far_ahead_is_taken_up_after_the_longest_delay() {
    let just = 4 * HOUR + 48 * MINUTE + 1;
    for (due, taken_up) in [(just, just), (just + 1, 4 * HOUR)] {
        let mut bench = Bench::new();
        bench.insert(&pending("a.example", at(due)));
        let next = bench.schedule.until_next(bench.now);
        assert_eq!(next, Some(Duration::from_secs(taken_up)));
    }
}

#[test]
fn destinations_are_shared_and_forgotten() {
    let mut bench = Bench::new();
    bench.accept("a.example", 3);
    assert_eq!(bench.schedule.destinations.len(), 1);
    for job in bench.attempts() {
        assert_eq!(bench.schedule.destinations.len(), 1);
        bench.end(&job, Shown::Works);
    }
    assert_eq!(bench.schedule.destinations.len(), 0);
}

#[test]
fn however_often_a_part_is_told_of_it_waits_once_for_the_earliest_time() {
    let mut bench = Bench::new();
    let parts: Vec<Pending> = (0..3_000).map(|_| pending("a.example", at(HOUR))).collect();
    for round in 0..10 {
        for part in &parts {
            let due = at(if round == 0 { HOUR } else { 100 - round });
            bench.insert(&Pending { due, ..part.clone() });
            bench.insert(part);
        }
        assert_eq!(bench.entries(), 3_000);
    }
    let elsewhere = Pending {
        id: parts[0].id,
        ..pending("b.example", at(HOUR))
    };
    bench.insert(&elsewhere);
    bench.at(91);
    let mut taken = 0;
    while let Some(job) = bench.attempt() {
        assert_eq!(job.due, at(91).into());
        bench.end(&job, Shown::Works);
        taken += 1;
    }
    assert_eq!((taken, bench.entries()), (3_000, 1));
    // A part that was taken up waits again if it is inserted again.
    bench.insert(&parts[0]);
    assert_eq!(bench.entries(), 2);
}

#[test]
fn an_entry_is_small() {
    assert!(size_of::<Entry>() <= 32 && size_of::<Known>() <= 64);
}

#[test]
fn destinations_take_turns_within_their_windows() {
    let mut bench = Bench::with(Share {
        connections: 2,
        interval: Duration::ZERO,
    });
    bench.accept("a.example", 3);
    bench.accept("b.example", 1);
    let begun = bench.attempts();
    let mut order: Vec<String> = begun.iter().map(|job| job.next_hop.to_string()).collect();
    order[..2].sort();
    assert_eq!(order, ["a.example", "b.example", "a.example"]);
    // The fourth starts when one for its destination has ended.
    let (a, b): (Vec<Job>, Vec<Job>) = begun
        .into_iter()
        .partition(|job| job.next_hop.to_string() == "a.example");
    bench.end(&b[0], Shown::Works);
    assert!(bench.attempt().is_none());
    bench.end(&a[0], Shown::Works);
    assert!(bench.attempt().is_some());
}

#[test]
fn what_is_sent_and_not_yet_recorded_counts_to_the_limit_of_a_destination() {
    let mut bench = Bench::with(Share {
        connections: 2,
        interval: Duration::ZERO,
    });
    bench.accept("a.example", 3);
    let begun = bench.attempts();
    for job in &begun {
        bench.schedule.turn_ended(job, Shown::Works, bench.now);
    }
    assert!(bench.attempt().is_none());
    bench.schedule.settled(&begun[0], bench.now);
    assert!(bench.attempt().is_some());
}

#[test]
fn a_backlog_holds_no_more_than_its_share_of_all_places_while_others_wait() {
    let mut bench = Bench::with(Share {
        connections: 500,
        interval: Duration::ZERO,
    });
    bench.schedule.resize(50);
    bench.accept("big.example", 1_000);
    bench.accept("small.example", 5);
    // Ten places: five of them for the small one, all that it has; and the big one has at most a tenth until then.
    let begun: Vec<Job> = std::iter::from_fn(|| bench.attempt()).take(10).collect();
    let small = begun
        .iter()
        .filter(|job| job.next_hop.to_string() == "small.example");
    assert_eq!(small.count(), 5);
}

/// `cargo test -p delivery what_an_entry_costs -- --ignored --nocapture`: the memory of a full queue.
#[test]
#[ignore = "a measurement"]
fn what_an_entry_costs() {
    fn resident() -> usize {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    }
    for (destinations, messages) in [(200_000, 1_000_000), (1, 1_000_000)] {
        let before = resident();
        let mut bench = Bench::new();
        for number in 0..messages {
            let domain = format!("destination-{}.example", number % destinations);
            bench.insert(&pending(&domain, at(HOUR + number % 10_000)));
        }
        let octets = resident() - before;
        println!(
            "{messages} to {destinations}: {octets} octets, {} each",
            octets / messages as usize
        );
        assert_eq!(bench.entries(), messages as usize);
        // The allocator does not always give back what is freed: the next one is measured on top of it.
        std::mem::forget(bench);
    }
}
