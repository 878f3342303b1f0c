//! Whatever happens at a destination: nothing of what waits for it is forgotten.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

const DOMAIN: &str = "a.example";
/// After this age mail is given up by whoever looks at it.
const END: u64 = 120 * HOUR;

/// What happens.
#[derive(Debug, Clone, Copy)]
enum Step {
    Accept(usize),
    /// So many seconds pass.
    Pass(u64),
    /// An attempt ends, and what is left of it comes again after so many seconds.
    End(usize, How, u64),
    /// So many end alike, a second apart, and all else that is in progress.
    Row(usize, How, u64),
    /// An outcome has been written.
    Settle(usize),
    /// An attempt ends without an outcome, after trouble with the spool.
    Lose(usize),
    /// A deferral without an attempt ends.
    Defer(usize, u64),
    Forget,
    Reload,
}

/// What an attempt shows.
#[derive(Debug, Clone, Copy)]
enum How {
    Works,
    WorksWaived,
    Nothing,
    Busy,
    Down,
    Early(u64),
    Crowded(u64),
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![
        3 => Just(How::Works),
        1 => Just(How::WorksWaived),
        1 => Just(How::Nothing),
        8 => Just(How::Busy),
        5 => Just(How::Down),
        1 => (1..2 * HOUR).prop_map(How::Early),
        1 => (1..10_u64).prop_map(How::Crowded),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let which = || 0..64_usize;
    prop_oneof![
        2 => (1..30_usize).prop_map(Step::Accept),
        4 => prop_oneof![0..3_u64, 0..5 * MINUTE].prop_map(Step::Pass),
        12 => (which(), how(), MINUTE..HOUR).prop_map(|(which, how, wait)| Step::End(which, how, wait)),
        4 => (1..12_usize, how(), MINUTE..HOUR).prop_map(|(count, how, wait)| Step::Row(count, how, wait)),
        8 => which().prop_map(Step::Settle),
        1 => which().prop_map(Step::Lose),
        6 => (which(), MINUTE..HOUR).prop_map(|(which, wait)| Step::Defer(which, wait)),
        1 => Just(Step::Forget),
        1 => Just(Step::Reload),
    ]
}

/// A schedule, and what its scheduler has in progress.
struct World {
    bench: Bench,
    second: u64,
    attempts: Vec<Job>,
    settling: Vec<(Job, Put, u64)>,
    deferring: Vec<(Job, Put)>,
    /// All messages that are not done.
    left: HashSet<QueueId>,
}

/// One of these, taken out.
fn one<T>(of: &mut Vec<T>, which: usize) -> Option<T> {
    (!of.is_empty()).then(|| of.swap_remove(which % of.len()))
}

impl World {
    fn new(interval: u64) -> Self {
        Self {
            bench: Bench::with(Share {
                connections: 20,
                interval: Duration::from_secs(interval),
            }),
            second: 0,
            attempts: Vec::new(),
            settling: Vec::new(),
            deferring: Vec::new(),
            left: HashSet::new(),
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Accept(count) => {
                for _ in 0..count {
                    let one = accepted(DOMAIN, self.second);
                    self.left.insert(one.id);
                    self.bench.insert(&one);
                }
            }
            Step::Pass(seconds) => {
                self.second += seconds;
                self.bench.at(self.second);
            }
            Step::End(which, how, wait) => self.end(which, how, wait),
            Step::Row(count, how, wait) => {
                for _ in 0..count {
                    self.take(Step::End(0, how, wait));
                    while !self.settling.is_empty() || !self.deferring.is_empty() {
                        self.take(Step::Settle(0));
                        self.take(Step::Defer(0, wait));
                    }
                    self.take(Step::Pass(1));
                }
            }
            Step::Settle(which) => {
                if let Some((job, put, wait)) = one(&mut self.settling, which) {
                    self.put_off(&job, put, wait);
                    self.bench.schedule.settled(&job, self.bench.now);
                }
            }
            Step::Lose(which) => {
                if let Some(job) = one(&mut self.attempts, which) {
                    self.bench.schedule.turn_lost(&job, self.bench.now);
                    let wake = self.bench.now.clock.plus(Duration::from_mins(1));
                    self.bench.schedule.insert_again(&job, wake, self.bench.now);
                }
            }
            Step::Defer(which, wait) => {
                if let Some((job, put)) = one(&mut self.deferring, which) {
                    self.put_off(&job, put, wait);
                    self.bench.schedule.deferral_ended(&job, self.bench.now);
                }
            }
            Step::Forget => self.bench.schedule.reset(&Forget::All, self.bench.now),
            Step::Reload => self.bench.schedule.probe_now(self.bench.now),
        }
        self.go_on();
        self.check();
    }

