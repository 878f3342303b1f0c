//! Counts that are exact with many messages.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use jiff::Timestamp;
use mail::{BodyType, Envelope, MailParameters, Mailbox, QueueId, ReversePath};
use serde_json::Value;
use spool::{NewMessage, Running, Spool};
use spool_embedded::{EmbeddedSpool, Options};
use tokio::task::JoinSet;

use crate::common::{NO_DNS, PATIENCE, Relay, prepared};

const MESSAGES: usize = 20_000;

/// Puts messages into a new spool: to `even.example` and `odd.example` in turn.
async fn fill(path: std::path::PathBuf) {
    let spool = Arc::new(
        EmbeddedSpool::open(
            path,
            Options {
                spool_free: 0,
                ..Options::default()
            },
            Arc::new(()),
        )
        .await
        .unwrap(),
    );
    let mut tasks = JoinSet::new();
    for part in 0..64 {
        let spool = Arc::clone(&spool);
        tasks.spawn(async move {
            for number in (part..MESSAGES).step_by(64) {
                let domain = if number % 2 == 0 { "even" } else { "odd" };
                let recipient = Mailbox::parse(&format!("x{number}@{domain}.example")).unwrap();
                let message = NewMessage {
                    id: QueueId::generate(),
                    envelope: Envelope {
                        reverse_path: ReversePath::parse("a@one.example").unwrap(),
                        recipients: vec![recipient.into()],
                        parameters: MailParameters::of(BodyType::SevenBit),
                    },
                    created: Timestamp::now(),
                };
                let mut incoming = spool.create().unwrap();
                incoming.append(b"Subject: one of many\r\n\r\n").await.unwrap();
                spool.commit(incoming, message).await.unwrap();
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    spool.close().await.unwrap();
}

fn acted(relay: &Relay, arguments: &[&str]) -> Value {
    let end = relay.run(&[&["queue"], arguments, &["--json"]].concat());
    assert_eq!(end.status, 0, "{}{}", end.stdout, end.stderr);
    serde_json::from_str(&end.stdout).unwrap()
}

/// A client that has asked for the whole list, and what it has read of it.
fn list(relay: &Relay) -> (UnixStream, Vec<u8>) {
    let mut stream = UnixStream::connect(relay.path("admin.sock")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"{\"command\":\"list\"}\n").unwrap();
    // Greeted and with a first message: it is under way.
    let mut octets = vec![0; 512];
    stream.read_exact(&mut octets).unwrap();
    (stream, octets)
}

/// The messages of the list, read to its end; fails where nothing comes.
fn listed((mut stream, mut octets): (UnixStream, Vec<u8>)) -> usize {
    stream.read_to_end(&mut octets).unwrap();
    let text = String::from_utf8(octets).unwrap();
    assert!(text.ends_with("{\"end\":{}}\n"));
    text.matches("{\"result\":").count()
}

#[test]
fn twenty_thousand_messages_are_counted_one_by_one() {
    let directory = prepared(NO_DNS);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(fill(directory.path().join("spool")));

    let relay = Relay::start_in(directory, |command| command);
    // Some are being delivered, and left alone; each round leaves fewer.
    let (mut held, mut rounds) = (0, 0);
    loop {
        let counts = acted(&relay, &["hold", "--all"]);
        let number = |key: &str| counts[key].as_u64().unwrap();
        assert_eq!(
            number("done") + number("leased") + number("unsuitable"),
            MESSAGES as u64,
            "{counts}"
        );
        assert_eq!(number("unsuitable"), held, "{counts}");
        held += number("done");
        rounds += 1;
        if number("leased") == 0 {
            break;
        }
        assert!(rounds < 100, "{counts}");
    }
    assert_eq!(held, MESSAGES as u64);
    let summary = relay.objects(&["queue", "summary", "--json"]).pop().unwrap();
    assert_eq!(summary["messages"], MESSAGES);
    assert_eq!(summary["recipients"]["held"], MESSAGES);
    assert_eq!(relay.queue().len(), MESSAGES);
    let stalled = [(); 3].map(|()| list(&relay));
    // Others read slowly, and yet everybody has a turn.
    assert_eq!(listed(list(&relay)), MESSAGES);
    drop(stalled);
    let even = relay.objects(&["queue", "list", "--recipient-domain", "even.example", "--json"]);
    assert_eq!(even.len(), MESSAGES / 2);
    let mut released = 0;
    for _ in 0..100 {
        let counts = acted(&relay, &["release", "--recipient-domain", "even.example"]);
        released += counts["done"].as_u64().unwrap();
        if counts["leased"] == 0 {
            break;
        }
    }
    assert_eq!(released, MESSAGES as u64 / 2);
    // Some may just be found held by a delivery, and are left alone.
    let mut deleted = 0;
    for _ in 0..100 {
        let counts = acted(&relay, &["delete", "--recipient-domain", "odd.example"]);
        deleted += counts["done"].as_u64().unwrap();
        if counts["leased"] == 0 {
            break;
        }
    }
    assert_eq!(deleted, MESSAGES as u64 / 2);
    assert_eq!(relay.queue().len(), MESSAGES / 2);
    relay.wait_for_lines("action=delete, id=", MESSAGES / 2);
    // Whoever reads a page and goes away gets a page.
    let mut child = relay
        .command(&["queue", "list"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::new(child.stdout.take().unwrap()),
        &mut line,
    )
    .unwrap();
    assert!(line.contains(" Queue ID "), "{line}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
