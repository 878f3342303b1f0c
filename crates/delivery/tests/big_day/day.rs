//! One day: messages for all domains that are there at once, and what became of them.
//!
//! The receiving hosts are real sockets, also where time is virtual. A paused clock would go on to the next timeout while
//! octets are under way, so [`tick`] never lets it go further than one short step at a time.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use delivery::{Clock as _, Reuse};
use dns::Mode;
use mail::Status;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::scene::memory::{Attempt, MemorySpool, VirtualClock};
use crate::scene::{self, Setting};
use crate::town::{Pace, Temper, Town};

/// How large a day is.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) messages: usize,
    pub(crate) domains: usize,
    pub(crate) hosts: usize,
}

/// The mail for the hosts of one temper.
#[derive(Clone, Debug, Default)]
pub(crate) struct Share {
    pub(crate) messages: usize,
    pub(crate) sent: usize,
    /// When the last of them was sent.
    pub(crate) last: Duration,
    /// The most attempts on one of them.
    pub(crate) attempts: usize,
}

/// The pace of hosts in virtual time.
pub(crate) const PACE: Pace = Pace {
    reply: Duration::from_millis(50),
    slow_reply: Duration::from_secs(5),
    // The first delay of the defaults, all but a second.
    greylisted: Duration::from_secs(299),
};

/// The most that virtual time goes on while octets are under way.
const TICK: Duration = Duration::from_millis(5);

/// Keeps virtual time slow; to be spawned before anything else.
pub(crate) async fn tick() {
    loop {
        sleep(TICK).await;
        // The kernel may need the processor to carry them.
        std::thread::yield_now();
    }
}

/// A day that is over.
pub(crate) struct Day {
    pub(crate) town: Town,
    /// By the temper of the receiving host.
    pub(crate) shares: BTreeMap<Temper, Share>,
    /// How much larger the process became, in octets, receiving hosts included.
    pub(crate) growth: u64,
}

/// The settings of a relay by its defaults, but for these delays.
pub(crate) fn defaults(retry: Vec<Duration>) -> Setting {
    Setting {
        retry,
        mode: Mode::TrustAd,
        connections: 500,
        connections_per_destination: 20,
        connections_per_host: 50,
        reuse: Reuse {
            messages: 100,
            time: Duration::from_mins(5),
            idle: Duration::from_secs(5),
        },
        stage_limit: Duration::from_mins(5),
        ..Setting::default()
    }
}

/// Delivers the messages for those hosts that are `wanted`, until all that can be delivered is, and at least so long.
pub(crate) async fn run(
    scale: Scale,
    pace: Pace,
    setting: &Setting,
    wanted: impl Fn(Temper) -> bool,
    at_least: Duration,
) -> Day {
    let town = Town::build(scale.hosts, scale.domains, pace).await;
    let before = resident();
    let clock = Arc::new(VirtualClock::new());
    let spool = Arc::new(MemorySpool::new(Arc::clone(&clock)));
    let (_stop, stopped) = watch::channel(false);
    let town_world = (&town.world, town.port);
    let scheduler = scene::start_in(town_world, &spool, &clock, setting, &Arc::new(()), stopped);
    // The scan at start finds nothing.
    sleep(Duration::from_millis(100)).await;
    let mut tempers = HashMap::new();
    for number in 0..scale.messages {
        let domain = domain(number, scale);
        let temper = town.temper(domain);
        if wanted(temper) {
            let recipient = format!("m{number}@d{domain}.test");
            let (id, pending) = spool.put("s@origin.test", &recipient, clock.now());
            scheduler.schedule(pending);
            tempers.insert(id, temper);
        }
    }
    let deliverable = tempers.values().filter(|temper| temper.delivers()).count();
    let began = Instant::now();
    let start = clock.awake();
    while town.messages() < deliverable || began.elapsed() < at_least {
        if began.elapsed() > 10 * at_least.max(Duration::from_mins(1)) {
            // The test will say what is missing.
            break;
        }
        sleep(Duration::from_secs(1)).await;
    }
    // The last of them are settled.
    sleep(Duration::from_secs(1)).await;
    let attempts = spool.all_attempts();
    Day {
        shares: shares(&tempers, &attempts, start),
        growth: resident().saturating_sub(before),
        town,
    }
}

/// Few domains get much of the mail: a hundredth of them gets a tenth.
fn domain(message: usize, scale: Scale) -> usize {
    // Spread evenly by the golden ratio, in fractions of 2^32, and always in the same way.
    let even = (message as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let uneven = (even * even) >> 32;
    usize::try_from((uneven * scale.domains as u64) >> 32).unwrap()
}

fn shares(
    tempers: &HashMap<mail::QueueId, Temper>,
    attempts: &[Attempt],
    start: Duration,
) -> BTreeMap<Temper, Share> {
    let mut shares: BTreeMap<Temper, Share> = BTreeMap::new();
    for temper in tempers.values() {
        shares.entry(*temper).or_default().messages += 1;
    }
    let mut counts: HashMap<mail::QueueId, usize> = HashMap::new();
    for attempt in attempts {
        let share = shares.get_mut(&tempers[&attempt.id]).unwrap();
        let count = counts.entry(attempt.id).or_default();
        *count += 1;
        share.attempts = share.attempts.max(*count);
        if attempt.outcome.status == Status::Sent {
            share.sent += 1;
            share.last = share.last.max(attempt.awake.saturating_sub(start));
        }
    }
    shares
}

/// The memory of this process, in octets.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}
