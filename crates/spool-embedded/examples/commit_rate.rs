//! How fast messages become durable, beside a file a message and beside what the disk alone can do.
//!
//! `cargo run --release -p spool-embedded --example commit_rate [DIRECTORY]`
#![allow(clippy::disallowed_types, reason = "the time that really passes is meant")]

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use mail::{
    AddressFamily, BodyType, DaneResult, DaneVerdict, DeliverySecurity, Domain, DomainPart, EnhancedStatus,
    Envelope, LedgerEntry, LedgerKey, MailParameters, Mailbox, QueueId, ReversePath, Status,
};
use spool::{Ending, NewMessage, Pending, RecipientIndex, Running, Settlement, Spool};
use spool_embedded::{EmbeddedSpool, Options};

type Failure = Box<dyn Error + Send + Sync>;

const SIZE: usize = 10 * 1024;
const RUN: Duration = Duration::from_secs(4);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let parent = std::env::args().nth(1).unwrap_or_else(|| ".".into());
    let directory = tempfile::tempdir_in(parent)?;
    let disk = raw_syncs(directory.path())?;
    println!("raw fdatasync after a write of {SIZE} octets: {disk:.0}/s");
    println!(
        "| sessions | committed/s | p50 ms | p99 ms | p99 / p50 | a file a message: /s | p50 ms | p99 ms \
         | committed / files | committed / raw | commit, lease, read, settle: /s |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    let spool = EmbeddedSpool::open(directory.path().join("spool"), Options::default(), Arc::new(())).await?;
    let spool = Arc::new(spool);
    for sessions in [1, 16, 64] {
        let committed = run(&spool, sessions, Life::Commit).await?;
        drain(&spool).await?;
        let whole = run(&spool, sessions, Life::Whole).await?;
        let files = file_a_message(directory.path(), sessions)?;
        let (p50, p99) = (committed.percentile(50), committed.percentile(99));
        println!(
            "| {sessions} | {:.0} | {p50:.2} | {p99:.2} | {:.1} | {:.0} | {:.2} | {:.2} | {:.1} | {:.1} | {:.0} |",
            committed.rate,
            p99 / p50,
            files.rate,
            files.percentile(50),
            files.percentile(99),
            committed.rate / files.rate,
            committed.rate / disk,
            whole.rate,
        );
    }
    spool.close().await?;
    Ok(())
}

/// What a run came to.
struct Measured {
    rate: f64,
    /// Sorted.
    latencies: Vec<Duration>,
}

impl Measured {
    fn new(mut latencies: Vec<Duration>, begun: Instant) -> Result<Self, Failure> {
        let count = u32::try_from(latencies.len())?;
        let rate = f64::from(count) / begun.elapsed().as_secs_f64();
        latencies.sort();
        Ok(Self { rate, latencies })
    }

    /// In milliseconds.
    fn percentile(&self, percent: usize) -> f64 {
        let place = self.latencies.len().saturating_mul(percent) / 100;
        self.latencies
            .get(place)
            .copied()
            .unwrap_or_default()
            .as_secs_f64()
            * 1e3
    }
}

#[derive(Clone, Copy)]
enum Life {
    Commit,
    Whole,
}

fn raw_syncs(directory: &Path) -> Result<f64, Failure> {
    let mut file = File::create(directory.join("raw"))?;
    let begun = Instant::now();
    let mut count = 0.0;
    while begun.elapsed() < RUN {
        file.write_all(&[b'x'; SIZE])?;
        file.sync_data()?;
        count += 1.0;
    }
    Ok(count / begun.elapsed().as_secs_f64())
}

