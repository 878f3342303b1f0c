//! Unbound as judge and as upstream: believing it, validating behind it and validating by ourselves come to the same.
//! Where Unbound is not installed there is nothing to compare with.

use std::net::SocketAddr;
use std::time::Duration;

use crate::common::{Client, Scene, Unbound, config, world};
use dns::{Mode, ResolverConfig};
use testworld::dns::Role;

/// Names and types in every zone of the world, and aliases between them.
fn questions(world: &Scene) -> Vec<String> {
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
        for question in [
            "{} MX",
            "mx.{} A",
            "mx.{} AAAA",
            "_25._tcp.mx.{} TLSA",
            "_25._tcp.star.{} TLSA",
            "any.wild.{} A",
            "any.wild.{} MX",
            "ent.{} A",
            "nothing.{} A",
            "mx.moved.{} A",
        ] {
            questions.push(question.replace("{}", &format!("{zone}.test")));
        }
        world.has(&format!("moved.{zone}.test DNAME hashed.test."));
        for target in zones {
            let name = format!("to-{}.{zone}.test", target.replace('.', "-"));
            world.has(&format!("{name} CNAME mx.{target}.test."));
            questions.extend([format!("{name} A"), format!("{name} AAAA")]);
        }
    }
    questions
}

#[tokio::test(flavor = "multi_thread")]
async fn all_three_ways_agree() {
    let world = world().await;
    let questions = questions(&world);
    world.set_role(Role::Forwarder);
    let anchor = world.trust_anchor_ds().unwrap();
    let Some(unbound) = Unbound::start(world.address(), &anchor).await else {
        return;
    };
    let server = unbound.address();
    let resolver = |mode, server: SocketAddr| {
        Client::new(ResolverConfig {
            servers: vec![server.into()],
            ..config(&world, mode)
        })
    };
    let believing = resolver(Mode::TrustAd, server);
    let mut waits = 0;
    while believing.text(".", "SOA").await.unwrap().is_err() && waits < 50 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        waits += 1;
    }
    let behind = resolver(Mode::Validate, server);
    let alone = resolver(Mode::Validate, world.address());
    let mut wrong = Vec::new();
    for question in &questions {
        let told = [
            believing.ask(question).await,
            behind.ask(question).await,
            alone.ask(question).await,
        ];
        if told[0] != told[1] || told[1] != told[2] {
            wrong.push(format!("{question}: {told:?}"));
        }
    }
    assert!(wrong.is_empty(), "believing, behind, alone: {wrong:#?}");
}
