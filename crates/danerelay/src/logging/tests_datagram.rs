//! Daemons that listen, start late, restart and hang; hostile text sent to each target.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Zoned;
use mail::printable::Printable;
use mail::record::{Level, Record, Value};
use mail::render::{Form, whole};

use super::frame::Frame;
use super::stream::{Kind, Stream};
use super::target::Target;
use super::tests_record::{Fields, event};
use super::*;
use crate::config::schema::{LogFacility, LogFormat};

const PATIENCE: Duration = Duration::from_secs(20);

const HOSTILE: &str = "x\r\nid=1, status=sent\", \"a\":\"b\\\u{1b}[2J\u{202e}\u{2028}\u{0}";

/// A daemon's side of a socket.
struct Daemon {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Daemon {
    fn at(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self {
            socket,
            path: path.to_owned(),
        }
    }

    /// What has been sent and not yet received.
    fn received(&self) -> Vec<Vec<u8>> {
        let mut buffer = vec![0; 1 << 20];
        std::iter::from_fn(|| {
            self.socket
                .recv(&mut buffer)
                .ok()
                .map(|length| buffer.get(..length).unwrap().to_vec())
        })
        .collect()
    }

    fn texts(&self) -> Vec<String> {
        let datagrams = self.received().into_iter();
        datagrams
            .map(|datagram| String::from_utf8(datagram).unwrap())
            .collect()
    }

    fn end(self) {
        std::fs::remove_file(&self.path).unwrap();
    }
}

fn logger(target: Target) -> Arc<Logger> {
    Logger::start(target, Level::Info).unwrap()
}

fn syslog(path: &Path, format: LogFormat) -> Arc<Logger> {
    let facility = LogFacility::Mail;
    logger(Target::daemon(path, Frame::Syslog { format, facility }))
}

fn journald(path: &Path, format: LogFormat) -> Arc<Logger> {
    let facility = LogFacility::Local7;
    logger(Target::daemon(path, Frame::Journald { format, facility }))
}

/// Writes one event, and waits until it is written.
fn write(log: &Logger, event: &dyn Record) {
    log.take(event);
    log.finish(PATIENCE);
}

/// The fields of a journal entry.
fn fields(entry: &[u8]) -> Vec<(String, String)> {
    let text = std::str::from_utf8(entry).unwrap();
    let fields = text.lines().map(|line| line.split_once('=').unwrap());
    fields
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = fields.iter().find(|(other, _)| other == name);
    found.map(|(_, value)| value.as_str())
}

#[test]
fn syslog_has_priority_local_time_and_process() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::at(&directory.path().join("log"));
    let log = syslog(&daemon.path, LogFormat::Text);
    let stamp = || Zoned::now().strftime("%b %e %H:%M:%S").to_string();
    let before = stamp();
    log.take(&event(Level::Debug, "A"));
    log.take(&event(Level::Info, "B"));
    write(&log, &event(Level::Error, "C"));
    let after = stamp();
    let texts = daemon.texts();
    let expected = |priority: u8, time: &str, id: &str| {
        let process = std::process::id();
        format!("<{priority}>{time} danerelay[{process}]: id={id}, event=accepted")
    };
    let [info, error] = texts.as_slice() else {
        panic!("{texts:?}")
    };
    assert!(
        [&before, &after]
            .iter()
            .any(|time| *info == expected(22, time, "B")),
        "{info}"
    );
    assert!(
        [&before, &after]
            .iter()
            .any(|time| *error == expected(19, time, "C")),
        "{error}"
    );
    assert_eq!(before.len(), "Nov  2 09:41:44".len(), "{before}");
}

#[test]
fn the_journal_gets_each_field() {
    const STAGES: [Duration; 2] = [Duration::ZERO, Duration::from_millis(1250)];
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::at(&directory.path().join("socket"));
    let event = event(Level::Warning, "A")
        .with("message-id", Value::Path("a@b.example"))
        .with("reply", Value::Quoted("250 2.0.0\n\"Ok\"=\n"))
        .with("size", Value::Integer(7))
        .with("delay", Value::Seconds(Duration::from_millis(210)))
        .with("delays", Value::Stages(&STAGES))
        .with("tls", Value::Absent);
    write(&journald(&daemon.path, LogFormat::Text), &event);
    let entries = daemon.received();
    let [entry] = entries.as_slice() else {
        panic!("{entries:?}")
    };
    let expected = [
        ("MESSAGE", whole(&event, Form::Text).as_str()),
        ("PRIORITY", "4"),
        ("SYSLOG_IDENTIFIER", "danerelay"),
        ("SYSLOG_FACILITY", "23"),
        ("DANERELAY_EVENT", "accepted"),
        ("DANERELAY_ID", "A"),
        ("DANERELAY_MESSAGE_ID", "a@b.example"),
        ("DANERELAY_REPLY", "250 2.0.0\\x0A\"Ok\"=\\x0A"),
        ("DANERELAY_SIZE", "7"),
        ("DANERELAY_DELAY", "0.21"),
        ("DANERELAY_DELAYS", "0.00/1.25"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(fields(entry), expected);
}

/// What is in a daemon's socket once this many datagrams have arrived.
fn wait_for(daemon: &Daemon, count: usize) -> Vec<Vec<u8>> {
    let began = Instant::now();
    let mut received = Vec::new();
    while received.len() < count {
        received.extend(daemon.received());
        assert!(began.elapsed() < PATIENCE, "{received:?}");
        thread::sleep(Duration::from_millis(5));
    }
    received
}

#[test]
fn a_daemon_may_come_late_and_start_anew_and_no_line_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let log = syslog(&path, LogFormat::Text);
    log.take(&event(Level::Info, "A"));
    log.take(&event(Level::Info, "B"));
    log.finish(Duration::from_millis(50));
    let daemon = Daemon::at(&path);
    log.take(&event(Level::Info, "C"));
    let texts = wait_for(&daemon, 3);
    for (text, id) in texts.iter().zip(["A", "B", "C"]) {
        let text = String::from_utf8_lossy(text);
        assert!(
            text.starts_with("<22>") && text.ends_with(&format!("id={id}, event=accepted")),
            "{text}"
        );
    }

    daemon.end();
    let daemon = Daemon::at(&path);
    write(&log, &event(Level::Info, "D"));
    let texts = daemon.texts();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts.first().unwrap().contains(": id=D, "), "{texts:?}");
}