    fn end(&mut self, which: usize, how: How, wait: u64) {
        let Some(job) = one(&mut self.attempts, which) else {
            return;
        };
        let later = |seconds| self.bench.now.awake + Duration::from_secs(seconds);
        let shown = match how {
            How::Works => Shown::Works,
            How::WorksWaived => Shown::WorksWaived,
            How::Nothing => Shown::Nothing,
            How::Busy => busy(),
            How::Down => down(),
            How::Early(seconds) => Shown::Early(later(seconds)),
            How::Crowded(seconds) => Shown::Crowded(later(seconds)),
        };
        let (course, put) = self.bench.schedule.turn_ended(&job, shown, self.bench.now);
        match (course, how) {
            (Course::Again, _) => {
                let wake = job.due.min(self.bench.now.clock);
                self.bench.schedule.insert_again(&job, wake, self.bench.now);
            }
            (Course::Settle, How::Works | How::WorksWaived) => {
                self.left.remove(&job.id);
                self.settling.push((job, put, wait));
            }
            (Course::Settle, _) => self.settling.push((job, put, wait)),
        }
    }

    /// What is not done waits again, unless it is given up.
    fn put_off(&mut self, job: &Job, put: Put, wait: u64) {
        let accepted = u64::try_from(job.id.time().as_second()).unwrap() - 1_000_000_000;
        if self.second >= accepted + END {
            self.left.remove(&job.id);
        } else if self.left.contains(&job.id) {
            self.bench.put_off(job, put, self.second + wait);
        }
    }

    /// Begins whatever there is to begin, as the scheduler does.
    fn go_on(&mut self) {
        while self.bench.schedule.summary(self.bench.now).is_some() {}
        let steady = self.bench.began.awake;
        self.bench.schedule.take_due(self.bench.now, usize::MAX);
        self.bench.schedule.look_for_overdue(self.bench.now, steady);
        while let Some((job, _)) = self.bench.schedule.next_overdue(self.bench.now) {
            self.deferring.push((job, Put::Own));
        }
        while let Some(due) = self.bench.next() {
            match due {
                Due::Attempt(job) => self.attempts.push(job),
                Due::Defer(job, _) => self.deferring.push((job, Put::NotTried)),
            }
        }
    }

    /// If something waits and nothing is in progress whose end could let it go on, there is a time at which it is looked at.
    fn check(&self) {
        if !self.attempts.is_empty() || !self.settling.is_empty() || !self.deferring.is_empty() {
            return;
        }
        for known in self.bench.schedule.destinations.values() {
            let is_found = !matches!(known.place, Place::Nowhere);
            assert!(
                is_found || known.destination.len() == 0,
                "{:?}",
                known.destination.look()
            );
        }
        assert!(self.left.is_empty() || self.bench.schedule.until_next(self.bench.now).is_some());
    }
}

proptest! {
    #[test]
    fn what_waits_is_looked_at_again_and_given_up_in_the_end(
        interval in prop_oneof![2 => Just(0_u64), 1 => 1..10 * MINUTE],
        steps in proptest::collection::vec(step(), 1..150),
        last in how(),
    ) {
        let mut world = World::new(interval);
        for step in steps {
            world.take(step);
        }
        // From now on nothing works, and everything grows old.
        world.take(Step::Pass(END));
        let last = match last {
            How::Works | How::WorksWaived | How::Early(_) | How::Crowded(_) => How::Down,
            other => other,
        };
        for _ in 0..200 {
            world.take(Step::Row(20, last, HOUR));
            world.take(Step::Pass(MINUTE));
        }
        prop_assert!(world.left.is_empty(), "{:?}", world.left);
    }
}
