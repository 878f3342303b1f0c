//! The log of a running daemon: who reads it may stall, and who is refused or answers wrongly may not fill it.

#![allow(clippy::disallowed_types, reason = "the time that really passes is meant")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod common;

use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;
use testworld::dns::World;
use testworld::mail::{Receiver, free_port_on};

use common::{Client, NO_DNS, PATIENCE, Relay, asking, configuration, prepared, serve};

/// The longest line that a stranger can bring about.
const LINE: usize = 2048;

/// A daemon whose standard error is a full pipe that nobody reads, and the end where one could.
fn unread(more: &str) -> (Relay, PipeReader) {
    let directory = prepared("");
    let text = configuration(more).replace("target = \"log\"", "target = \"stderr\"");
    std::fs::write(directory.path().join("danerelay.toml"), text).unwrap();
    let (reader, writer) = full_pipe();
    let relay = at_a_known_port(directory, |command| command.stderr(writer));
    (relay, reader)
}

fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let room = rustix::pipe::fcntl_getpipe_size(&writer).unwrap();
    writer.write_all(&vec![b'\n'; room]).unwrap();
    (reader, writer)
}

/// A daemon whose port stands in its configuration, so that nobody need read its log.
fn at_a_known_port(directory: TempDir, prepare: impl FnOnce(&mut Command) -> &mut Command) -> Relay {
    let port = free_port_on(&[[127, 0, 0, 1].into()]).unwrap();
    let file = directory.path().join("danerelay.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, text.replace("127.0.0.1:0", &format!("127.0.0.1:{port}"))).unwrap();
    let child = prepare(&mut serve(directory.path())).spawn().unwrap();
    let relay = Relay {
        directory,
        child,
        address: SocketAddr::from(([127, 0, 0, 1], port)),
    };
    let began = Instant::now();
    while TcpStream::connect(relay.address).is_err() {
        assert!(began.elapsed() < PATIENCE, "nobody listens");
        std::thread::sleep(Duration::from_millis(20));
    }
    relay
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_waits_for_a_reader_of_standard_error_that_stalls() {
    let world = World::start().await.unwrap();
    let receiver = Receiver::builder("mx.plain.test").start().await.unwrap();
    world.domain("test").signed().add().unwrap();
    let plain = world.domain("plain.test").unsigned();
    plain.mx(10, "mx.plain.test", receiver.address()).add().unwrap();
    let anchor = tempfile::NamedTempFile::new().unwrap();
    let more = asking(&world, "validate", anchor.path()) + &format!("port = {}\n", receiver.address().port());
    let done = tokio::task::spawn_blocking(move || {
        let (mut relay, mut reader) = unread(&more);
        let mut ids = Vec::new();
        for _ in 0..5 {
            let mut client = Client::connect(relay.address);
            ids.extend((0..20).map(|_| client.send("someone@plain.test")));
        }
        let began = Instant::now();
        while receiver.messages().len() < ids.len() {
            assert!(began.elapsed() < PATIENCE, "{}", receiver.messages().len());
            std::thread::sleep(Duration::from_millis(20));
        }
        // What was written meanwhile is all there once somebody reads on.
        let reading = std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            text
        });
        relay.signal(Signal::TERM);
        assert_eq!(relay.wait().code(), Some(0));
        let text = reading.join().unwrap();
        for id in &ids {
            let lines: Vec<&str> = text.lines().filter(|line| line.contains(id)).collect();
            let [accepted, sent] = lines.as_slice() else {
                panic!("{id}: {lines:?}")
            };
            assert!(accepted.contains("event=accepted"), "{accepted}");
            assert!(sent.contains("status=sent"), "{sent}");
        }
        assert!(text.lines().last().unwrap().ends_with("event=stopped"), "{text}");
    });
    done.await.unwrap();
}

