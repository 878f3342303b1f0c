//! What a line costs the task that logs it, and the process: `cargo test --release -p danerelay what_a_line_costs --
//! --ignored --nocapture` prints a table. Nothing is asserted about times.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use mail::event::delivery::Delivery;
use mail::event::{Event, EventLog};
use mail::record::Level;
use mail::{
    DaneVerdict, DeliverySecurity, Domain, Mailbox, Outcome, QueueId, ReplyCode, ReversePath, Security,
    Status,
};
use parking_lot::Mutex;

use super::frame::Frame;
use super::stream::Kind;
use super::target::Target;
use super::*;
use crate::config::schema::{Log, LogFormat, LogTarget};

const LINES: u32 = 200_000;
/// The time limit for writing all of them.
const PATIENCE: Duration = Duration::from_secs(10);

/// A typical line.
fn delivery(sample: &Delivery, number: u32) -> Event {
    let mut event = sample.clone();
    event.attempt = number;
    Event::Delivery(Box::new(event))
}

fn sample() -> Delivery {
    Delivery {
        id: QueueId::generate(),
        from: ReversePath::Mailbox(Mailbox::parse("sender@client.example").unwrap()),
        to: Mailbox::parse("info@example.nl").unwrap(),
        mode: "opportunistic",
        dane: DaneVerdict::Verify,
        tls: Some("TLSv1.3:TLS_AES_256_GCM_SHA384".to_owned()),
        tls_fail: None,
        tls_valid: Some("0 (ok)".to_owned()),
        host: Some(Domain::parse("mx1.example.nl").unwrap()),
        address: Some([192, 0, 2, 1].into()),
        port: 25,
        outcome: Outcome {
            status: Status::Sent,
            reply_code: Some(ReplyCode::new(250).unwrap()),
            enhanced: "2.0.0".parse().unwrap(),
            reason: "250 2.0.0 Ok: queued as 4XYZ".into(),
        },
        mx: Some(Security::Secure),
        base: Some(Domain::parse("mx1.example.nl").unwrap()),
        tlsa: Some("3 1 1 29c8601c…".to_owned()),
        sts: None,
        delay: Duration::from_millis(210),
        delays: [Duration::from_millis(50); 4],
        attempt: 1,
        size: 10_240,
        is_told: false,
        security: DeliverySecurity::Dane,
    }
}

/// As it was before there was a queue: each line is written by the task that logs it.
struct Direct(Mutex<File>);

impl EventLog for Direct {
    fn write(&self, event: &Event) {
        let (format, kind) = (LogFormat::Text, Kind::File);
        let line = Frame::Line { format, kind }.of(event);
        self.0.lock().write_all(&line).unwrap();
    }
}

/// Creates events and drops them.
struct Nowhere;

impl EventLog for Nowhere {
    fn write(&self, event: &Event) {
        std::hint::black_box(event);
    }
}

/// CPU time of this process so far, in seconds.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
}

fn measure(name: &str, threads: u32, log: &dyn EventLog, finish: impl FnOnce()) {
    let (began, before) = (Instant::now(), cpu());
    let sample = sample();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..LINES / threads).for_each(|number| log.write(&delivery(&sample, number))));
        }
    });
    let handed_over = began.elapsed().as_secs_f64();
    finish();
    let (all, lines) = (began.elapsed().as_secs_f64(), f64::from(LINES));
    println!(
        "| {name} | {threads} | {:.0} | {:.0} | {:.2} |",
        lines / handed_over,
        lines / all,
        (cpu() - before) / lines * 1e6
    );
}

fn append(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap()
}

#[test]
#[ignore = "prints a table"]
fn what_a_line_costs() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    println!("| way | threads | handed over/s | written/s | CPU a line, µs |\n|---|---|---|---|---|");
    for threads in [1, 4] {
        measure("no log", threads, &Nowhere, || {});
        measure(
            "written at once",
            threads,
            &Direct(Mutex::new(append(&path))),
            || {},
        );
        let settings = Log {
            target: LogTarget::File(path.clone()),
            ..Log::default()
        };
        let log = Logger::open(&settings).unwrap();
        measure("queue", threads, &*log, || log.finish(PATIENCE));
    }
    let (_reader, writer) = std::io::pipe().unwrap();
    let (format, kind) = (LogFormat::Text, Kind::File);
    let target = Target::stream(stream::Stream::new(writer), Frame::Line { format, kind });
    let log = Logger::start(target, Level::Info).unwrap();
    measure("queue, nobody reads", 4, &*log, || {});
}
