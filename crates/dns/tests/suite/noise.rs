//! Anything at all in place of what should be there: nothing panics, and without signatures nothing is secure.

use parking_lot::Mutex;
use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::common::{Client, Scene, domain, parted, world};
use dns::TrustAnchors;
use dns::fuzzing::{Judgement, Received};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Record, RecordType};
use mail::Security;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use testworld::dns::Span;
use tokio::net::UdpSocket;
use tokio::runtime::Runtime;

/// Words of which anchor files are made, and some of which they are not.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            ".",
            "example.",
            "IN",
            "CH",
            "DS",
            "DNSKEY",
            "20326",
            "257",
            "3",
            "8",
            "13",
            "2",
            "4",
            "0",
            "E06D44B8",
            "AwEAAaz/",
            "; state=2",
            ";;state=1",
            "(",
            ")",
            "\\#",
            "\"",
            "$ORIGIN",
            "65536",
            "-1",
            "\t",
            "\n",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,12}",
        any::<String>(),
    ]
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    #[test]
    fn an_anchor_file_is_read_or_refused(words in vec(word(), 0..40)) {
        let text = words.join(" ");
        match TrustAnchors::parse(&text) {
            Ok(anchors) => prop_assert!(!anchors.is_empty()),
            Err(error) => prop_assert!(error.line.is_none_or(|line| (1..=text.lines().count()).contains(&line))),
        }
    }

    #[test]
    fn any_octets_are_read_as_anchors_or_refused(octets in vec(any::<u8>(), 0..300)) {
        let _ = TrustAnchors::parse(&String::from_utf8_lossy(&octets));
    }
}

/// What is done to a genuine answer.
#[derive(Debug, Clone)]
enum Change {
    /// A record goes.
    Drop(usize),
    /// A record stands in another section.
    Move(usize),
    /// A record belongs to another name of the message.
    Rename(usize, usize),
    /// A record comes twice.
    Repeat(usize),
    /// One bit of the message is another.
    Flip(usize, u8),
    Code(u8),
    /// The message ends here.
    Cut(usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        any::<usize>().prop_map(Change::Drop),
        any::<usize>().prop_map(Change::Move),
        any::<(usize, usize)>().prop_map(|(one, other)| Change::Rename(one, other)),
        any::<usize>().prop_map(Change::Repeat),
        any::<(usize, u8)>().prop_map(|(place, bit)| Change::Flip(place, bit % 8)),
        (0..6_u8).prop_map(Change::Code),
        any::<usize>().prop_map(Change::Cut),
    ]
}

fn apply(message: &mut Message, change: &Change) {
    let mut all: Vec<(bool, Record)> = message.answers.drain(..).map(|record| (true, record)).collect();
    all.extend(message.authorities.drain(..).map(|record| (false, record)));
    let count = all.len().max(1);
    let names: Vec<_> = all.iter().map(|(_, record)| record.name.clone()).collect();
    match change {
        Change::Drop(place) if !all.is_empty() => drop(all.remove(place % count)),
        Change::Repeat(place) if !all.is_empty() => all.push(all[place % count].clone()),
        Change::Move(place) if !all.is_empty() => all[place % count].0 ^= true,
        Change::Rename(one, other) if !all.is_empty() => {
            all[one % count].1.name = names[other % count].clone();
        }
        Change::Code(code) => message.metadata.response_code = ResponseCode::from(0, *code),
        _ => {}
    }
    for (answer, record) in all {
        if answer {
            message.answers.push(record);
        } else {
            message.authorities.push(record);
        }
    }
    if let Change::Flip(place, bit) = change {
        let mut octets = message.to_vec().unwrap();
        // The question and the ID stay, so that the answer is looked at.
        let (start, length) = (12 + 30, octets.len());
        if start < length {
            octets[start + place % (length - start)] ^= 1 << bit;
        }
        if let Ok(read) = Message::from_vec(&octets) {
            *message = read;
        }
    }
    if let Change::Cut(place) = change {
        message.answers.truncate(place % 4);
        message.authorities.truncate(place % 3);
    }
}

/// What stands in the zones of the world; an answer that says otherwise is forged.
const TRUTH: [(&str, &str); 6] = [
    ("mx.secure.test A", "192.0.2.1"),
    ("any.wild.secure.test A", "192.0.2.2"),
    ("_25._tcp.mx.hashed.test TLSA", "3 1 1 00"),
    ("mx.secure.test AAAA", ""),
    ("nothing.hashed.test A", ""),
    ("nothing.secure.test A", ""),
];

/// A validating resolver that does not wait for long.
fn impatient(world: &Scene, server: SocketAddr, timeout: Duration) -> Client {
    world.validator(|config| {
        config.servers = vec![server.into()];
        config.timeout = timeout;
    })
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    })
}

#[test]
fn a_changed_answer_is_never_insecure_and_secure_only_if_it_is_true() {
    let runtime = Runtime::new().unwrap();
    let world = runtime.block_on(world());
    world.set_ttl(3600);
    let changes: Arc<Mutex<Vec<Change>>> = Arc::default();
    let (asked, shared) = (Arc::new(Mutex::new(String::new())), Arc::clone(&changes));
    let name_asked = Arc::clone(&asked);
    let server = runtime.block_on(world.forger(move |query, message| {
        if query.name().to_ascii() == *name_asked.lock() && query.query_type() != RecordType::DS {
            for change in &*shared.lock() {
                apply(message, change);
            }
        }
    }));
    let resolver = impatient(&world, server, Duration::from_secs(2));
    let cases = (prop::sample::select(TRUTH.to_vec()), vec(change(), 1..4));
    let (answered, failed) = (Cell::new(0), Cell::new(0));
    runner(400)
        .run(&cases, |((question, truth), chosen)| {
            let (name, record_type) = parted(question);
            *changes.lock() = chosen;
            *asked.lock() = format!("{name}.");
            resolver.flush(&domain(name.trim_start_matches("_25._tcp.")));
            let told = runtime
                .block_on(resolver.text(name, &record_type.to_string()))
                .unwrap();
            let count = if told.is_ok() { &answered } else { &failed };
            count.set(count.get() + 1);
            if let Ok(answer) = told {
                prop_assert_eq!(answer.security, Security::Secure);
                let records = answer.records().concat();
                prop_assert!(records.eq_ignore_ascii_case(truth), "{}", records);
            }
            Ok(())
        })
        .unwrap();
    assert!(
        answered.get() > 20 && failed.get() > 20,
        "{answered:?} {failed:?}"
    );
}

