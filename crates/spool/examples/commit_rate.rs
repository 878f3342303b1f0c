//! How fast messages become durable, beside what the disk alone can do.
//!
//! `cargo run --release -p spool --example commit_rate [DIRECTORY]`

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use mail::{BodyType, EnhancedStatus, Envelope, Mailbox, Outcome, QueueId, ReversePath, Status};
use spool::{EmbeddedSpool, NewMessage, Options, RecipientIndex, Settlement, Spool};

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
        "| sessions | committed/s | p50 ms | p99 ms | commit, lease, read, settle: /s | × raw fdatasync |"
    );
    println!("|---|---|---|---|---|---|");
    let spool = EmbeddedSpool::open(directory.path().join("spool"), Options::default()).await?;
    let spool = Arc::new(spool);
    for sessions in [1, 16, 64] {
        let (rate, latencies) = run(&spool, sessions, Life::Commit).await?;
        drain(&spool).await?;
        let (whole, _) = run(&spool, sessions, Life::Whole).await?;
        let percentile = |percent: usize| {
            let place = latencies.len().saturating_mul(percent) / 100;
            latencies.get(place).copied().unwrap_or_default().as_secs_f64() * 1e3
        };
        println!(
            "| {sessions} | {rate:.0} | {:.2} | {:.2} | {whole:.0} | {:.1} |",
            percentile(50),
            percentile(99),
            rate / disk,
        );
    }
    start(&spool, &directory.path().join("spool")).await
}

/// How long a start takes with what a last run leaves in the queue.
async fn start(spool: &Arc<EmbeddedSpool>, path: &Path) -> Result<(), Failure> {
    let (_, latencies) = run(spool, 64, Life::Commit).await?;
    spool.close().await?;
    let begun = Instant::now();
    let spool = EmbeddedSpool::open(path, Options::default()).await?;
    let opened = begun.elapsed();
    let mut found = 0;
    let mut last = None;
    loop {
        let page = spool.pending(last, 5000).await?;
        let Some(part) = page.last() else { break };
        last = Some(part.id);
        found += page.len();
    }
    let scanned = begun.elapsed();
    println!(
        "with {} messages: open {opened:?}, {found} scheduled after {scanned:?}",
        latencies.len()
    );
    spool.close().await?;
    Ok(())
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

async fn run(
    spool: &Arc<EmbeddedSpool>,
    sessions: usize,
    life: Life,
) -> Result<(f64, Vec<Duration>), Failure> {
    let begun = Instant::now();
    let tasks: Vec<_> = (0..sessions)
        .map(|_| tokio::spawn(session(Arc::clone(spool), life, begun)))
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    let count = u32::try_from(latencies.len())?;
    let rate = f64::from(count) / begun.elapsed().as_secs_f64();
    latencies.sort();
    Ok((rate, latencies))
}

async fn session(spool: Arc<EmbeddedSpool>, life: Life, begun: Instant) -> Result<Vec<Duration>, Failure> {
    let content = vec![b'x'; SIZE];
    let envelope = Envelope {
        reverse_path: ReversePath::parse("sender@a.example")?,
        recipients: vec![Mailbox::parse("recipient@b.example")?],
        body: BodyType::SevenBit,
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

async fn deliver(spool: &EmbeddedSpool, part: &spool::Pending) -> Result<(), Failure> {
    let Some(lease) = spool.lease(part.id, &part.next_hop).await? else {
        return Err("the message is leased or gone".into());
    };
    let mut reader = lease.content.reader().await?;
    while reader.next().await?.is_some() {}
    let sent = Settlement {
        recipient: RecipientIndex(0),
        outcome: Outcome {
            status: Status::Sent,
            reply_code: None,
            enhanced: EnhancedStatus::new(2, 0, 0),
            reason: String::new(),
        },
        next_attempt: None,
    };
    spool.settle(lease, vec![sent], None).await?;
    Ok(())
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
