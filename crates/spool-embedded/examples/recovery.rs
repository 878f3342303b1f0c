//! How long a start takes with a full queue, and what it costs in memory.
//!
//! `cargo run --release -p spool-embedded --example recovery [DIRECTORY [MESSAGES...]]`
//!
//! Each size is filled once, and then measured in a process of its own that is started with `--measure`.
//! `--fill DIRECTORY MESSAGES` only makes such a queue, with as many incidents as fit, and leaves it: for
//! `tests/bench/status_page.py`.
#![allow(clippy::disallowed_types, reason = "the time that really passes is meant")]

use std::error::Error;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use mail::sighting::{DemandedBy, Evidence, Failing, Place, Spot, Trouble};
use mail::{BodyType, Domain, Envelope, MailParameters, Mailbox, QueueId, ReversePath, Sighting};
use spool::{Inspect, KeepIncidents, NewMessage, Running, Spool};
use spool_embedded::{EmbeddedSpool, Options};

type Failure = Box<dyn Error + Send + Sync>;

const SIZE: usize = 1024;
const DESTINATIONS: u64 = 200_000;
/// As many incidents as are kept.
const INCIDENTS: u64 = 4096;
const SESSIONS: u64 = 256;
/// As many parts as the scheduler asks for at once.
const PAGE: usize = 1000;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let parent = arguments.next().unwrap_or_else(|| ".".into());
    if parent == "--measure" {
        let path = arguments.next().ok_or("a directory is missing")?;
        return measure(Path::new(&path)).await;
    }
    if parent == "--fill" {
        let path = arguments.next().ok_or("a directory is missing")?;
        let messages = arguments.next().ok_or("how many messages?")?.parse()?;
        fill(Path::new(&path), messages).await?;
        return fail(Path::new(&path)).await;
    }
    let mut sizes = arguments
        .map(|size| size.parse())
        .collect::<Result<Vec<u64>, _>>()?;
    if sizes.is_empty() {
        sizes = vec![10_000, 100_000, 1_000_000];
    }
    println!(
        "| messages | filled/s | open, ready to accept | all parts scanned | summary | list \
         | RSS MB before | opened | scanned | summary | list |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for messages in sizes {
        let directory = tempfile::tempdir_in(&parent)?;
        let rate = fill(directory.path(), messages).await?;
        print!("| {messages} | {rate:.0} ");
        std::io::stdout().flush()?;
        let status = Command::new(std::env::current_exe()?)
            .arg("--measure")
            .arg(directory.path())
            .status()?;
        if !status.success() {
            return Err("the measuring process has failed".into());
        }
    }
    Ok(())
}

/// Commits so many messages; how many a second.
async fn fill(path: &Path, messages: u64) -> Result<f64, Failure> {
    let spool = Arc::new(EmbeddedSpool::open(path, Options::default(), Arc::new(())).await?);
    let next = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let tasks: Vec<_> = (0..SESSIONS)
        .map(|_| {
            let (spool, next) = (Arc::clone(&spool), Arc::clone(&next));
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= messages {
                        return Ok::<_, Failure>(());
                    }
                    commit(&spool, number).await?;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    let seconds = begun.elapsed().as_secs_f64();
    spool.close().await?;
    Ok(f64::from(u32::try_from(messages)?) / seconds)
}

async fn commit(spool: &EmbeddedSpool, number: u64) -> Result<(), Failure> {
    let mut incoming = spool.create()?;
    incoming.append(&[b'x'; SIZE]).await?;
    let destination = number.wrapping_mul(7919) % DESTINATIONS;
    let recipient = Mailbox::parse(&format!("someone@destination-{destination}.example"))?;
    let message = NewMessage {
        id: QueueId::generate(),
        envelope: Envelope {
            reverse_path: ReversePath::parse("sender@a.example")?,
            recipients: vec![recipient.into()],
            parameters: MailParameters::of(BodyType::SevenBit),
        },
        created: Timestamp::now(),
    };
    spool.commit(incoming, message).await?;
    Ok(())
}

/// Hosts of as many providers fail.
async fn fail(path: &Path) -> Result<(), Failure> {
    let spool = EmbeddedSpool::open(path, Options::default(), Arc::new(())).await?;
    let now = Timestamp::now();
    let failing = |number: u64| -> Result<Sighting, Failure> {
        Ok(Sighting::Fails(Box::new(Failing {
            spot: Spot {
                place: Place::Host(Domain::parse(&format!("mx.provider-{number}.example"))?),
                trouble: Trouble::NoMatchingTlsa,
            },
            domain: Some(Domain::parse(&format!("destination-{number}.example"))?),
            demanded_by: DemandedBy::Policy,
            evidence: Evidence::of_words(now, "no matching TLSA records"),
            worked: None,
        })))
    };
    let sightings = (0..INCIDENTS).map(failing).collect::<Result<_, _>>()?;
    spool.note(sightings, now).await?;
    spool.close().await?;
    Ok(())
}

async fn measure(path: &Path) -> Result<(), Failure> {
    let before = resident();
    let begun = Instant::now();
    let spool = EmbeddedSpool::open(path, Options::default(), Arc::new(())).await?;
    drop(spool.create()?);
    let (opened, memory_opened) = (begun.elapsed(), resident());
    let mut last = None;
    loop {
        let page = spool.pending(last, PAGE).await?;
        let Some(part) = page.last() else { break };
        last = Some(part.id);
    }
    let (scanned, memory_scanned) = (begun.elapsed(), resident());
    let begun = Instant::now();
    let summary = spool.summary(10, jiff::Timestamp::now()).await?;
    let (summed, memory_summed) = (begun.elapsed(), resident());
    let listed = Arc::new(AtomicU64::new(0));
    let visit = {
        let listed = Arc::clone(&listed);
        move |_| {
            listed.fetch_add(1, Ordering::Relaxed);
            ControlFlow::Continue(())
        }
    };
    let begun = Instant::now();
    spool.list(None, visit).await?;
    let (shown, memory_shown) = (begun.elapsed(), resident());
    if listed.load(Ordering::Relaxed) != summary.messages {
        return Err("the list and the summary differ".into());
    }
    let [opened, scanned, summed, shown] = [opened, scanned, summed, shown].map(seconds);
    println!(
        "| {opened} | {scanned} | {summed} | {shown} \
         | {before} | {memory_opened} | {memory_scanned} | {memory_summed} | {memory_shown} |"
    );
    spool.close().await?;
    Ok(())
}

fn seconds(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}

/// Resident memory of this process in MB, or `?`.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line
        .and_then(|line| line.split_whitespace().next())
        .and_then(|number| number.parse::<f64>().ok());
    kilobytes.map_or_else(|| "?".into(), |number| format!("{:.1}", number / 1024.0))
}
