//! `reload` and `flush`.

use std::net::SocketAddr;

use testworld::dns::World;

use crate::common::{Client, NO_DNS, Relay, asking, configuration};

#[test]
fn a_reload_says_what_came_of_it() {
    let relay = Relay::start(NO_DNS);
    let text = configuration(NO_DNS).replace("retry = [\"1h\"]", "retry = [\"2h\"]\nreuse = 50");
    let text = text.replace("path = \"spool\"", "path = \"spool\"\nurl = \"a\"");
    std::fs::write(relay.path("danerelay.toml"), text).unwrap();
    let end = relay.run(&["reload"]);
    assert_eq!(
        (end.status, end.stdout.as_str()),
        (0, "configuration and policy are loaded\n")
    );
    assert!(
        end.stderr.contains("`spool.url`: not available"),
        "{}",
        end.stderr
    );
    assert!(
        end.stderr
            .contains("takes effect at the next start: delivery.reuse, delivery.retry"),
        "{}",
        end.stderr
    );
    let line = relay.wait_for("action=reload");
    assert!(
        line.contains("by=\"") && line.contains("status=loaded, event=admin"),
        "{line}"
    );
    relay.wait_for("status=loaded, file=");
}

#[test]
fn a_wrong_policy_is_refused_by_the_daemon_and_its_faults_are_printed() {
    let relay = Relay::start(NO_DNS);
    let text = configuration(NO_DNS).replace("[limits]", "[access]\nnetworks = []\n[limits]");
    std::fs::write(relay.path("danerelay.toml"), text).unwrap();
    let policy = "version = 1\n[default]\ndane = \"always\"\ntls = \"no\"\n";
    std::fs::write(relay.path("policy.toml"), policy).unwrap();
    let end = relay.run(&["reload"]);
    assert_eq!((end.status, end.stdout.as_str()), (2, ""));
    for fault in ["policy.toml:3:8: ", "policy.toml:4:7: "] {
        assert!(end.stderr.contains(fault), "{}", end.stderr);
    }
    relay.wait_for("action=reload");
    assert!(relay.wait_for("event=admin").contains("status=refused"));
    // The networks of the same reload did not take effect either.
    Client::connect(relay.address).send("someone@nowhere.example");
}

#[test]
fn without_a_daemon_there_is_nothing_to_reload_or_flush() {
    let mut relay = Relay::start(NO_DNS);
    relay.stop();
    for command in [&["reload"][..], &["flush", "a.example"], &["flush", "--all"]] {
        let end = relay.run(command);
        assert_eq!(end.status, 3, "{command:?}: {}", end.stderr);
        assert!(end.stderr.contains("no daemon answers at "), "{}", end.stderr);
    }
    for command in [
        &["flush"][..],
        &["flush", "a..b"],
        &["flush", "--all", "a.example"],
    ] {
        assert_eq!(relay.run(command).status, 2, "{command:?}");
    }
    let neither = relay.run(&["flush"]).stderr;
    assert!(neither.contains("<NAME|--all>"), "{neither}");
}

/// An address at which nothing listens.
const CLOSED: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);

#[tokio::test(flavor = "multi_thread")]
async fn what_was_learnt_of_a_name_is_asked_again_after_a_flush() {
    let world = World::start().await.unwrap();
    world.domain("test").signed().add().unwrap();
    world
        .domain("gone.test")
        .signed()
        .mx(10, "mx.gone.test", CLOSED)
        .add()
        .unwrap();
    let anchor = tempfile::NamedTempFile::new().unwrap();
    let more = asking(&world, "validate", anchor.path());
    let done = tokio::task::spawn_blocking(move || {
        let relay = Relay::start(&more);
        relay.wait_for("status=fine");
        let asked = || {
            world
                .queries()
                .iter()
                .filter(|query| format!("{query:?}").contains("gone.test"))
                .count()
        };
        let mut client = Client::connect(relay.address);
        client.send("one@gone.test");
        relay.wait_for_lines("status=deferred", 1);
        let first = asked();
        assert!(first > 0);
        client.send("two@gone.test");
        relay.wait_for_lines("status=deferred", 2);
        assert_eq!(asked(), first, "what is known is not asked again");

        for (count, flush) in [(3, &["flush", "gone.test"][..]), (4, &["flush", "--all"])] {
            let before = asked();
            assert!(relay.print(flush).starts_with("flushed "));
            client.send("three@gone.test");
            relay.wait_for_lines("status=deferred", count);
            assert!(asked() > before, "{flush:?}");
        }
        let before = asked();
        assert_eq!(relay.print(&["flush", "other.test"]), "flushed other.test\n");
        client.send("four@gone.test");
        relay.wait_for_lines("status=deferred", 5);
        assert_eq!(asked(), before, "another name was flushed");
        let lines = relay.wait_for_lines("action=flush", 3);
        assert!(
            lines[0].contains("selector=\"gone.test\", event=admin"),
            "{}",
            lines[0]
        );
        assert!(lines[1].contains("selector=\"--all\""), "{}", lines[1]);
    });
    done.await.unwrap();
}
