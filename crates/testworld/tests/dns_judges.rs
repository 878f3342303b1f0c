//! Independent validators judge the tree: Unbound and BIND's `delv`, each given the world as its only upstream and the
//! world's root key as its only trust anchor. A judge that is not installed is left out, loudly.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod common;

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::query;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RData;
use testworld::RecordType;
use testworld::dns::{Algorithm, Bogus, Span, Status, World};
use tokio::net::UdpSocket;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Secure,
    SecureNoData,
    SecureNxDomain,
    Insecure,
    InsecureNxDomain,
    Bogus,
}
use Verdict::{Bogus as Broken, Insecure, InsecureNxDomain, Secure, SecureNoData, SecureNxDomain};

/// Every kind of zone with the same contents, and what a validator must say about them.
async fn scene() -> (World, Vec<(String, RecordType, Verdict)>) {
    let world = World::start().await.unwrap();
    world.domain("demo").add().unwrap();
    world.domain("island").unsigned().add().unwrap();
    let kinds = ["nsec", "ed25519", "rsa", "nsec3", "optout"];
    for kind in kinds {
        let name = format!("{kind}.demo");
        let zone = world.domain(&name);
        let zone = match kind {
            "ed25519" => zone.algorithm(Algorithm::Ed25519),
            "rsa" => zone.algorithm(Algorithm::RsaSha256),
            "nsec3" => zone.nsec3(3, Span::Full),
            "optout" => zone.nsec3(0, Span::OptOut),
            _ => zone,
        };
        fill(zone, &name).add().unwrap();
        let (unsigned, signed) = (format!("unsigned.{name}"), format!("signed.{name}"));
        world.domain(&unsigned).unsigned().add().unwrap();
        world.set(&unsigned, RecordType::A, &["192.0.2.9"]).unwrap();
        world.domain(&signed).add().unwrap();
        world.set(&signed, RecordType::A, &["192.0.2.10"]).unwrap();
    }
    let mut expected = Vec::new();
    for kind in kinds {
        let denied = if kind == "optout" {
            InsecureNxDomain
        } else {
            SecureNxDomain
        };
        for (name, record_type, verdict) in [
            ("", RecordType::MX, Secure),
            ("", RecordType::SOA, Secure),
            ("", RecordType::DNSKEY, Secure),
            ("", RecordType::DS, Secure),
            ("", RecordType::TXT, SecureNoData),
            ("mx.", RecordType::A, Secure),
            ("mx.", RecordType::AAAA, SecureNoData),
            ("_25._tcp.mx.", RecordType::TLSA, Secure),
            ("_tcp.mx.", RecordType::TLSA, SecureNoData),
            ("nothing.", RecordType::A, denied),
            ("a.b.nothing.", RecordType::TLSA, denied),
            ("alias.", RecordType::A, Secure),
            ("any.wild.", RecordType::A, Secure),
            ("any.wild.", RecordType::AAAA, SecureNoData),
            ("x.tree.", RecordType::A, Secure),
            ("unsigned.", RecordType::A, Insecure),
            ("unsigned.", RecordType::DS, SecureNoData),
            ("nothing.unsigned.", RecordType::A, InsecureNxDomain),
            ("signed.", RecordType::A, Secure),
            ("signed.", RecordType::DS, Secure),
        ] {
            let verdict = match (kind, name, verdict) {
                // An unsigned delegation may hide in an opt-out span (RFC 5155 §9.2).
                ("optout", "any.wild.", _) | ("optout", "unsigned.", SecureNoData) => Insecure,
                _ => verdict,
            };
            expected.push((format!("{name}{kind}.demo"), record_type, verdict));
        }
    }
    let ways = [
        ("wrongkey", Bogus::WrongKey),
        ("mismatch", Bogus::DsMismatch),
        ("expired", Bogus::Expired),
        ("bare", Bogus::NoSignatures),
    ];
    for (label, how) in ways {
        let name = format!("{label}.demo");
        fill(world.domain(&name).bogus(how), &name).add().unwrap();
        expected.push((format!("mx.{name}"), RecordType::A, Broken));
        expected.push((format!("_25._tcp.mx.{name}"), RecordType::TLSA, Broken));
        expected.push((format!("nothing.{name}"), RecordType::A, Broken));
    }
    world.set("host.island", RecordType::A, &["192.0.2.11"]).unwrap();
    expected.push(("host.island".to_owned(), RecordType::A, Insecure));
    (world, expected)
}

