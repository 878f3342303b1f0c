//! How many connections, or deliveries, a receiver is given at once: few at first, more while it takes them, fewer when
//! it refuses, and only one now and then while it fails.
//!
//! A window has no clock and knows nothing of connections: it is told of each result.

use std::time::Duration;

use tokio::time::Instant;

/// The size at the beginning: Postfix's `initial_destination_concurrency`.
const START: usize = 5;
/// How long a window does not grow after the receiver had refused connections, doubled as long as it refuses more; and
/// how long the size of a window is remembered that is not used.
const HELD: Duration = Duration::from_mins(1);
const HELD_MOST: Duration = Duration::from_mins(10);
/// How long a failing receiver is left alone; doubled as long as it fails.
const PROBE: Duration = Duration::from_mins(1);
const PROBE_MOST: Duration = Duration::from_hours(1);

/// How many connections may be in use at once. It is told of every result, with the number in use at that time,
/// including the one that the result is about.
#[derive(Debug, Clone)]
pub(crate) struct AdaptiveWindow {
    limit: usize,
    most: usize,
    /// Successes since the limit was changed, or since the last failure.
    successes: usize,
    /// Failures without a success in between.
    failures: usize,
    /// Since when the receiver takes no more than this, as far as is known.
    held: Option<Held>,
    failing: Option<Failing>,
    /// When it last was of use while larger than a new one.
    grown: Option<Instant>,
}

/// Whether one more connection may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// Now.
    Now,
    /// Once one of those in use has ended: there is at least one.
    WhenOneEnds,
    /// The receiver fails: from then on, to probe it.
    From(Instant),
}

#[derive(Debug, Clone, Copy)]
struct Held {
    until: Instant,
    time: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Failing {
    probe: Instant,
    wait: Duration,
}

impl AdaptiveWindow {
    /// A window that has shown nothing yet, of at most `most`, at least one.
    pub(crate) fn new(most: usize) -> Self {
        let most = most.max(1);
        Self {
            limit: START.min(most),
            most,
            successes: 0,
            failures: 0,
            held: None,
            failing: None,
            grown: None,
        }
    }

    /// Changes how large it may be.
    pub(crate) fn resize(&mut self, most: usize) {
        self.most = most.max(1);
        self.limit = self.limit.min(self.most);
    }

    /// How many may be in use at once.
    pub(crate) fn limit(&self) -> usize {
        match self.failing {
            None => self.limit,
            Some(_) => 1,
        }
    }

    /// Whether one more may be used when this many are. While the receiver fails, only one, when it is time to probe it.
    pub(crate) fn room(&self, in_use: usize, now: Instant) -> Room {
        match self.failing {
            _ if in_use >= self.limit() => Room::WhenOneEnds,
            Some(failing) if failing.probe > now => Room::From(failing.probe),
            Some(_) | None => Room::Now,
        }
    }

    /// Whether the receiver fails: nothing but probes is to be sent to it.
    pub(crate) fn is_failing(&self) -> bool {
        self.failing.is_some()
    }

    /// The receiver works. A window's worth of successes lets it grow by one, if it was used.
    pub(crate) fn succeeded(&mut self, in_use: usize, now: Instant) {
        self.failures = 0;
        if self.failing.take().is_some() {
            self.limit = START.min(self.most);
            self.successes = 0;
            return;
        }
        // What was never used proves nothing about more (as in RFC 7661 §4.1).
        if in_use.saturating_mul(2) > self.limit {
            self.successes += 1;
        }
        self.grown = (self.limit > START).then_some(now);
        let is_held = self.held.is_some_and(|held| now < held.until);
        if self.successes >= self.limit && self.limit < self.most && !is_held {
            self.limit += 1;
            self.successes = 0;
        }
    }

    /// The receiver refused one more connection than it had. If it had none, that is a failure.
    pub(crate) fn busy(&mut self, in_use: usize, now: Instant) {
        if in_use <= 1 {
            self.failed(now);
            return;
        }
        self.limit = self.limit.min(in_use - 1);
        self.successes = 0;
        match &mut self.held {
            // One of several refused together.
            Some(held) if now < held.until => {}
            Some(held) => {
                held.time = held.time.saturating_mul(2).min(HELD_MOST);
                held.until = now + held.time;
            }
            None => {
                self.held = Some(Held {
                    until: now + HELD,
                    time: HELD,
                });
            }
        }
    }

    /// The receiver failed. If it fails as often as a new window has places, it is left alone for a time.
    pub(crate) fn failed(&mut self, now: Instant) {
        if let Some(failing) = &mut self.failing {
            // What had begun before it was left alone adds nothing.
            if failing.probe <= now {
                failing.wait = failing.wait.saturating_mul(2).min(PROBE_MOST);
                failing.probe = now + failing.wait;
            }
            return;
        }
        self.successes = 0;
        self.failures += 1;
        self.limit = self.limit.saturating_sub(1).max(1);
        if self.failures >= START {
            self.failing = Some(Failing {
                probe: now + PROBE,
                wait: PROBE,
            });
        }
    }

    /// Lets a failing receiver be probed from `time` on.
    pub(crate) fn probe_at(&mut self, time: Instant) {
        if let Some(failing) = &mut self.failing {
            failing.probe = failing.probe.min(time);
        }
    }

    /// Forgets what was learned.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.most);
    }