/// The usual way: each message written to a file, synced, renamed, and its directory synced.
fn file_a_message(directory: &Path, sessions: usize) -> Result<Measured, Failure> {
    let begun = Instant::now();
    let threads: Vec<_> = (0..sessions)
        .map(|session| {
            let directory = directory.join(format!("files-{sessions}-{session}"));
            std::thread::spawn(move || -> Result<Vec<Duration>, Failure> {
                std::fs::create_dir_all(&directory)?;
                let mut latencies = Vec::new();
                while begun.elapsed() < RUN {
                    let started = Instant::now();
                    let temporary = directory.join("new");
                    let mut file = File::create(&temporary)?;
                    file.write_all(&[b'x'; SIZE])?;
                    file.sync_data()?;
                    std::fs::rename(&temporary, directory.join(latencies.len().to_string()))?;
                    File::open(&directory)?.sync_all()?;
                    latencies.push(started.elapsed());
                }
                Ok(latencies)
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for thread in threads {
        latencies.extend(thread.join().map_err(|_| "a thread has panicked")??);
    }
    Measured::new(latencies, begun)
}

async fn run(spool: &Arc<EmbeddedSpool>, sessions: usize, life: Life) -> Result<Measured, Failure> {
    let begun = Instant::now();
    let tasks: Vec<_> = (0..sessions)
        .map(|_| tokio::spawn(session(Arc::clone(spool), life, begun)))
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    Measured::new(latencies, begun)
}

async fn session(spool: Arc<EmbeddedSpool>, life: Life, begun: Instant) -> Result<Vec<Duration>, Failure> {
    let content = vec![b'x'; SIZE];
    let envelope = Envelope {
        reverse_path: ReversePath::parse("sender@a.example")?,
        recipients: vec![Mailbox::parse("recipient@b.example")?.into()],
        parameters: MailParameters::of(BodyType::SevenBit),
    };
    let mut latencies = Vec::new();
    while begun.elapsed() < RUN {
        let mut incoming = spool.create()?;
        incoming.append(&content).await?;
        let message = NewMessage {
            id: QueueId::generate(),
            envelope: envelope.clone(),
            created: Timestamp::now(),
        };
        let started = Instant::now();
        let accepted = spool.commit(incoming, message).await?;
        latencies.push(started.elapsed());
        if let (Life::Whole, Some(part)) = (life, accepted.pending.first()) {
            deliver(&spool, part).await?;
        }
    }
    Ok(latencies)
}

async fn deliver(spool: &EmbeddedSpool, part: &Pending) -> Result<(), Failure> {
    let Some(lease) = spool.lease(part.id, &part.next_hop).await?.leased() else {
        return Err("the message is leased or gone".into());
    };
    let mut reader = lease.content.reader().await?;
    while reader.next().await?.is_some() {}
    lease.in_doubt();
    let now = Timestamp::now();
    let sent = Settlement {
        recipient: RecipientIndex(0),
        ending: Ending::Sent,
        reply_code: None,
        enhanced: EnhancedStatus::new(2, 0, 0),
        reason: "".into(),
        verdict: DaneVerdict::Verify,
        host: None,
        notice: None,
        entry: entry(now)?,
    };
    spool.settle(lease, vec![sent], now).await?;
    Ok(())
}

fn entry(now: Timestamp) -> Result<LedgerEntry, Failure> {
    Ok(LedgerEntry {
        at: now,
        key: LedgerKey {
            domain: Some(DomainPart::parse("b.example")?),
            host: Some(Domain::parse("mx.b.example")?),
            family: AddressFamily::Ipv4,
            status: Status::Sent,
            security: DeliverySecurity::Dane,
            dane: DaneResult::Verify,
            cause: None,
        },
        octets: SIZE as u64,
    })
}

/// Delivers what was committed, in parallel, so that the next run begins with an empty queue.
async fn drain(spool: &Arc<EmbeddedSpool>) -> Result<(), Failure> {
    loop {
        let page = spool.pending(None, 256).await?;
        if page.is_empty() {
            return Ok(());
        }
        let tasks: Vec<_> = page
            .into_iter()
            .map(|part| {
                let spool = Arc::clone(spool);
                tokio::spawn(async move { deliver(&spool, &part).await })
            })
            .collect();
        for task in tasks {
            task.await??;
        }
    }
}
