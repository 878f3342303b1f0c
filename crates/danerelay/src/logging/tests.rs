//! Files that are moved, disks that are full, readers that stall; lines stay separate and of bounded length.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use mail::record::{Level, Value};
use parking_lot::{Condvar, Mutex};

use super::frame::Frame;
use super::message::LINE;
use super::queue::ROOM;
use super::stream::{Kind, Stream};
use super::target::Target;
use super::tests_record::{Fields, event};
use super::*;
use crate::config::schema::{Log, LogFormat, LogLevel, LogTarget};

const PATIENCE: Duration = Duration::from_secs(20);

fn settings(path: &std::path::Path) -> Log {
    Log {
        target: LogTarget::File(path.to_owned()),
        ..Log::default()
    }
}

#[test]
fn lines_have_time_and_level_and_the_message_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let log = Logger::open(&settings(&path)).unwrap();
    log.take(&event(Level::Debug, "A"));
    log.take(&event(Level::Info, "B"));
    log.take(&event(Level::Warning, "C"));
    log.finish(PATIENCE);
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.splitn(3, ' ').collect()).collect();
    let [first, second] = lines.as_slice() else {
        panic!("{text}")
    };
    let [time, level, message] = first.as_slice() else {
        panic!("{text}")
    };
    assert!(
        time.ends_with('Z') && time.parse::<jiff::Timestamp>().is_ok(),
        "{time}"
    );
    assert_eq!((*level, *message), ("info", "id=B, event=accepted"));
    assert_eq!(second.get(1..), Some(&["warning", "id=C, event=accepted"][..]));
}

#[test]
fn json_lines_are_objects() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let log = Logger::open(&Log {
        format: LogFormat::Json,
        level: LogLevel::Warning,
        ..settings(&path)
    })
    .unwrap();
    log.take(&event(Level::Info, "A"));
    log.take(&event(Level::Error, "B"));
    log.finish(PATIENCE);
    let text = std::fs::read_to_string(&path).unwrap();
    let object: serde_json::Value = serde_json::from_str(&text).unwrap();
    let field = |name: &str| {
        object
            .get(name)
            .and_then(serde_json::Value::as_str)
            .map(str::to_owned)
    };
    assert_eq!(field("level").as_deref(), Some("error"));
    assert_eq!(field("id").as_deref(), Some("B"));
    assert!(field("ts").unwrap().parse::<jiff::Timestamp>().is_ok());
}

#[test]
fn the_journal_has_its_own_clock_and_reads_the_level() {
    let frame = Frame::Line {
        format: LogFormat::Text,
        kind: Kind::Journal,
    };
    let line = |level| String::from_utf8(frame.of(&event(level, "A"))).unwrap();
    assert_eq!(line(Level::Warning), "<4>id=A, event=accepted\n");
    assert_eq!(line(Level::Info), "<6>id=A, event=accepted\n");
}

#[tokio::test]
async fn a_file_that_was_moved_away_is_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let (path, moved) = (directory.path().join("log"), directory.path().join("log.1"));
    let log = Logger::open(&settings(&path)).unwrap();
    log.take(&event(Level::Info, "A"));
    std::fs::rename(&path, &moved).unwrap();
    log.take(&event(Level::Info, "B"));
    log.reopen(&settings(&path)).await.unwrap();
    log.take(&event(Level::Info, "C"));
    log.finish(PATIENCE);
    let (old, new) = (
        std::fs::read_to_string(&moved).unwrap(),
        std::fs::read_to_string(&path).unwrap(),
    );
    assert!(
        old.contains("id=A") && old.contains("id=B") && !old.contains("id=C"),
        "{old}"
    );
    assert!(new.contains("id=C") && !new.contains("id=B"), "{new}");
}

#[tokio::test]
async fn a_target_that_cannot_be_opened_leaves_the_old_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let log = Logger::open(&settings(&path)).unwrap();
    let error = log
        .reopen(&settings(&directory.path().join("none/log")))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("none/log"), "{error}");
    log.take(&event(Level::Info, "A"));
    log.finish(PATIENCE);
    assert!(std::fs::read_to_string(&path).unwrap().contains("id=A"));
}