#[test]
fn noise_is_a_failure() {
    let runtime = Runtime::new().unwrap();
    let world = runtime.block_on(world());
    let noise: Arc<Mutex<Vec<u8>>> = Arc::default();
    let socket = runtime.block_on(UdpSocket::bind("127.0.0.1:0")).unwrap();
    let (server, octets) = (socket.local_addr().unwrap(), Arc::clone(&noise));
    runtime.spawn(async move {
        let mut buffer = [0; 4096];
        loop {
            let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
            // ID, flags and question are those of a true answer; the counts and all that follows are not.
            let mut reply = buffer[..length.min(12)].to_vec();
            reply[2] |= 0x80;
            let noise = octets.lock().clone();
            let question = &buffer[12..length.saturating_sub(11).max(12)];
            reply[6..12].fill(0);
            reply[7] = noise.first().copied().unwrap_or_default() % 4;
            reply[9] = noise.get(1).copied().unwrap_or_default() % 4;
            reply.extend_from_slice(question);
            reply.extend_from_slice(noise.get(2..).unwrap_or_default());
            socket.send_to(&reply, peer).await.unwrap();
        }
    });
    runner(100)
        .run(&vec(any::<u8>(), 0..200), |octets| {
            *noise.lock() = octets;
            let resolver = impatient(&world, server, Duration::from_millis(200));
            let told = runtime.block_on(resolver.a(&domain("mx.secure.test")));
            prop_assert!(told.is_err(), "{:?}", told);
            Ok(())
        })
        .unwrap();
}

/// Questions, each with the name of a file, and what its answer proves by itself if all its signatures are good.
const ANSWERS: [(&str, &str, Option<Security>); 18] = [
    ("address", "mx.secure.test A", SECURE),
    ("records", "_25._tcp.mx.hashed.test TLSA", SECURE),
    ("exchangers", "secure.test MX", SECURE),
    ("alias", "alias.secure.test A", SECURE),
    ("redirection", "mx.moved.secure.test A", SECURE),
    ("no_type_nsec", "mx.secure.test AAAA", SECURE),
    ("no_type_nsec3", "mx.hashed.test AAAA", SECURE),
    ("empty_name_nsec", "ent.secure.test A", SECURE),
    ("empty_name_nsec3", "ent.hashed.test A", SECURE),
    ("no_name_nsec", "nothing.secure.test A", SECURE),
    ("no_name_nsec3", "a.b.nothing.hashed.test A", SECURE),
    ("no_name_opt_out", "nothing.optout.test A", INSECURE),
    ("no_name_costly", "nothing.costly.test A", None),
    ("wildcard_nsec", "any.wild.secure.test A", SECURE),
    ("wildcard_nsec3", "a.b.wild.hashed.test A", SECURE),
    ("wildcard_no_type", "any.wild.hashed.test MX", SECURE),
    ("delegation", "secure.test DS", SECURE),
    ("unsigned", "mx.insecure.test A", None),
];
const SECURE: Option<Security> = Some(Security::Secure);
const INSECURE: Option<Security> = Some(Security::Insecure);

/// The answer to each of [`ANSWERS`], with all signatures.
async fn answers() -> Vec<(&'static str, Option<Security>, Vec<u8>)> {
    let world = world().await;
    world.domain("costly.test").nsec3(200, Span::Full).add().unwrap();
    world.has("alias.secure.test CNAME mx.hashed.test.");
    world.has("moved.secure.test DNAME hashed.test.");
    let mut answers = Vec::new();
    for (file, question, proves) in ANSWERS {
        let message = world.genuine(question).await;
        answers.push((file, proves, message.to_vec().unwrap()));
    }
    answers
}

#[tokio::test]
async fn an_answer_proves_what_its_signatures_do_and_nothing_without_them() {
    for (file, proves, octets) in answers().await {
        let mut received = Received::read(&octets).unwrap();
        assert_eq!(received.judge(), Judgement::Open, "{file} without marks");
        received.mark(|| true);
        let expected = proves.map_or(Judgement::Open, Judgement::Decided);
        assert_eq!(received.judge(), expected, "{file}");
        received.mark(|| false);
        assert_eq!(received.judge(), Judgement::Open, "{file} with marks taken back");
    }
}

#[tokio::test]
#[ignore = "writes the corpus of the fuzz target `dns_answer` anew, with new keys"]
async fn write_the_corpus_of_answers() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus/dns_answer");
    std::fs::create_dir_all(&corpus).unwrap();
    for (file, _, octets) in answers().await {
        // All records are secure; of one answer there is a variant where only some are.
        std::fs::write(corpus.join(file), [&[0xFF, 0xFF], octets.as_slice()].concat()).unwrap();
        if file == "no_name_nsec3" {
            let some = [&[0b1110_1010, 0b1101_1110], octets.as_slice()].concat();
            std::fs::write(corpus.join("some_secure"), some).unwrap();
        }
    }
}
