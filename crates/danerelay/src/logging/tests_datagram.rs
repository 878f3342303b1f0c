//! Daemons that listen, come late, start anew and hang; hostile text on its way to each target.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Zoned;

use super::datagram::Datagrams;
use super::journald::Journald;
use super::stream::{Kind, Stream};
use super::syslog::Syslog;
use super::*;
use crate::config::schema::{LogFacility, LogFormat};

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

    /// What has been sent so far and was not yet received.
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

fn logger(target: Target) -> Logger {
    Logger {
        state: Mutex::new(State {
            level: Level::Info,
            target,
            lost: 0,
        }),
    }
}

fn syslog(path: &Path, format: LogFormat) -> Logger {
    logger(Target::Syslog(Syslog::new(path, LogFacility::Mail, format)))
}

fn journald(path: &Path, format: LogFormat) -> Logger {
    logger(Target::Journald(Journald::new(path, LogFacility::Local7, format)))
}

fn event(level: Level, id: &str) -> Event {
    Event::new(level, "accepted").with("id", Value::Word(id.to_owned()))
}

/// The fields of a journal entry, by the rules of its protocol.
fn fields(mut entry: &[u8]) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    while !entry.is_empty() {
        let end = entry.iter().position(|octet| b"=\n".contains(octet)).unwrap();
        let name = entry.get(..end).unwrap();
        let (value, rest) = if entry.get(end) == Some(&b'=') {
            let (_, rest) = entry.split_at(end + 1);
            rest.split_at(rest.iter().position(|octet| *octet == b'\n').unwrap())
        } else {
            let (length, rest) = entry.get(end + 1..).unwrap().split_first_chunk::<8>().unwrap();
            rest.split_at(usize::try_from(u64::from_le_bytes(*length)).unwrap())
        };
        entry = rest.strip_prefix(b"\n").unwrap();
        let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
        fields.push((text(name), text(value)));
    }
    fields
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
    log.write(&event(Level::Debug, "A"));
    log.write(&event(Level::Info, "B"));
    log.write(&event(Level::Error, "C"));
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
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::at(&directory.path().join("socket"));
    let event = event(Level::Warning, "A")
        .with("message-id", Value::Path("a@b.example".to_owned()))
        .with("reply", Value::Quoted("250 2.0.0\n\"Ok\"=\n".to_owned()))
        .with("size", Value::Integer(7))
        .with("delay", Value::Seconds(Duration::from_millis(210)))
        .with(
            "delays",
            Value::Stages(vec![Duration::ZERO, Duration::from_millis(1250)]),
        )
        .with("tls", Value::Absent);
    journald(&daemon.path, LogFormat::Text).write(&event);
    let entries = daemon.received();
    let [entry] = entries.as_slice() else {
        panic!("{entries:?}")
    };
    let expected = [
        ("MESSAGE", event.to_text().as_str()),
        ("PRIORITY", "4"),
        ("SYSLOG_IDENTIFIER", "danerelay"),
        ("SYSLOG_FACILITY", "23"),
        ("DANERELAY_EVENT", "accepted"),
        ("DANERELAY_ID", "A"),
        ("DANERELAY_MESSAGE_ID", "a@b.example"),
        ("DANERELAY_REPLY", "250 2.0.0\n\"Ok\"=\n"),
        ("DANERELAY_SIZE", "7"),
        ("DANERELAY_DELAY", "0.21"),
        ("DANERELAY_DELAYS", "0.00/1.25"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(fields(entry), expected);
    let length_form = b"DANERELAY_REPLY\n\x10\0\0\0\0\0\0\x00250 2.0.0\n";
    assert!(
        entry
            .windows(length_form.len())
            .any(|window| window == length_form)
    );
}

#[test]
fn a_daemon_may_come_late_and_start_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let log = syslog(&path, LogFormat::Text);
    log.write(&event(Level::Info, "A"));
    log.write(&event(Level::Info, "B"));
    let daemon = Daemon::at(&path);
    log.write(&event(Level::Info, "C"));
    let texts = daemon.texts();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts.first().unwrap().starts_with("<19>"), "{texts:?}");
    assert!(texts.first().unwrap().contains(": lost=2, reason="), "{texts:?}");
    assert!(texts.last().unwrap().contains(": id=C, "), "{texts:?}");

    daemon.end();
    let daemon = Daemon::at(&path);
    log.write(&event(Level::Info, "D"));
    let texts = daemon.texts();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts.first().unwrap().contains(": id=D, "), "{texts:?}");
}