    /// Until when something is remembered that a new window would not know; `None` if nothing is.
    pub(crate) fn remembers_until(&self) -> Option<Instant> {
        let failing = self.failing.map(|failing| failing.probe);
        let held = self.held.map(|held| held.until);
        let grown = self.grown.map(|used| used + HELD);
        failing.max(held).max(grown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl AdaptiveWindow {
        fn has_room(&self, in_use: usize, now: Instant) -> bool {
            self.room(in_use, now) == Room::Now
        }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A receiver that takes so many connections and `second` per message, and its window, in steps of a tenth of that.
    struct Simulation {
        window: AdaptiveWindow,
        now: Instant,
        takes: usize,
        /// When each message in progress will have been sent.
        sending: Vec<Instant>,
        waiting: usize,
        refused: usize,
        /// The highest number in progress.
        highest: usize,
    }

    impl Simulation {
        fn new(most: usize, takes: usize, waiting: usize) -> Self {
            Self {
                window: AdaptiveWindow::new(most),
                now: Instant::now(),
                takes,
                sending: Vec::new(),
                waiting,
                refused: 0,
                highest: 0,
            }
        }

        fn step(&mut self) {
            self.now += Duration::from_millis(100);
            let now = self.now;
            while let Some(at) = self.sending.iter().position(|end| *end <= now) {
                self.window.succeeded(self.sending.len(), now);
                self.sending.swap_remove(at);
            }
            // All that the window allows are started before any of them is answered.
            let mut started = 0;
            while self.waiting > started && self.window.has_room(self.sending.len() + started, now) {
                started += 1;
            }
            self.highest = self.highest.max(self.sending.len() + started);
            let free = self.takes.saturating_sub(self.sending.len());
            let taken = free.min(started);
            for refused in 0..started - taken {
                self.window.busy(self.sending.len() + started - refused, now);
                self.refused += 1;
            }
            self.sending.extend(std::iter::repeat_n(now + seconds(1), taken));
            self.waiting -= taken;
        }

        /// Runs until all has been sent, and returns how long it took.
        fn run(&mut self) -> Duration {
            let began = self.now;
            while self.waiting > 0 || !self.sending.is_empty() {
                self.step();
            }
            self.now - began
        }
    }

    #[test]
    fn it_starts_small_and_grows_with_success() {
        let mut simulation = Simulation::new(20, usize::MAX, 400);
        simulation.step();
        assert_eq!(simulation.sending.len(), 5);
        simulation.run();
        assert_eq!(simulation.highest, 20);
        assert_eq!(simulation.refused, 0);
    }

    #[test]
    fn it_does_not_grow_beyond_what_is_used() {
        let mut window = AdaptiveWindow::new(20);
        for _ in 0..1_000 {
            window.succeeded(1, Instant::now());
        }
        assert_eq!(window.limit(), 5);
    }

    #[test]
    fn a_receiver_of_three_refuses_few_and_is_kept_busy() {
        for (messages, refused) in [(100, 2), (10_000, 10)] {
            let mut simulation = Simulation::new(20, 3, messages);
            let time = simulation.run();
            let best = seconds(messages as u64).div_f64(3.0);
            assert!(time <= best.mul_f64(1.1) + seconds(1), "{time:?} for {messages}");
            assert!(
                simulation.refused <= refused,
                "{} of {messages}",
                simulation.refused
            );
        }
    }

    #[test]
    fn a_receiver_that_takes_more_later_gets_more() {
        let mut simulation = Simulation::new(20, 3, 20_000);
        while simulation.waiting > 19_000 {
            simulation.step();
        }
        simulation.takes = 15;
        simulation.run();
        assert!(simulation.highest >= 15, "{}", simulation.highest);
    }

    #[test]
    fn a_receiver_that_fails_is_probed_by_one_ever_more_rarely() {
        let mut window = AdaptiveWindow::new(20);
        let began = Instant::now();
        for _ in 0..5 {
            assert!(window.has_room(4, began) || window.limit() < 5);
            window.failed(began);
        }
        assert!(window.is_failing());
        // Those that had begun before do not count.
        window.failed(began);
        let mut now = began;
        let mut probes = Vec::new();
        while now < began + seconds(5 * 3600) {
            now += seconds(1);
            if window.has_room(0, now) {
                assert!(!window.has_room(1, now));
                probes.push((now - began).as_secs() / 60);
                window.failed(now);
            }
        }
        assert_eq!(probes, [1, 3, 7, 15, 31, 63, 123, 183, 243]);
        window.succeeded(1, now);
        assert!(!window.is_failing() && window.has_room(4, now));
    }

    #[test]
    fn a_success_in_between_keeps_a_receiver_from_failing() {
        let mut window = AdaptiveWindow::new(20);
        let now = Instant::now();
        for _ in 0..20 {
            window.succeeded(5, now);
        }
        for _ in 0..4 {
            window.failed(now);
        }
        window.succeeded(3, now);
        for _ in 0..3 {
            window.failed(now);
        }
        assert!(!window.is_failing());
    }

    #[test]
    fn a_refusal_with_no_other_connection_open_is_a_failure() {
        let (mut window, now) = (AdaptiveWindow::new(20), Instant::now());
        for in_use in [5, 4, 3, 2, 1, 1, 1, 1, 1] {
            assert!(!window.is_failing());
            window.busy(in_use, now);
        }
        assert!(window.is_failing() && !window.has_room(0, now));
        window.reset();
        assert!(window.has_room(4, now));
    }

    #[test]
    fn it_never_exceeds_its_most() {
        let (mut window, now) = (AdaptiveWindow::new(2), Instant::now());
        for _ in 0..100 {
            window.succeeded(2, now);
        }
        assert_eq!(window.limit(), 2);
        window.resize(1);
        assert!(!window.has_room(1, now));
        assert_eq!(AdaptiveWindow::new(0).limit(), 1);
    }
}