fn fill<'a>(zone: testworld::dns::Domain<'a>, name: &str) -> testworld::dns::Domain<'a> {
    let server: SocketAddr = "192.0.2.1:25".parse().unwrap();
    zone.mx(10, &format!("mx.{name}"), server)
        .tlsa(format!("3 1 1 {}", "ab".repeat(32)))
        .cname(&format!("alias.{name}"), &format!("mx.{name}"))
        .record(&format!("*.wild.{name}"), RecordType::A, "192.0.2.2")
        .record(
            &format!("tree.{name}"),
            RecordType::DNAME,
            &format!("branch.{name}"),
        )
        .record(&format!("x.branch.{name}"), RecordType::A, "192.0.2.3")
}

fn installed(program: &str) -> bool {
    let found = Command::new(program)
        .arg("-h")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !found {
        eprintln!("NOT JUDGED: {program} is not installed");
    }
    found
}

/// Ends the process when the test does.
struct Running(Child);
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn ask(server: SocketAddr, name: &str, record_type: RecordType) -> Message {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let query = query(name, record_type, 4096);
    let mut buffer = vec![0; 65_535];
    for _ in 0..40 {
        socket.send_to(&query, server).await.unwrap();
        let received = tokio::time::timeout(Duration::from_secs(3), socket.recv(&mut buffer)).await;
        if let Ok(Ok(length)) = received {
            return Message::from_vec(&buffer[..length]).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no answer from {server}");
}

fn verdict_of(message: &Message) -> Verdict {
    let has_data = message
        .answers
        .iter()
        .any(|r| !matches!(r.data, RData::CNAME(_)) && !r.record_type().is_dnssec());
    let has_data = has_data || message.queries[0].query_type().is_dnssec() && !message.answers.is_empty();
    match (
        message.metadata.response_code,
        message.metadata.authentic_data,
        has_data,
    ) {
        (ResponseCode::NoError, true, true) => Secure,
        (ResponseCode::NoError, true, false) => SecureNoData,
        (ResponseCode::NXDomain, true, _) => SecureNxDomain,
        (ResponseCode::NoError, false, _) => Insecure,
        (ResponseCode::NXDomain, false, _) => InsecureNxDomain,
        (ResponseCode::ServFail, _, _) => Broken,
        other => panic!("unexpected {other:?}"),
    }
}

fn start_unbound(world: &World, anchor_text: &str, directory: &std::path::Path) -> (Running, SocketAddr) {
    let anchor = directory.join("root.key");
    std::fs::write(&anchor, anchor_text).unwrap();
    let port = testworld::mail::free_port_on(&[Ipv4Addr::LOCALHOST.into()]).unwrap();
    let config = directory.join("unbound.conf");
    let text = format!(
        "server:\n interface: 127.0.0.1@{port}\n do-daemonize: no\n username: \"\"\n chroot: \"\"\n pidfile: \"\"\n \
         use-syslog: no\n do-not-query-localhost: no\n module-config: \"validator iterator\"\n \
         trust-anchor-file: \"{}\"\n num-threads: 1\n val-log-level: 2\n \
         forward-zone:\n name: \".\"\n forward-addr: 127.0.0.1@{}\n\
         remote-control:\n control-enable: no\n",
        anchor.display(),
        world.address().port(),
    );
    std::fs::write(&config, text).unwrap();
    let log = std::fs::File::create(directory.join("unbound.log")).unwrap();
    let child = Command::new("unbound")
        .arg("-d")
        .arg("-c")
        .arg(&config)
        .stderr(log)
        .spawn()
        .unwrap();
    (Running(child), SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

#[tokio::test(flavor = "multi_thread")]
async fn unbound_agrees() {
    if !installed("unbound") {
        return;
    }
    let (world, expected) = scene().await;
    let directory = tempfile::tempdir().unwrap();
    let (_unbound, server) = start_unbound(&world, &world.trust_anchor_ds().unwrap(), directory.path());
    let mut wrong = Vec::new();
    for (name, record_type, verdict) in &expected {
        let message = ask(server, name, *record_type).await;
        let said = verdict_of(&message);
        if said != *verdict {
            wrong.push(format!(
                "{name} {record_type}: Unbound says {said:?}, expected {verdict:?}"
            ));
        }
    }
    let log = std::fs::read_to_string(directory.path().join("unbound.log")).unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}\n{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unbound_sees_changes_at_run_time() {
    if !installed("unbound") {
        return;
    }
    let (world, _) = scene().await;
    let directory = tempfile::tempdir().unwrap();
    let (_unbound, server) = start_unbound(&world, &world.trust_anchor_dnskey().unwrap(), directory.path());
    let name = "_25._tcp.mx.nsec.demo";
    assert_eq!(verdict_of(&ask(server, name, RecordType::TLSA).await), Secure);
    world.remove(name, RecordType::TLSA).unwrap();
    world
        .set_status("nsec3.demo", Status::Bogus(Bogus::Expired))
        .unwrap();
    tokio::time::sleep(Duration::from_secs(u64::from(testworld::dns::DEFAULT_TTL) + 1)).await;
    assert_eq!(
        verdict_of(&ask(server, name, RecordType::TLSA).await),
        SecureNxDomain
    );
    assert_eq!(
        verdict_of(&ask(server, "mx.nsec3.demo", RecordType::A).await),
        Broken
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn delv_agrees() {
    if !installed("delv") {
        return;
    }
    let (world, expected) = scene().await;
    let directory = tempfile::tempdir().unwrap();
    let anchor = directory.path().join("anchor.conf");
    let ds = world.trust_anchor_ds().unwrap();
    let fields: Vec<&str> = ds.split_whitespace().collect();
    let text = format!(
        "trust-anchors {{ . static-ds {} {} {} \"{}\"; }};\n",
        fields[4], fields[5], fields[6], fields[7]
    );
    std::fs::write(&anchor, text).unwrap();
    let mut wrong = Vec::new();
    for (name, record_type, verdict) in &expected {
        let (name, record_type, verdict) = (name.clone(), *record_type, *verdict);
        let (anchor, port) = (anchor.clone(), world.address().port());
        let asked = name.clone();
        let output = tokio::task::spawn_blocking(move || {
            Command::new("delv")
                .args(["@127.0.0.1", "-p", &port.to_string(), "+root=.", "-a"])
                .arg(anchor)
                .args([asked, record_type.to_string()])
                .output()
                .unwrap()
        });
        let output = output.await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        let fine = match verdict {
            Secure => said.contains("; fully validated"),
            SecureNoData => said.contains("negative response, fully validated") && said.contains("nxrrset"),
            SecureNxDomain => {
                said.contains("negative response, fully validated") && said.contains("nxdomain")
            }
            // `delv` says of a negative answer only that its proof is valid, opt-out or not.
            Insecure | InsecureNxDomain => {
                said.contains("; unsigned answer")
                    || said.contains("negative response, unsigned")
                    || name.ends_with("optout.demo") && said.contains("negative response, fully validated")
            }
            Broken => said.contains("resolution failed"),
        };
        if !fine {
            wrong.push(format!("{name} {record_type} should be {verdict:?}: {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn the_validator_role_tells_what_validators_find() {
    let (world, expected) = scene().await;
    world.set_role(testworld::dns::Role::Validator);
    for (name, record_type, verdict) in &expected {
        let said = verdict_of(&ask(world.address(), name, *record_type).await);
        assert_eq!(said, *verdict, "{name} {record_type}");
    }
}
