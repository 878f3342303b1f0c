//! A trial: load, relay and sinks together, and the verdict.
#![allow(clippy::disallowed_types, reason = "the time that really passes is meant")]

use super::ledger::{Balance, Ledger};
use super::load::Load;
use super::relay::{PER_DESTINATION, Relay};
use super::sink::{Sinks, listen};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Clients that send at once.
const SESSIONS: u64 = 8;
/// How long the relay may take to deliver what is left at the end.
const DRAIN: Duration = Duration::from_mins(1);
/// The system gives higher ports to outgoing connections.
const LAST_PORT: u16 = 32_767;

/// Everything that runs in a trial.
pub struct Trial {
    /// The relay; not yet started.
    pub relay: Relay,
    /// The receiving servers.
    pub sinks: Sinks,
    /// The books.
    pub ledger: Ledger,
    /// Random numbers, from the seed in `DANERELAY_SEED` or a new one.
    pub chance: StdRng,
    name: &'static str,
    load: Load,
    runtime: Runtime,
    directory: TempDir,
}

impl Trial {
    /// Sets up sinks and clients.
    pub fn set(name: &'static str) -> Self {
        let seed = number("DANERELAY_SEED").unwrap_or_else(rand::random);
        eprintln!("{name}: DANERELAY_SEED={seed}");
        let mut chance = StdRng::seed_from_u64(seed);
        let directory = tempfile::Builder::new()
            .prefix("danerelay-crash-")
            .tempdir()
            .unwrap();
        let runtime = Runtime::new().unwrap();
        let [relay, one, two] = addresses();
        let ledger = Ledger::default();
        let sinks = Sinks::new(ledger.clone());
        for address in [one, two] {
            let listener = runtime.block_on(listen(address));
            runtime.spawn(sinks.clone().serve(listener));
        }
        let entered = runtime.enter();
        let load = Load::start(SESSIONS, relay, &ledger, &mut chance);
        drop(entered);
        Self {
            relay: Relay::new(directory.path(), relay, [one, two]),
            sinks,
            ledger,
            chance,
            name,
            load,
            runtime,
            directory,
        }
    }

    /// Waits until this many more messages were acknowledged, or for `limit`; says whether they were.
    pub fn wait_for_acknowledgements(&self, more: usize, limit: Duration) -> bool {
        let wanted = self.ledger.acknowledged() + more;
        within(limit, || self.ledger.acknowledged() >= wanted)
    }

    /// Ends the load, lets the living relay deliver what is left, and kills it.
    pub fn settle(&mut self) -> Verdict {
        self.settle_within(DRAIN)
    }

    /// As [`Trial::settle`], with another limit for the deliveries.
    pub fn settle_within(&mut self, limit: Duration) -> Verdict {
        self.sinks.be_kind();
        self.runtime.block_on(self.load.end());
        within(limit, || self.ledger.waiting() == 0);
        self.relay.kill_alive();
        let verdict = Verdict {
            balance: self.ledger.balance(),
            log: self.relay.log(),
        };
        println!("{}: {}", self.name, verdict.balance);
        verdict.explain_losses();
        if std::env::var_os("DANERELAY_KEEP").is_some() {
            self.directory.disable_cleanup(true);
            eprintln!("{}: files kept in {}", self.name, self.directory.path().display());
        }
        verdict
    }
}

/// The end of a trial.
pub struct Verdict {
    /// What came of it.
    pub balance: Balance,
    /// The relay's log of all its lives.
    pub log: String,
}

impl Verdict {
    /// Shows what the log has about the first message that was lost.
    fn explain_losses(&self) {
        if let Some(lost) = self.balance.lost.first() {
            let about = self.log.lines().filter(|line| line.contains(&lost.id));
            eprintln!("lost: {lost:?}\n{}", about.collect::<Vec<_>>().join("\n"));
        }
    }

    /// Panics unless messages came through at all, everything acknowledged was delivered whole, and no life repeated what it
    /// had delivered itself.
    pub fn assert_nothing_lost(&self) {
        let balance = &self.balance;
        assert!(balance.acknowledged > 0, "nothing was acknowledged");
        assert!(
            balance.lost.is_empty(),
            "lost: {} of {}",
            balance.lost.len(),
            balance.acknowledged
        );
        assert_eq!(balance.damaged, 0, "contents that are not what was sent");
        assert_eq!(balance.repeated_alive, 0, "repeated without a crash");
        let faults: Vec<&str> = self
            .log
            .lines()
            .filter(|line| line.contains("event=fault"))
            .collect();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    /// Panics if a killed life left more to repeat than the deliveries that it can have under way.
    pub fn assert_few_repeated(&self) {
        assert!(
            self.balance.most_repeated <= 2 * PER_DESTINATION,
            "repeated: {}",
            self.balance
        );
    }
}

/// The number in this environment variable.
pub fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name}={value:?} is no number")),
    )
}

/// Waits until `done`, or for `limit`; says whether it is done.
pub fn within(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// Addresses for the relay and two sinks that nobody else uses.
///
/// The relay must find its port free after each death, so the ports lie below those that the system gives to outgoing
/// connections; the loopback address is this process's own, though others may listen on all.
fn addresses() -> [SocketAddr; 3] {
    static PORTS: AtomicU16 = AtomicU16::new(2525);
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, 64 + high % 64, middle, low);
    [(); 3].map(|()| {
        loop {
            let port = PORTS.fetch_add(1, Ordering::Relaxed);
            let address = SocketAddr::from((own, port));
            match TcpListener::bind(address) {
                Ok(_) => break address,
                Err(error) => assert!(port < LAST_PORT, "no port is free: {address}: {error}"),
            }
        }
    })
}