/// A reader that accepts `room` octets and then blocks, or a disk that is full then, until it gets more room.
#[derive(Clone)]
struct Taker(Arc<(Mutex<Taken>, Condvar)>);

struct Taken {
    room: usize,
    content: Vec<u8>,
    waits: bool,
}

impl Taker {
    fn new(room: usize, waits: bool) -> Self {
        let content = Vec::new();
        Self(Arc::new((
            Mutex::new(Taken { room, content, waits }),
            Condvar::new(),
        )))
    }

    fn give(&self, room: usize) {
        self.0.0.lock().room = room;
        self.0.1.notify_all();
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.0.lock().content.clone()).unwrap()
    }

    fn log(&self) -> Arc<Logger> {
        let frame = Frame::Line {
            format: LogFormat::Text,
            kind: Kind::File,
        };
        Logger::start(Target::stream(Stream::new(self.clone()), frame), Level::Info).unwrap()
    }
}

impl Write for Taker {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let (lock, given) = &*self.0;
        let mut taken = lock.lock();
        given.wait_while(&mut taken, |taken| taken.waits && taken.room == 0);
        let length = octets.len().min(taken.room);
        if length == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        taken.room -= length;
        taken.content.extend_from_slice(octets.get(..length).unwrap());
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_holds_lines_up_and_tears_none() {
    let disk = Taker::new(60, false);
    let log = disk.log();
    for id in ["A", "B", "C", "D"] {
        log.take(&event(Level::Info, id));
    }
    log.finish(Duration::from_millis(50));
    assert_eq!(disk.text().len(), 60);
    disk.give(usize::MAX);
    log.take(&event(Level::Info, "E"));
    log.finish(PATIENCE);
    let text = disk.text();
    let ids: Vec<&str> = text
        .lines()
        .map(|line| {
            let (_, message) = line.split_once(" info id=").unwrap();
            message.strip_suffix(", event=accepted").unwrap()
        })
        .collect();
    assert_eq!(ids, ["A", "B", "C", "D", "E"]);
}

#[test]
fn nothing_waits_for_a_reader_that_stalls_and_lost_lines_are_counted_in_their_place() {
    let reader = Taker::new(0, true);
    let log = reader.log();
    let text = "x".repeat(1000);
    let count = 4 * ROOM / 1000;
    for number in 0..count {
        let number = Value::Integer(number as u64);
        let event = Fields::new(Level::Info, "accepted").with("number", number);
        log.take(&event.with("reply", Value::Quoted(&text)));
    }
    // Nor does the shutdown.
    log.finish(Duration::from_millis(50));
    reader.give(usize::MAX);
    log.take(&event(Level::Info, "last"));
    log.finish(PATIENCE);
    let text = reader.text();
    assert!(text.len() < 2 * ROOM + 4096, "{}", text.len());
    let mut lines = text.lines().peekable();
    let mut kept = 0;
    while let Some(line) = lines.next_if(|line| line.contains("number=")) {
        assert!(line.contains(&format!(" number={kept}, ")), "{line}");
        kept += 1;
    }
    // The line `last` may have arrived when there was room again, or be one of those lost.
    let gap = lines.next().unwrap();
    let last = lines.next();
    let missing = count - kept + usize::from(last.is_none());
    assert!(
        gap.contains(&format!(" error lost={missing}, ")) && gap.ends_with("event=log"),
        "{gap}"
    );
    assert!(last.is_none_or(|last| last.contains("id=last")), "{last:?}");
    assert_eq!(lines.next(), None);
}

#[tokio::test]
async fn a_target_that_stalls_is_left_behind_by_a_reload() {
    let reader = Taker::new(0, true);
    let log = reader.log();
    log.take(&event(Level::Info, "A"));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    for id in ["B", "C"] {
        log.reopen(&settings(&path)).await.unwrap();
        log.take(&event(Level::Info, id));
        log.current.load_full().queue.wait_until_written(PATIENCE);
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("id=B") && text.contains("id=C"), "{text}");
    let began = Instant::now();
    let open = || {
        let channels = log.channels.lock();
        let open = channels.iter().filter(|channel| !channel.queue.is_finished());
        open.count()
    };
    while open() > 2 && began.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(open(), 2, "the one that stalls, and the last");
    reader.give(usize::MAX);
    log.finish(PATIENCE);
    assert!(reader.text().contains("id=A"));
}

#[tokio::test]
async fn what_a_full_disk_never_took_is_counted_elsewhere() {
    let disk = Taker::new(10, false);
    let log = disk.log();
    for id in ["A", "B", "C"] {
        log.take(&event(Level::Info, id));
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    log.reopen(&settings(&path)).await.unwrap();
    let began = Instant::now();
    loop {
        let text = std::fs::read_to_string(&path).unwrap();
        if text.contains(" error lost=3, ") {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{text}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_file_that_ends_within_a_line_gets_its_end_first() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    std::fs::write(&path, "a line\ntorn off").unwrap();
    for id in ["A", "B"] {
        let log = Logger::open(&settings(&path)).unwrap();
        log.take(&event(Level::Info, id));
        log.finish(PATIENCE);
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert_eq!(lines.get(..2).unwrap(), ["a line", "torn off"]);
}

#[test]
fn a_source_has_so_many_lines_and_its_rest_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let log = Logger::open(&settings(&path)).unwrap();
    let source = mail::Source::client([192, 0, 2, 1].into());
    for _ in 0..100 {
        log.take(&event(Level::Info, "A").caused_by(source));
        log.take(&event(Level::Debug, "no part of the log").caused_by(source));
    }
    log.take(&event(Level::Info, "B"));
    log.finish(PATIENCE);
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches("id=A, event=accepted").count(), 10, "{text}");
    assert_eq!(text.matches("id=B").count(), 1);
    let summary = text.lines().last().unwrap();
    assert!(
        summary.contains(" warning source=\"client 192.0.2.1\", more=90, "),
        "{summary}"
    );
}

/// A debug output of many octets, produced only if it is wanted, and only as far as it is wanted.
struct Dump<'a>(&'a std::sync::atomic::AtomicUsize);

impl std::fmt::Debug for Dump<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for _ in 0..1_000_000 {
            self.0.fetch_add(1, Ordering::Relaxed);
            f.write_str("Record { name: Name(\"example.\"), .. }")?;
        }
        Ok(())
    }
}

