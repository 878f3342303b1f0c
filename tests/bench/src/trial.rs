//! One measurement: one relay, one piece of work.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use tokio::time::Instant;

use crate::arrivals::Arrivals;
use crate::contender::{self, Contender, Running};
use crate::feeder;
use crate::figures::{Figures, Spread};
use crate::group::Group;
use crate::lab::Lab;
use crate::proof;
use crate::syncs::Syncs;
use crate::work::{Manner, Work};

/// How long no message may arrive before a measurement is given up.
const PATIENCE: Duration = Duration::from_secs(30);
const STEP: Duration = Duration::from_millis(20);
/// A relay has settled what it delivered when it has cost less than this for that long.
const QUIET: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(100));
/// It is not waited for that longer than this.
const SETTLING: usize = 50;
/// Of the log of a relay whose measurement is void.
const LAST_LINES: usize = 20;
/// Looking at memory takes time itself: no more than one part in so many.
const LOOKING: u32 = 20;

/// What one piece of work has cost.
struct Cost {
    /// Processor time of the relay.
    relay: Duration,
    /// And of feeder and sink.
    lab: Duration,
    /// The most memory of the relay, in KiB.
    memory: u64,
}

/// Starts the relay, does the work, ends the relay.
///
/// # Errors
/// Why the measurement is void.
pub(crate) fn run(lab: &Lab, contender: Contender, work: Work) -> Result<Figures, String> {
    let directory = lab.directory.join("trial");
    fs::create_dir(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    lab.groups.relay.enter();
    let running = contender.start(&directory);
    lab.groups.lab.enter();
    let result = measure(lab, contender, &running, work);
    lab.groups.relay.kill();
    if result.is_err() {
        show_end_of(&running.log);
    }
    fs::remove_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    result
}

fn measure(lab: &Lab, contender: Contender, running: &Running, work: Work) -> Result<Figures, String> {
    settle(&lab.groups.relay);
    let syncs = Syncs::count(&lab.groups.relay, &lab.directory);
    let arrivals = Arc::new(Arrivals::expect(work.messages, work.manner != Manner::Held));
    lab.sink.enter_into(&arrivals);
    let (fed, cost) = with_cost(lab, || deliver(lab, work, &arrivals));
    let syncs = syncs.and_then(Syncs::end);
    let fed = fed?;
    let seen = arrivals.seen();
    if let Some(wrong) = seen.wrong.first() {
        return Err(format!("{wrong} ({} of that kind)", seen.wrong.len()));
    }
    if work.manner != Manner::Held {
        proof::wait_for(contender, &running.log, &seen)?;
    }
    let messages = work.messages as f64;
    let through = messages / seen.last.as_secs_f64();
    Ok(Figures {
        accepted: messages / fed.last.as_secs_f64(),
        through: (work.manner == Manner::Through).then_some(through),
        relay_cost: cost.relay.as_secs_f64() * 1000.0 / messages,
        lab_cost: cost.lab.as_secs_f64() * 1000.0 / messages,
        memory: cost.memory as f64 * 1.024 / 1000.0,
        tls_sessions: seen.tls_sessions,
        syncs: syncs.map(|syncs| syncs as f64 / messages),
        accepting: Spread::of(fed.accepting).ok_or("nothing was accepted")?,
        travelling: Spread::of(fed.travelling),
    })
}

/// Has the relay accept the messages, and deliver them if they are not held.
fn deliver(lab: &Lab, work: Work, arrivals: &Arc<Arrivals>) -> Result<feeder::Seen, String> {
    let fed = feeder::feed(contender::ADDRESS, work, arrivals).map_err(|error| error.to_string())?;
    match work.manner {
        Manner::Held => {}
        Manner::Through | Manner::OneByOne => {
            wait_for_all(arrivals, work.messages)?;
            // The relay has yet to note what it has delivered.
            settle(&lab.groups.relay);
        }
    }
    Ok(fed)
}

/// Does something, and tells what that has cost.
fn with_cost<T>(lab: &Lab, something: impl FnOnce() -> T) -> (T, Cost) {
    let groups = &lab.groups;
    let over = AtomicBool::new(false);
    scope(|threads| {
        let memory = threads.spawn(|| most_memory(&groups.relay, &over));
        let [relay, own] = [&groups.relay, &groups.lab].map(Group::processor_time);
        let done = something();
        let cost = |group: &Group, before| group.processor_time() - before;
        let (relay, lab) = (cost(&groups.relay, relay), cost(&groups.lab, own));
        over.store(true, Ordering::Relaxed);
        let memory = memory.join().expect("memory can be looked at");
        (done, Cost { relay, lab, memory })
    })
}

/// Waits until the sink has them all.
fn wait_for_all(arrivals: &Arrivals, messages: usize) -> Result<(), String> {
    let mut before = 0;
    let mut news = Instant::now();
    loop {
        let count = arrivals.count();
        if count >= messages {
            return Ok(());
        }
        if count > before {
            before = count;
            news = Instant::now();
        } else if news.elapsed() > PATIENCE {
            return Err(format!("only {count} of {messages} messages have arrived"));
        }
        sleep(STEP);
    }
}

/// Waits until the group has little left to do.
fn settle(group: &Group) {
    let (little, time) = QUIET;
    let mut before = group.processor_time();
    for _ in 0..SETTLING {
        sleep(time);
        let now = group.processor_time();
        if now - before < little {
            return;
        }
        before = now;
    }
}

/// The most that the group has at any time until it is over, in KiB.
fn most_memory(group: &Group, over: &AtomicBool) -> u64 {
    let mut most = 0;
    while !over.load(Ordering::Relaxed) {
        let start = Instant::now();
        most = most.max(group.memory());
        sleep((start.elapsed() * LOOKING).max(STEP));
    }
    most
}

/// Shows the end of what a relay had to say.
fn show_end_of(log: &Path) {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.len().saturating_sub(LAST_LINES);
    eprintln!("\n--- the end of {}\n{}", log.display(), lines[last..].join("\n"));
}
