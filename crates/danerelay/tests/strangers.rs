//! What strangers can bind in the memory of a real daemon with the default settings: however much name servers and
//! receiving servers send, it stays small.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::net::{Ipv4Addr, SocketAddr};

use common::{Client, Relay, asking};
use tempfile::NamedTempFile;
use testworld::RecordType;
use testworld::dns::{Role, World};
use testworld::mail::{MailFault, Receiver, Stage};

const MIB: usize = 1024 * 1024;

/// What anything that strangers send may take in all.
const GROWTH: usize = 64 * MIB;

/// Domains with answers of nearly 64 KB, and hosts of each.
const DOMAINS: usize = 24;
const HOSTS: usize = 100;

/// Memory of the daemon that is in use, in octets (Linux).
fn resident(relay: &Relay) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", relay.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

fn grown_since(relay: &Relay, before: usize) -> usize {
    let grown = resident(relay).saturating_sub(before);
    eprintln!("grown by {} KiB", grown / 1024);
    grown
}

/// A domain of many hosts, each with this many TLSA records of full data, for which nobody listens.
fn hostile(world: &World, name: &str, records: usize) {
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let mut domain = world.domain(name).signed().host(&format!("*.{name}"), nobody);
    for host in 0..HOSTS {
        domain = domain.record(name, RecordType::MX, &format!("{host} h{host}.{name}."));
    }
    for record in 0..records {
        let data = format!("3 1 0 {record:04x}{}", "5a".repeat(500));
        domain = domain.record(&format!("*.{name}"), RecordType::TLSA, &data);
    }
    domain.add().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_to_look_ups() {
    let world = World::start().await.unwrap();
    world.set_role(Role::Validator);
    world.domain("test").signed().add().unwrap();
    for number in 0..DOMAINS {
        // Too large each, and too large together.
        let records = if number % 2 == 0 { 100 } else { 30 };
        hostile(&world, &format!("hostile{number}.test"), records);
    }
    let anchor = NamedTempFile::new().unwrap();
    let settings = asking(&world, "trust-ad", anchor.path()) + "port = 9\n";
    tokio::task::spawn_blocking(move || {
        let mut relay = Relay::start(&settings);
        let mut client = Client::connect(relay.address);
        client.send("someone@absent.test");
        relay.wait_for("status=bounced");
        let before = resident(&relay);
        for round in 0..2 {
            for number in 0..DOMAINS {
                client.send(&format!("someone{round}@hostile{number}.test"));
            }
            relay.wait_for_lines("status=deferred", (round + 1) * DOMAINS);
        }
        let log = relay.log();
        for reason in [
            "the records of _9._tcp.h31.hostile0.test TLSA have more than 16384 octets",
            "the TLSA records of the domain's MX hosts take more than 65536 octets",
        ] {
            assert!(log.contains(reason), "{reason}");
        }
        let grown = grown_since(&relay, before);
        assert!(grown < GROWTH, "{} MiB", grown / MIB);
        relay.stop();
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_to_a_hundred_recipients() {
    let world = World::start().await.unwrap();
    world.set_role(Role::Validator);
    let receiver = Receiver::builder("mx.wordy.test").start().await.unwrap();
    let later = "450 4.2.0 later".to_owned();
    receiver.set_faults(vec![
        MailFault::HugeReply(Stage::Greeting, 60_000),
        MailFault::Reply(Stage::Rcpt, format!("{later} {}", "x".repeat(60_000))),
    ]);
    let wordy = world.domain("wordy.test").unsigned();
    wordy.mx(10, "mx.wordy.test", receiver.address()).add().unwrap();
    let anchor = NamedTempFile::new().unwrap();
    let settings = asking(&world, "trust-ad", anchor.path());
    let settings = format!("{settings}port = {}\n", receiver.address().port());
    tokio::task::spawn_blocking(move || {
        let mut relay = Relay::start(&settings);
        let mut client = Client::connect(relay.address);
        client.send("someone@wordy.test");
        relay.wait_for("status=deferred");
        let before = resident(&relay);
        let recipients: Vec<String> = (0..100).map(|number| format!("r{number}@wordy.test")).collect();
        let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
        for _ in 0..20 {
            client.send_from("sender@client.example", &recipients);
        }
        relay.wait_for_lines("status=deferred", 2001);
        let grown = grown_since(&relay, before);
        assert!(grown < GROWTH, "{} MiB", grown / MIB);
        assert!(!relay.log().contains(&"x".repeat(2_048)), "a log line is short");
        relay.stop();
    })
    .await
    .unwrap();
}