/// One test, because there is only one bridge in the whole process.
#[test]
fn libraries_are_heard_when_they_warn() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let log = Logger::open(&settings(&path)).unwrap();
    forward_tracing(Arc::clone(&log));
    tracing::info!("all is well");
    tracing::warn!(attempt = 3, "it\ncreaks");
    let pieces = std::sync::atomic::AtomicUsize::new(0);
    for number in 0..1000 {
        tracing::warn!(target: "hickory_net::udp", number, "forged: {:?}", Dump(&pieces));
        tracing::warn!(target: "hickory_net::tcp", dump = ?Dump(&pieces), "forged");
    }
    log.finish(PATIENCE);
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let [library, forged @ .., summary] = lines.as_slice() else {
        panic!("{text}")
    };
    assert!(
        library.contains(" warning module=danerelay")
            && library.contains("message=\"it\\x0Acreaks attempt=3\""),
        "{text}"
    );
    assert_eq!(forged.len(), 10, "one source, whatever the module");
    assert!(
        forged
            .iter()
            .all(|line| line.len() < LINE && line.contains("...cut")),
        "{text}"
    );
    assert!(
        summary.contains("source=\"library hickory_net\", more=1990, "),
        "{summary}"
    );
    assert!(
        pieces.into_inner() < 1000,
        "what is not written is not put into words"
    );
}