#[test]
fn a_daemon_that_hangs_holds_nothing_up() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::at(&directory.path().join("socket"));
    let log = journald(&daemon.path, LogFormat::Text);
    let start = Instant::now();
    let sent = 5000;
    for _ in 0..sent {
        log.write(&event(Level::Info, "A"));
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let arrived = daemon.received().len();
    assert!(arrived < sent);
    log.write(&event(Level::Info, "B"));
    let entries = daemon.received();
    let [gap, next] = entries.as_slice() else {
        panic!("{entries:?}")
    };
    let lost = (sent - arrived).to_string();
    assert_eq!(field(&fields(gap), "DANERELAY_LOST"), Some(lost.as_str()));
    assert_eq!(field(&fields(next), "DANERELAY_ID"), Some("B"));
}

#[test]
fn a_burst_waits_for_a_daemon_that_reads() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::at(&directory.path().join("log"));
    daemon.socket.set_nonblocking(false).unwrap();
    let mut datagrams = Datagrams::with_patience(&daemon.path, Duration::from_mins(1));
    let sent: u32 = 5000;
    let reader = std::thread::spawn(move || {
        for number in 0..sent {
            let mut octets = [0; 4];
            assert_eq!(daemon.socket.recv(&mut octets).unwrap(), 4);
            assert_eq!(u32::from_be_bytes(octets), number);
        }
    });
    for number in 0..sent {
        datagrams.send(&number.to_be_bytes()).unwrap();
    }
    reader.join().unwrap();
}

#[test]
fn what_is_too_long_is_cut_and_marked() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::at(&directory.path().join("socket"));
    let event = event(Level::Info, "A").with("reply", Value::Quoted("é".repeat(1 << 20)));
    let cut = format!("id=A, reply=\"{}...cut\", event=accepted", "é".repeat(256));

    syslog(&daemon.path, LogFormat::Text).write(&event);
    let texts = daemon.texts();
    assert_eq!(texts.len(), 1);
    assert!(
        texts.first().unwrap().ends_with(&format!("]: {cut}")),
        "{texts:?}"
    );

    journald(&daemon.path, LogFormat::Text).write(&event);
    let entries = daemon.received();
    assert_eq!(entries.len(), 1);
    let fields = fields(entries.first().unwrap());
    assert_eq!(field(&fields, "MESSAGE"), Some(cut.as_str()));
    assert_eq!(field(&fields, "PRIORITY"), Some("6"));
    assert!(
        fields.iter().all(|(name, _)| !name.starts_with("DANERELAY_")),
        "{fields:?}"
    );

    syslog(&daemon.path, LogFormat::Json).write(&event);
    let texts = daemon.texts();
    let (_, json) = texts.first().unwrap().split_once("]: ").unwrap();
    let object: serde_json::Value = serde_json::from_str(json).unwrap();
    assert!(object["reply"].as_str().unwrap().ends_with("é...cut"));
}

#[test]
fn json_stays_one_object_for_every_target() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::at(&directory.path().join("socket"));
    let file = directory.path().join("file");
    let stream = Stream::file(&file, LogFormat::Json).unwrap();
    let stderr = std::fs::File::create(directory.path().join("stderr")).unwrap();
    let journal_stream = Stream::new(stderr, Kind::Journal, LogFormat::Json);
    let event = Event::new(Level::Info, "delivery")
        .with("id", Value::Word(HOSTILE.to_owned()))
        .with("to", Value::Address(HOSTILE.to_owned()))
        .with("from", Value::Path(HOSTILE.to_owned()))
        .with("reply", Value::Quoted(HOSTILE.to_owned()))
        .with("tls", Value::Absent)
        .with("size", Value::Integer(u64::MAX))
        .with("delay", Value::Seconds(Duration::from_millis(250)))
        .with("delays", Value::Stages(vec![Duration::from_millis(500)]));

    syslog(&daemon.path, LogFormat::Json).write(&event);
    journald(&daemon.path, LogFormat::Json).write(&event);
    logger(Target::Stream(stream)).write(&event);
    logger(Target::Stream(journal_stream)).write(&event);

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
    assert_eq!(field(&entry, "DANERELAY_REPLY"), Some(HOSTILE));
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