#[test]
fn a_daemon_that_hangs_holds_nothing_up_and_gets_all_when_it_works_again() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::at(&directory.path().join("socket"));
    let log = journald(&daemon.path, LogFormat::Text);
    let sent = 1000;
    for number in 0..sent {
        log.take(&event(Level::Info, &number.to_string()));
    }
    log.finish(Duration::from_millis(50));
    let entries = wait_for(&daemon, sent);
    for (number, entry) in entries.iter().enumerate() {
        let number = number.to_string();
        assert_eq!(field(&fields(entry), "DANERELAY_ID"), Some(number.as_str()));
    }
}

#[test]
fn what_is_too_long_is_cut_and_marked() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::at(&directory.path().join("socket"));
    let reply = "é".repeat(1 << 20);
    let event = event(Level::Info, "A").with("reply", Value::Quoted(&reply));
    let cut = format!("id=A, reply=\"{}...cut\", event=accepted", "é".repeat(512));

    write(&syslog(&daemon.path, LogFormat::Text), &event);
    let texts = daemon.texts();
    assert_eq!(texts.len(), 1);
    assert!(
        texts.first().unwrap().ends_with(&format!("]: {cut}")),
        "{texts:?}"
    );

    write(&journald(&daemon.path, LogFormat::Text), &event);
    let entries = daemon.received();
    assert_eq!(entries.len(), 1);
    let fields = fields(entries.first().unwrap());
    assert_eq!(field(&fields, "MESSAGE"), Some(cut.as_str()));
    assert_eq!(field(&fields, "PRIORITY"), Some("6"));
    let kept = field(&fields, "DANERELAY_REPLY").unwrap();
    assert_eq!(kept, format!("{}...cut", "é".repeat(512)));

    write(&syslog(&daemon.path, LogFormat::Json), &event);
    let texts = daemon.texts();
    let (_, json) = texts.first().unwrap().split_once("]: ").unwrap();
    let object: serde_json::Value = serde_json::from_str(json).unwrap();
    assert!(object["reply"].as_str().unwrap().ends_with("é...cut"));
}

#[test]
fn json_stays_one_object_for_every_target() {
    const HALF: [Duration; 1] = [Duration::from_millis(500)];
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::at(&directory.path().join("socket"));
    let file = directory.path().join("file");
    let stream = Stream::file(&file).unwrap();
    let stderr = std::fs::File::create(directory.path().join("stderr")).unwrap();
    let journal_stream = Stream::new(stderr);
    let event = Fields::new(Level::Info, "delivery")
        .with("id", Value::Word(HOSTILE))
        .with("to", Value::Address(HOSTILE))
        .with("from", Value::Path(HOSTILE))
        .with("reply", Value::Quoted(HOSTILE))
        .with("tls", Value::Absent)
        .with("size", Value::Integer(u64::MAX))
        .with("delay", Value::Seconds(Duration::from_millis(250)))
        .with("delays", Value::Stages(&HALF));

    write(&syslog(&daemon.path, LogFormat::Json), &event);
    write(&journald(&daemon.path, LogFormat::Json), &event);
    for (stream, kind) in [(stream, Kind::File), (journal_stream, Kind::Journal)] {
        let format = LogFormat::Json;
        let target = Target::stream(stream, Frame::Line { format, kind });
        write(&logger(target), &event);
    }

    let received = daemon.received();
    let [syslog, entry] = received.as_slice() else {
        panic!("{received:?}")
    };
    let syslog = std::str::from_utf8(syslog)
        .unwrap()
        .split_once("]: ")
        .unwrap()
        .1
        .to_owned();
    let entry = fields(entry);
    let plain = Printable(HOSTILE).to_string();
    assert_eq!(field(&entry, "DANERELAY_REPLY"), Some(plain.as_str()));
    let journal = field(&entry, "MESSAGE").unwrap().to_owned();
    let of_file = |name| std::fs::read_to_string(directory.path().join(name)).unwrap();
    for text in [syslog + "\n", journal + "\n", of_file("file"), of_file("stderr")] {
        assert_eq!(
            text.chars().filter(|c| c.is_control()).collect::<String>(),
            "\n",
            "{text}"
        );
        let object: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(
            object["ts"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(),
            "{text}"
        );
        assert_eq!(
            (&object["level"], &object["event"]),
            (&"info".into(), &"delivery".into())
        );
        for name in ["id", "to", "from", "reply"] {
            assert_eq!(object[name], HOSTILE, "{name}: {text}");
        }
        assert_eq!(object["tls"], serde_json::Value::Null);
        assert!(object.get("tls").is_some());
        assert_eq!(object["size"], u64::MAX);
        assert_eq!(object["delay"], 0.25);
        assert_eq!(object["delays"], serde_json::json!([0.5]));
    }
}