#[test]
fn sigterm_does_not_wait_for_a_reader_that_never_reads_on() {
    let (mut relay, _reader) = unread(NO_DNS);
    Client::connect(relay.address).send("someone@nowhere.example");
    relay.signal(Signal::TERM);
    assert_eq!(relay.wait().code(), Some(0));
}

#[test]
fn a_start_that_fails_does_not_wait_for_a_reader_that_stalls() {
    let directory = prepared("[nonsense]\n");
    let (_reader, writer) = full_pipe();
    let mut relay = Relay {
        child: serve(directory.path()).stderr(writer).spawn().unwrap(),
        directory,
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
    };
    assert_eq!(relay.wait().code(), Some(2));
}

/// Lines that hold the word, each of which is short enough; and the number in their field `key`, summed up.
fn counted(log: &str, word: &str, key: &str) -> (usize, u64) {
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(word)).collect();
    assert!(lines.iter().all(|line| line.len() < LINE), "{log}");
    let numbers = lines.iter().filter_map(|line| {
        let (_, rest) = line.split_once(&format!(" {key}="))?;
        rest.split(',').next()?.parse::<u64>().ok()
    });
    (lines.len(), numbers.sum())
}

#[test]
fn a_client_that_is_refused_again_and_again_does_not_fill_the_log() {
    let directory = prepared("");
    let text = configuration(NO_DNS).replace("[limits]", "[access]\nnetworks = [\"192.0.2.0/24\"]\n[limits]");
    std::fs::write(directory.path().join("danerelay.toml"), text).unwrap();
    let mut relay = Relay::start_in(directory, |command| command);
    let began = Instant::now();
    let sessions = 150;
    let recipients: u64 = 40;
    for _ in 0..sessions {
        let mut client = Client::connect(relay.address);
        client.say("MAIL FROM:<sender@client.example>", "250");
        for _ in 0..recipients {
            client.say("RCPT TO:<someone@nowhere.example>", "550");
        }
        client.say("QUIT", "221");
    }
    let lasted = usize::try_from(began.elapsed().as_secs()).unwrap();
    relay.stop();
    let log = relay.log();
    let (lines, refused) = counted(&log, "event=rejected", "refused");
    assert!(lines <= 11 + lasted, "{lines} lines in {lasted} s:\n{log}");
    assert_eq!(
        refused,
        recipients * lines as u64,
        "one line a session, with a count: {log}"
    );
    let (_, left_out) = counted(&log, " more=", "more");
    assert_eq!(left_out + lines as u64, sessions, "all are accounted for: {log}");
    assert!(log.contains("source=\"client 127.0.0.1\""), "{log}");
}

/// A name server that answers each question with packets of other questions, and with one question that is a hundred.
fn forger() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut octets = [0; 4096];
        while let Ok((length, peer)) = socket.recv_from(&mut octets) {
            let question = &octets[..length.min(512)];
            let mut wrong = question.to_vec();
            wrong[0] ^= 0xff;
            wrong[2] |= 0x80;
            // The right ID, and the questions 20 to 120 at the name of the first.
            let mut forged = question[..12].to_vec();
            forged[2] |= 0x80;
            forged[4..12].copy_from_slice(&[0, 101, 0, 0, 0, 0, 0, 0]);
            forged.extend(
                b"\x3eforged-forged-forged-forged-forged-forged-forged-forged-forged\x00\x00\x01\x00\x01",
            );
            (20..120).for_each(|kind| forged.extend([0xc0, 0x0c, 0, kind, 0, 1]));
            for _ in 0..100 {
                let _ = socket.send_to(&wrong, peer);
                let _ = socket.send_to(&forged, peer);
            }
        }
    });
    address
}

