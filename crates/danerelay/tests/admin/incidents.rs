//! `incidents`, from a running daemon and without one.

use serde_json::Value;
use testworld::dns::World;
use testworld::mail::{Ca, Identity};

use crate::common::{Client, Relay, asking};
use crate::delivery::Scene;

/// Another key than that of the receiver.
fn other_key() -> Identity {
    Ca::new("Test CA").unwrap().issue(&["mx.good.test"]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_roll_over_is_told_shown_and_ends_with_a_verified_delivery() {
    let scene = Scene::new().await;
    let heard = tempfile::NamedTempFile::new().unwrap();
    let more = format!(
        "[incidents]\ncommand = [\"/bin/sh\", \"-c\", \"cat >> {}\"]\n",
        heard.path().display()
    );
    scene
        .play_with(&more, move |scene, mut relay| {
            let mut client = Client::connect(relay.address);
            client.send("one@good.test");
            relay.wait_for("status=sent");
            assert!(relay.print(&["incidents"]).starts_with("no incidents"));
            scene.receiver.set_identity(&other_key());
            // Closes the session that is kept.
            relay.print(&["flush", "--all"]);
            client.send("two@good.test");
            relay.wait_for("status=deferred");
            let line = relay.wait_for("event=incident");
            for field in [
                "id=1, status=opened, kind=host, name=\"mx.good.test\", cause=no-matching-tlsa",
                "domains=1, messages=1",
                "likely=forgotten-rollover",
                "the server's key has changed",
            ] {
                assert!(line.contains(field), "{field} in {line}");
            }
            let list = relay.print(&["incidents"]);
            assert!(
                list.contains("mx.good.test: its certificate matches none of its TLSA records"),
                "{list}"
            );
            let json: Value = serde_json::from_str(&relay.print(&["incidents", "--json"])).unwrap();
            assert_eq!((&json["id"], &json["messages"]), (&"1".into(), &1.into()));
            assert!(json["first_return"].is_string(), "{json}");
            let page = relay.print(&["incidents", "show", "1"]);
            for part in [
                "a forgotten roll-over",
                "[[exception]]\nmx = \"mx.good.test\"",
                "Dear postmaster,",
            ] {
                assert!(page.contains(part), "{part} in {page}");
            }
            let unknown = relay.run(&["incidents", "show", "7"]);
            assert_eq!(unknown.status, 1, "{}", unknown.stderr);

            scene.receiver.set_identity(&scene.identity);
            relay.print(&["queue", "retry", "--all"]);
            relay.wait_for_lines("status=sent", 2);
            let line = relay.wait_for("status=closed");
            assert!(
                line.contains("id=1, ") && line.contains("ending=verified"),
                "{line}"
            );
            assert!(relay.print(&["incidents"]).starts_with("no incidents"));
            let told = std::fs::read_to_string(heard.path()).unwrap();
            let news: Vec<Value> = told
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            assert_eq!(news[0]["incidents"][0]["news"], "opened");
            assert_eq!(news[0]["incidents"][0]["incident"]["name"], "mx.good.test");
            relay.stop();
            // The store remembers.
            assert!(relay.print(&["incidents"]).starts_with("no incidents"));
            let list = relay.print(&["incidents", "--all"]);
            assert!(list.contains(" over "), "{list}");
            let json: Value =
                serde_json::from_str(&relay.print(&["incidents", "show", "1", "--json"])).unwrap();
            assert_eq!(
                (&json["status"], &json["ending"]),
                (&"ended".into(), &"verified".into())
            );
        })
        .await;
}

/// The text of our own mail, which is in base64.
fn text_of(content: &[u8]) -> (String, String) {
    let content = String::from_utf8_lossy(content);
    let (head, body) = content.split_once("\r\n\r\n").unwrap();
    let body = data_encoding::BASE64_MIME
        .decode(body.trim_end().as_bytes())
        .unwrap();
    (head.to_owned(), String::from_utf8(body).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mail_about_an_incident_goes_through_the_relay_itself() {
    let scene = Scene::new().await;
    let ops = scene.world.domain("ops.test");
    let ops = ops.mx(10, "mx.ops.test", scene.receiver.address());
    ops.add().unwrap();
    let more = "[incidents]\nmail = \"postmaster@ops.test\"\n";
    scene
        .play_with(more, move |scene, relay| {
            scene.receiver.set_identity(&other_key());
            Client::connect(relay.address).send("one@good.test");
            relay.wait_for("status=opened");
            relay.wait_for("to=postmaster@ops.test");
            scene.receiver.set_identity(&scene.identity);
            relay.print(&["queue", "retry", "--all"]);
            relay.wait_for("status=closed");
            relay.wait_for_lines("to=postmaster@ops.test", 2);
            let sent = relay.wait_for_lines("from=<>", 2);
            assert!(sent.iter().all(|line| line.contains("status=sent")), "{sent:?}");
            let messages = scene.receiver.messages();
            let mails = messages
                .iter()
                .filter(|one| one.recipients == ["postmaster@ops.test"]);
            let mails: Vec<(String, String)> = mails.map(|one| text_of(&one.content)).collect();
            let [(head, text), (closing, _)] = mails.as_slice() else {
                panic!("{mails:?}");
            };
            assert!(
                head.contains("Subject: [relay.example] incident opened: mx.good.test\r\n"),
                "{head}"
            );
            assert!(text.contains("danerelay danefail add "), "{text}");
            assert!(closing.contains("incident closed: mx.good.test\r\n"), "{closing}");
        })
        .await;
}

/// What is open, by its name and the messages that wait for it.
fn open(relay: &Relay) -> Vec<(String, u64)> {
    let shown = relay.print(&["incidents", "--json"]);
    let objects = shown
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    objects
        .map(|one| {
            let name = one["name"].as_str().unwrap().to_owned();
            (name, one["messages"].as_u64().unwrap())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_policy_and_a_failing_resolver_are_incidents_of_our_own() {
    let (world, other) = (World::start().await.unwrap(), World::start().await.unwrap());
    world.domain("test").signed().add().unwrap();
    let anchor = tempfile::NamedTempFile::new().unwrap();
    let more = asking(&world, "validate", anchor.path());
    std::fs::write(anchor.path(), other.trust_anchor_ds().unwrap()).unwrap();
    let done = tokio::task::spawn_blocking(move || {
        let relay = Relay::start(&more);
        let line = relay.wait_for("event=incident");
        assert!(
            line.contains("id=our-resolver, status=opened, kind=ours"),
            "{line}"
        );
        let wrong = "version = 1\n[default]\ndane = \"always\"\n";
        std::fs::write(relay.path("policy.toml"), wrong).unwrap();
        assert_eq!(relay.run(&["reload"]).status, 2);
        let mut client = Client::connect(relay.address);
        for recipient in ["a@one.test", "a@two.test", "a@three.test"] {
            client.send(recipient);
        }
        relay.wait_for_lines("status=deferred", 3);
        let expected = [("our resolver".to_owned(), 3), ("our policy file".to_owned(), 0)];
        assert_eq!(open(&relay), expected);
        relay.wait_for("id=our-policy, status=opened");
        std::fs::write(relay.path("policy.toml"), "version = 1\n").unwrap();
        assert_eq!(relay.run(&["reload"]).status, 0);
        let line = relay.wait_for("status=closed");
        assert!(line.contains("id=our-policy"), "{line}");
    });
    done.await.unwrap();
}
