//! Unbound as judge and as upstream: believing it, validating behind it and validating by ourselves come to the same.
//! Where Unbound is not installed there is nothing to compare with.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{ask, config, world};
use dns::{Mode, Resolver, ResolverConfig};
use hickory_proto::rr::RecordType;
use testworld::dns::{Role, World};

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(world: &World, directory: &Path) -> Option<(Running, SocketAddr)> {
    let port = testworld::mail::free_port_on(&[Ipv4Addr::LOCALHOST.into()]).unwrap();
    let (anchor, config) = (directory.join("root.key"), directory.join("unbound.conf"));
    std::fs::write(&anchor, world.trust_anchor_ds().unwrap()).unwrap();
    let text = format!(
        "server:\n interface: 127.0.0.1@{port}\n do-daemonize: no\n username: \"\"\n chroot: \"\"\n pidfile: \"\"\n \
         use-syslog: no\n do-not-query-localhost: no\n module-config: \"validator iterator\"\n \
         local-zone: \"test.\" nodefault\n trust-anchor-file: \"{}\"\n num-threads: 1\n\
         forward-zone:\n name: \".\"\n forward-addr: 127.0.0.1@{}\n\
         remote-control:\n control-enable: no\n",
        anchor.display(),
        world.address().port(),
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new("unbound");
    command
        .args(["-d", "-c"])
        .arg(&config)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let child = command.spawn().ok()?;
    Some((Running(child), SocketAddr::from((Ipv4Addr::LOCALHOST, port))))
}

fn resolver(world: &World, mode: Mode, server: SocketAddr) -> Resolver {
    Resolver::new(ResolverConfig {
        servers: vec![server.into()],
        ..config(world, mode)
    })
    .unwrap()
}

/// Names and types in every zone of the world, and aliases between them.
fn questions(world: &World) -> Vec<(String, RecordType)> {
    let zones = [
        "secure",
        "hashed",
        "optout",
        "insecure",
        "island.insecure",
        "bogus",
        "expired",
        "stripped",
    ];
    let mut questions = Vec::new();
    for zone in zones {
        for (prefix, record_type) in [
            ("", RecordType::MX),
            ("mx.", RecordType::A),
            ("mx.", RecordType::AAAA),
            ("_25._tcp.mx.", RecordType::TLSA),
            ("_25._tcp.star.", RecordType::TLSA),
            ("any.wild.", RecordType::A),
            ("any.wild.", RecordType::MX),
            ("ent.", RecordType::A),
            ("nothing.", RecordType::A),
            ("mx.moved.", RecordType::A),
        ] {
            questions.push((format!("{prefix}{zone}.test"), record_type));
        }
        world
            .add(&format!("moved.{zone}.test"), RecordType::DNAME, "hashed.test.")
            .unwrap();
        for target in zones {
            let name = format!("to-{}.{zone}.test", target.replace('.', "-"));
            world
                .add(&name, RecordType::CNAME, &format!("mx.{target}.test."))
                .unwrap();
            questions.push((name.clone(), RecordType::A));
            questions.push((name, RecordType::AAAA));
        }
    }
    questions
}

#[tokio::test(flavor = "multi_thread")]
async fn all_three_ways_agree() {
    let world = world().await;
    let questions = questions(&world);
    world.set_role(Role::Forwarder);
    let directory = tempfile::tempdir().unwrap();
    let Some((_unbound, server)) = start(&world, directory.path()) else {
        return;
    };
    let believing = resolver(&world, Mode::TrustAd, server);
    let mut waits = 0;
    while believing.text(".", "SOA").await.unwrap().is_err() && waits < 50 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        waits += 1;
    }
    let behind = resolver(&world, Mode::Validate, server);
    let alone = resolver(&world, Mode::Validate, world.address());
    let mut wrong = Vec::new();
    for (name, record_type) in &questions {
        let told = [
            ask(&believing, name, *record_type).await,
            ask(&behind, name, *record_type).await,
            ask(&alone, name, *record_type).await,
        ];
        if told[0] != told[1] || told[1] != told[2] {
            wrong.push(format!("{name} {record_type}: {told:?}"));
        }
    }
    assert!(wrong.is_empty(), "believing, behind, alone: {wrong:#?}");
}
