//! `queue retry --trace`, `explain --connect --trace` and `[log] trace`, with the whole program.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use testworld::mail::{MailFault, Stage};

use crate::common::{Client, Relay, configuration};
use crate::delivery::Scene;

/// The receiver turns each recipient away for now.
fn greylist(scene: &Scene) {
    let later = MailFault::Reply(Stage::Rcpt, "450 4.2.0 later".to_owned());
    scene.receiver.set_faults(vec![later]);
}

/// A message that is deferred; its id.
fn deferred(relay: &Relay, recipients: &[&str]) -> String {
    let id = Client::connect(relay.address).send_from("a@one.example", recipients);
    relay.wait_for_lines("status=deferred", recipients.len());
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_shows_the_whole_dialogue() {
    let scene = Scene::new().await;
    greylist(&scene);
    scene
        .play_with("", |scene, relay| {
            let id = deferred(&relay, &["someone@good.test"]);
            // What is refused is shown, and is no failure of the command.
            let shown = relay.print(&["queue", "retry", &id, "--trace"]);
            assert!(
                shown.starts_with(&format!("trace of {id} to good.test\n")),
                "{shown}"
            );
            assert!(shown.contains("  server       450 4.2.0 later\n"), "{shown}");
            assert!(shown.contains("status=deferred"), "{shown}");
            assert!(shown.ends_with("\nretried 1 recipient of 1 message\n"), "{shown}");

            scene.receiver.set_faults(Vec::new());
            let steps = relay.objects(&["queue", "retry", &id, "--trace", "--json"]);
            let (last, steps) = steps.split_last().unwrap();
            assert_eq!(last["action"], "retry");
            let of = |kind: &str| -> Vec<&str> {
                let these = steps.iter().filter(|step| step["step"] == kind);
                these.map(|step| step["text"].as_str().unwrap()).collect()
            };
            assert!(
                steps
                    .iter()
                    .all(|step| step["event"] == "trace" && step["id"] == *id)
            );
            assert_eq!(of("connect").len(), 1);
            assert_eq!(of("certificate").len(), 2);
            assert!(
                of("client").contains(&"STARTTLS") && of("client").contains(&"QUIT"),
                "{steps:?}"
            );
            assert!(of("outcome")[0].contains("status=sent"), "{steps:?}");
            assert!(!format!("{steps:?}").contains("greetings"), "no content");
            // The log has what it has of every delivery, and who asked.
            relay.wait_for("status=sent");
            assert!(!relay.log().contains("event=trace"));
            relay.wait_for("action=retry");
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_traced_is_said() {
    let scene = Scene::new().await;
    greylist(&scene);
    scene
        .play_with("", |scene, relay| {
            let id = deferred(&relay, &["someone@good.test"]);
            let other = Client::connect(relay.address).send("other@good.test");
            relay.wait_for_lines("status=deferred", 2);
            let many = relay.run(&["queue", "retry", "--all", "--trace"]);
            assert_eq!((many.status, &*many.stdout), (2, ""));
            assert!(many.stderr.contains("only one can be traced"), "{}", many.stderr);
            relay.print(&["queue", "hold", &id]);
            assert_eq!(
                relay.run(&["queue", "retry", &id, "--trace"]).stdout,
                "retried 0 recipients of 0 messages; 1 is held and stays so, or is gone\n"
            );
            let unknown = relay.run(&["queue", "retry", "01JDB3N5V0000000000000000A", "--trace"]);
            assert_eq!(
                (unknown.status, &*unknown.stdout),
                (1, "no recipient in the queue fits\n")
            );

            // One that is being delivered at the moment, and is watched by somebody.
            scene
                .receiver
                .set_faults(vec![MailFault::Pause(Stage::Content, Duration::from_secs(3))]);
            let mut watching = relay.command(&["queue", "retry", &other, "--trace"]);
            let mut watching = watching.stdout(Stdio::piped()).spawn().unwrap();
            let mut shown = BufReader::new(watching.stdout.take().unwrap()).lines();
            assert!(shown.any(|line| line.unwrap().contains("client       DATA")));
            let second = relay.run(&["queue", "retry", &other, "--trace"]);
            assert_eq!(second.status, 3);
            assert!(
                second.stderr.contains("followed by somebody else"),
                "{}",
                second.stderr
            );
            // Who goes away ends the showing alone.
            watching.kill().unwrap();
            watching.wait().unwrap();
            let third = relay.run(&["queue", "retry", &other]).stdout;
            assert!(
                third.contains("1 is being delivered now and was left alone"),
                "{third}"
            );
            relay.wait_for("status=sent");
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_stops_has_said_what_was_retried() {
    let scene = Scene::new().await;
    greylist(&scene);
    scene
        .play_with("", |scene, mut relay| {
            let id = deferred(&relay, &["someone@good.test"]);
            scene
                .receiver
                .set_faults(vec![MailFault::Pause(Stage::Content, Duration::from_secs(3))]);
            let mut watching = relay.command(&["queue", "retry", &id, "--trace"]);
            let watching = watching.stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut watching = watching.spawn().unwrap();
            let mut shown = BufReader::new(watching.stdout.take().unwrap()).lines();
            assert!(shown.any(|line| line.unwrap().contains("client       DATA")));
            relay.stop();
            let end = watching.wait_with_output().unwrap();
            let said = String::from_utf8(end.stderr).unwrap();
            assert!(
                said.contains("retrying 1 recipient of 1 message, then broken off"),
                "{said}"
            );
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_next_hop_has_its_own_heading() {
    let scene = Scene::new().await;
    let plain = scene.world.domain("plain.test");
    let plain = plain.mx(10, "mx.plain.test", scene.receiver.address());
    plain.add().unwrap();
    greylist(&scene);
    scene
        .play_with("", |_, relay| {
            let id = deferred(&relay, &["a@good.test", "b@plain.test"]);
            let shown = relay.print(&["queue", "retry", &id, "--trace"]);
            let headings: Vec<&str> = shown
                .lines()
                .filter(|line| line.starts_with("trace of"))
                .collect();
            let mut next_hops: Vec<&str> = headings
                .iter()
                .map(|line| line.rsplit(' ').next().unwrap())
                .collect();
            next_hops.sort_unstable();
            assert_eq!(next_hops, ["good.test", "plain.test"], "{shown}");
            assert!(shown.ends_with("retried 2 recipients of 1 message\n"), "{shown}");
            let one = relay.print(&[
                "queue",
                "retry",
                &id,
                "--recipient-domain",
                "plain.test",
                "--trace",
            ]);
            assert!(!one.contains("to good.test"), "{one}");
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_has_traces_of_some_domains_from_a_reload_on() {
    let scene = Scene::new().await;
    scene
        .play_with("", |scene, relay| {
            let mut client = Client::connect(relay.address);
            client.send("one@good.test");
            relay.wait_for("status=sent");
            assert!(!relay.log().contains("event=trace"));
            let text = configuration(&scene.settings(""));
            let text = text.replace("[log]\n", "[log]\ntrace = [\"other.test\", \".test\"]\n");
            std::fs::write(relay.path("danerelay.toml"), text).unwrap();
            relay.print(&["reload"]);
            let id = client.send("two@good.test");
            relay.wait_for_lines("status=sent", 2);
            let line = relay.wait_for("step=verified");
            assert!(
                line.contains(&format!(
                    " info id={id}, next_hop=good.test, host=mx.good.test [127.0.0.1], at=0."
                )) && line.ends_with(", event=trace"),
                "{line}"
            );
            relay.wait_for("step=client, text=\"MAIL FROM:<sender@client.example>");
            assert!(!relay.log().contains("greetings"));
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_shows_the_dialogue_with_each_address() {
    let scene = Scene::new().await;
    scene
        .play_with("", |scene, relay| {
            relay.wait_for("status=fine");
            let shown = relay.print(&["explain", "someone@good.test", "--connect", "--trace"]);
            let (_, trace) = shown.split_once("\ntrace of mx.good.test [127.0.0.1]\n").unwrap();
            for step in [
                "connect      to 127.0.0.1:",
                "client       STARTTLS\n",
                "tlsa         3 1 1 ",
                "verified     requirement met: match the TLSA records",
                "client       QUIT\n",
                "closed       by this relay\n",
            ] {
                assert!(trace.contains(step), "{step} in {shown}");
            }
            assert!(!trace.contains("MAIL"), "{trace}");
            let json = relay.print(&["explain", "good.test", "--connect", "--trace", "--json"]);
            let found: Value = serde_json::from_str(&json).unwrap();
            let trace = &found["hosts"][0]["connections"][0]["trace"];
            assert_eq!(trace[0]["step"], "connect", "{found}");
            assert!(trace[0]["at"].is_f64() || trace[0]["at"].is_number(), "{found}");
            assert_eq!(relay.run(&["explain", "good.test", "--trace"]).status, 2);
            // The same without a daemon.
            let server = scene.world.address().to_string();
            let own = relay.run(&[
                "explain",
                "good.test",
                "--connect",
                "--trace",
                "--dns-server",
                &server,
            ]);
            assert!(
                own.stdout.contains("closed       by this relay"),
                "{}{}",
                own.stdout,
                own.stderr
            );
        })
        .await;
}
