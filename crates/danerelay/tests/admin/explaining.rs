//! `explain` asks the running daemon, with whose resolver and policy mail is delivered.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};
use testworld::dns::World;

use crate::common::{End, Relay, asking, configuration};

/// Nothing listens there.
const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);

fn explained(relay: &Relay, arguments: &[&str]) -> (Value, i32) {
    let end = relay.run(&[&["explain", "--json"], arguments].concat());
    let found = serde_json::from_str(&end.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", end.stdout, end.stderr));
    (found, end.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_uses_the_resolver_and_the_policy_of_the_running_daemon() {
    let world = World::start().await.unwrap();
    world.domain("test").signed().add().unwrap();
    let zone = world.domain("good.test").signed().mx(10, "mx.good.test", HERE);
    zone.tlsa("3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
        .add()
        .unwrap();
    let anchor = tempfile::NamedTempFile::new().unwrap();
    let more = asking(&world, "validate", anchor.path());
    let server = world.address().to_string();
    let done = tokio::task::spawn_blocking(move || {
        let mut relay = Relay::start(&more);
        relay.wait_for("status=fine");
        // The files have changed since, and nothing was reloaded: mail goes the old way.
        let elsewhere = configuration(
            "[dns]\nservers = [\"127.0.0.1:9\"]\ntimeout = \"1s\"\n[policy]\nfile = \"other.toml\"\n",
        );
        std::fs::write(relay.path("danerelay.toml"), elsewhere).unwrap();
        let off = "version = 1\n[default]\ndane = \"off\"\n";
        std::fs::write(relay.path("other.toml"), off).unwrap();
        let (found, status) = explained(&relay, &["someone@good.test"]);
        assert_eq!(
            (status, &found["would"], &found["policy"]["dane"]),
            (0, &json!("deliver"), &json!("opportunistic")),
            "{found}"
        );
        assert_eq!(
            found["resolver"],
            json!({"of": "daemon", "mode": "validate", "servers": [server], "fault": null, "obstacle": null})
        );
        let table = relay.print(&["explain", "good.test"]);
        let line = format!("resolver     the running daemon's: validate, asking {server}\n");
        assert!(table.contains(&line), "{table}");

        // Connecting is the daemon's, too, and is logged.
        let (found, status) = explained(&relay, &["good.test", "--connect"]);
        assert_eq!((status, &found["would"]), (3, &json!("defer")), "{found}");
        let line = relay.wait_for("action=explain");
        assert!(
            line.contains("selector=good.test") || line.contains("selector=\"good.test\""),
            "{line}"
        );

        // What is asked with options of one's own is not what the daemon finds.
        let (found, _) = explained(&relay, &["good.test", "--dns-server", &server]);
        assert_eq!(
            (&found["resolver"]["of"], &found["resolver"]["because"]),
            (&json!("command"), &json!("DNS options are given")),
            "{found}"
        );

        relay.stop();
        let (found, status) = explained(&relay, &["good.test"]);
        assert_eq!(
            (status, &found["resolver"]["of"], &found["outage"]),
            (3, &json!("command"), &json!(true)),
            "{found}"
        );
    });
    done.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_relay_is_not_asked() {
    let world = World::start().await.unwrap();
    world.domain("test").signed().add().unwrap();
    let anchor = tempfile::NamedTempFile::new().unwrap();
    let more = asking(&world, "validate", anchor.path());
    let done = tokio::task::spawn_blocking(move || {
        let relay = Relay::start(&more);
        let other = relay.path("other.toml");
        let text = configuration(&more).replace("path = \"spool\"", "path = \"other-spool\"");
        std::fs::write(&other, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_danerelay"));
        command
            .arg("--config")
            .arg(&other)
            .args(["explain", "test", "--json"]);
        let end = End::of(&command.output().unwrap());
        assert!(end.stderr.contains("has another spool"), "{}", end.stderr);
        let found: Value = serde_json::from_str(&end.stdout).unwrap();
        assert_eq!(found["resolver"]["of"], "command", "{found}");
        assert_eq!(
            found["resolver"]["because"], "the running relay was not asked",
            "{found}"
        );
    });
    done.await.unwrap();
}
#[tokio::test(flavor = "multi_thread")]
async fn our_own_fault_is_blamed_on_us_in_the_log_the_queue_and_the_explanation() {
    let (world, other) = (World::start().await.unwrap(), World::start().await.unwrap());
    world.domain("test").signed().add().unwrap();
    let anchor = tempfile::NamedTempFile::new().unwrap();
    let more = asking(&world, "validate", anchor.path());
    std::fs::write(anchor.path(), other.trust_anchor_ds().unwrap()).unwrap();
    let done = tokio::task::spawn_blocking(move || {
        let relay = Relay::start(&more);
        relay.wait_for("status=failing");
        crate::common::Client::connect(relay.address).send("someone@test");
        let line = relay.wait_for("status=deferred");
        assert!(line.contains("our own resolver fails"), "{line}");
        assert!(relay.print(&["queue", "list"]).contains("our own resolver fails"));
        let id = relay.queue()[0]["id"].as_str().unwrap().to_owned();
        assert!(
            relay
                .print(&["queue", "show", &id])
                .contains("our own resolver fails")
        );
        let (found, status) = explained(&relay, &["test"]);
        assert_eq!((status, &found["exception"]), (3, &Value::Null), "{found}");
        assert!(
            found["reason"]
                .as_str()
                .unwrap()
                .contains("our own resolver fails"),
            "{found}"
        );
    });
    done.await.unwrap();
}