#[test]
fn a_name_server_that_answers_wrongly_does_not_fill_the_log() {
    let server = forger();
    let more = format!(
        "[dns]\nmode = \"validate\"\nservers = [\"{server}\"]\ntimeout = \"1s\"\n[delivery]\nretry = [\"1h\"]\n"
    );
    let mut relay = Relay::start(&more);
    let began = Instant::now();
    let mut client = Client::connect(relay.address);
    for number in 0..5 {
        client.send(&format!("someone@forged{number}.example"));
    }
    relay.wait_for_lines("status=deferred", 5);
    let lasted = usize::try_from(began.elapsed().as_secs()).unwrap();
    relay.stop();
    let log = relay.log();
    let (lines, _) = counted(&log, "event=library", "more");
    assert!(lines > 0 && lines <= 11 + lasted, "{lines} lines in {lasted} s");
    assert!(log.len() < 64 * 1024, "{} octets", log.len());
    let (_, left_out) = counted(&log, " more=", "more");
    assert!(left_out > 100, "{log}");
}

#[test]
fn json_on_standard_error_is_a_line_an_object_whatever_a_client_says() {
    let directory = prepared("");
    let text = configuration(NO_DNS).replace("[log]", "[log]\nformat = \"json\"");
    std::fs::write(directory.path().join("danerelay.toml"), text).unwrap();
    let mut relay = at_a_known_port(directory, |command| command);
    let mut client = Client::connect(relay.address);
    client.say(
        "MAIL FROM:<\"\u{202e}\u{200b}\u{e0041}\"@client.example> SMTPUTF8",
        "250",
    );
    client.say("RCPT TO:<someone@nowhere.example>", "250");
    client.send_content();
    relay.stop();
    let file = std::fs::File::open(relay.path("log")).unwrap();
    let mut accepted = None;
    for line in BufReader::new(file).lines() {
        let line = line.unwrap();
        assert!(!line.contains(mail::printable::is_unprintable), "{line:?}");
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        if object["event"] == "accepted" {
            accepted = Some(object);
        }
    }
    let accepted = accepted.unwrap();
    assert_eq!(accepted["from"], "\"\u{202e}\u{200b}\u{e0041}\"@client.example");
    let listed = relay.print(&["queue", "list", "--json"]);
    assert!(
        !listed.trim_end().contains(mail::printable::is_unprintable),
        "{listed:?}"
    );
    let object: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(object["sender"], accepted["from"]);
}

/// A target that does not open, and one that does later: a pipe with a name, which waits for a reader.
#[test]
fn a_target_that_does_not_open_holds_up_neither_a_reload_nor_the_end() {
    let mut relay = Relay::start(NO_DNS);
    let pipe = relay.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let file = relay.path("danerelay.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("target = \"log\"", "target = \"pipe\"")).unwrap();
    relay.signal(Signal::HUP);
    relay.wait_for("reason=\"log.target: opening it takes too long; the log stays where it was\"");
    relay.wait_for("status=loaded");
    // Whoever reads it now gets what is said from now on.
    let reader = BufReader::new(std::fs::File::open(&pipe).unwrap());
    let mut lines = reader.lines();
    Client::connect(relay.address).send("someone@nowhere.example");
    while !lines.next().unwrap().unwrap().ends_with("event=accepted") {}
    // Nobody reads on.
    relay.signal(Signal::TERM);
    assert_eq!(relay.wait().code(), Some(0));
}

#[test]
fn a_systemd_that_takes_no_messages_holds_up_neither_the_start_nor_the_end() {
    let directory = prepared(NO_DNS);
    let path = directory.path().join("notify");
    let _systemd = UnixDatagram::bind(&path).unwrap();
    let filling = UnixDatagram::unbound().unwrap();
    filling.connect(&path).unwrap();
    filling.set_nonblocking(true).unwrap();
    while filling.send(b"STATUS=full").is_ok() {}
    let mut relay = Relay::start_in(directory, |command| command.env("NOTIFY_SOCKET", path));
    Client::connect(relay.address).send("someone@nowhere.example");
    relay.signal(Signal::HUP);
    relay.wait_for("status=loaded");
    relay.stop();
}
