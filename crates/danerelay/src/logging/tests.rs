//! Files that move, disks that fill, lines that keep apart.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::Write;
use std::sync::{Arc, Mutex};

use super::stream::{Kind, Stream, line};
use super::*;
use crate::config::schema::{LogFormat, LogLevel};

fn settings(path: &std::path::Path) -> Log {
    Log {
        target: path.to_str().unwrap().to_owned(),
        ..Log::default()
    }
}

fn event(level: Level, id: &str) -> Event {
    Event::new(level, "accepted").with("id", Value::Word(id.to_owned()))
}

#[test]
fn lines_have_time_and_level_and_the_message_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let log = Logger::open(&settings(&path)).unwrap();
    log.write(&event(Level::Debug, "A"));
    log.write(&event(Level::Info, "B"));
    log.write(&event(Level::Warning, "C"));
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
    log.write(&event(Level::Info, "A"));
    log.write(&event(Level::Error, "B"));
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
    let line = |level| line(LogFormat::Text, Kind::Journal, &event(level, "A"));
    assert_eq!(line(Level::Warning), "<4>id=A, event=accepted\n");
    assert_eq!(line(Level::Info), "<6>id=A, event=accepted\n");
}

#[test]
fn a_file_that_was_moved_away_is_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let (path, moved) = (directory.path().join("log"), directory.path().join("log.1"));
    let log = Logger::open(&settings(&path)).unwrap();
    log.write(&event(Level::Info, "A"));
    std::fs::rename(&path, &moved).unwrap();
    log.write(&event(Level::Info, "B"));
    log.reopen(&settings(&path)).unwrap();
    log.write(&event(Level::Info, "C"));
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

#[test]
fn a_target_that_cannot_be_opened_leaves_the_old_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let log = Logger::open(&settings(&path)).unwrap();
    let error = log
        .reopen(&settings(&directory.path().join("none/log")))
        .unwrap_err();
    assert!(error.to_string().contains("none/log"), "{error}");
    log.write(&event(Level::Info, "A"));
    assert!(std::fs::read_to_string(&path).unwrap().contains("id=A"));
}

/// A disk that takes `room` octets and then nothing, until it is given more.
#[derive(Clone)]
struct Disk(Arc<Mutex<(usize, Vec<u8>)>>);

impl Write for Disk {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let (room, content) = &mut *self.0.lock().unwrap();
        let taken = octets.len().min(*room);
        if taken == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        *room -= taken;
        content.extend_from_slice(octets.get(..taken).unwrap());
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_lost_to_a_full_disk_are_counted_and_told() {
    let disk = Disk(Arc::new(Mutex::new((60, Vec::new()))));
    let log = Logger {
        state: Mutex::new(State {
            level: Level::Info,
            target: Target::Stream(Stream::new(disk.clone(), Kind::File, LogFormat::Text)),
            lost: 0,
        }),
    };
    for id in ["A", "B", "C", "D"] {
        log.write(&event(Level::Info, id));
    }
    disk.0.lock().unwrap().0 = usize::MAX;
    log.write(&event(Level::Info, "E"));
    let content = disk.0.lock().unwrap().1.clone();
    let text = String::from_utf8(content).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let [whole, torn, gap, last] = lines.as_slice() else {
        panic!("{text}")
    };
    assert!(whole.ends_with("info id=A, event=accepted"), "{text}");
    assert!(!torn.contains("event=accepted"), "{text}");
    assert!(
        gap.contains(" error lost=3, ") && gap.ends_with("event=log"),
        "{text}"
    );
    assert!(last.ends_with("info id=E, event=accepted"), "{text}");
}

/// One test: the bridge is one for the whole process.
#[test]
fn libraries_are_heard_when_they_warn_and_the_spool_whatever_it_says() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let log = Logger::open(&settings(&path)).unwrap();
    forward_tracing(log);
    tracing::info!("all is well");
    tracing::warn!(attempt = 3, "it\ncreaks");
    tracing::debug!(target: "spool_embedded", "details");
    tracing::info!(target: "spool_embedded::writer::caretaker", swept = 3, "removed contents");
    tracing::error!(target: "spool", error = %"no\nspace", place = -1, "cannot write");
    tracing::info!(target: "spooler", "another crate");
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let [library, info, error] = lines.as_slice() else {
        panic!("{text}")
    };
    assert!(
        library.contains(" warning module=danerelay")
            && library.contains("message=\"it\\x0Acreaks attempt=3\""),
        "{text}"
    );
    assert!(
        info.ends_with(" info reason=\"removed contents\", swept=3, event=spool"),
        "{text}"
    );
    assert!(
        error.ends_with(" error reason=\"cannot write\", error=\"no\\x0Aspace\", place=\"-1\", event=spool"),
        "{text}"
    );
}
