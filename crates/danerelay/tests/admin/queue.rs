//! Each command of `queue`, in text and JSON, on a running daemon and on the spool of a stopped one.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::common::{CONTENT, Client, End, NO_DNS, Relay, configuration};

/// A relay with two deferred messages: the first from `a@one.example` to two domains, the second from nobody to one.
struct Scene {
    relay: Relay,
    first: String,
    second: String,
}

impl Scene {
    fn new() -> Self {
        let relay = Relay::start(NO_DNS);
        let mut client = Client::connect(relay.address);
        client.say("MAIL FROM:<a@one.example> RET=HDRS ENVID=a+2Bb", "250");
        client.say("RCPT TO:<x@nowhere.example> NOTIFY=NEVER", "250");
        client.say("RCPT TO:<y@elsewhere.example> ORCPT=rfc822;y@else.example", "250");
        let first = client.send_content();
        let second = client.send_from("", &["z@nowhere.example"]);
        relay.wait_for_lines("status=deferred", 3);
        Self { relay, first, second }
    }

    /// Each recipient with its state, in the order of the queue.
    fn states(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let recipients = |message: &Value| message["recipients"].as_array().unwrap().clone();
        let queue = self.relay.queue();
        let all = queue.iter().flat_map(recipients);
        all.map(|one| (text(&one["address"]), text(&one["state"])))
            .collect()
    }

    fn assert_states(&self, expected: &[(&str, &str)]) {
        let states = self.states();
        let states: Vec<(&str, &str)> = states.iter().map(|(a, s)| (a.as_str(), s.as_str())).collect();
        assert_eq!(states, expected);
    }
}

#[test]
fn a_list_is_the_same_beside_the_daemon_and_without_it() {
    let mut scene = Scene::new();
    let running = looked_at(&scene);
    scene.relay.stop();
    assert_eq!(looked_at(&scene), running);
    assert!(!scene.relay.path("admin.sock").exists());
}

/// What all looking commands say.
fn looked_at(scene: &Scene) -> Vec<String> {
    let (first, second) = (scene.first.as_str(), scene.second.as_str());
    let relay = &scene.relay;
    let ids = |options: &[&str]| -> Vec<String> {
        let objects = relay.objects(&[&["queue", "list", "--json"], options].concat());
        objects
            .iter()
            .map(|one| one["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids(&[]), [first, second]);
    assert_eq!(ids(&["--all"]), [first, second]);
    assert_eq!(ids(&["--recipient-domain", "Elsewhere.example"]), [first]);
    assert_eq!(ids(&["--recipient", "Y@elsewhere.example"]), [first]);
    assert_eq!(ids(&["--recipient", "y@nowhere.example"]), [""; 0]);
    assert_eq!(ids(&["--sender", "<>"]), [second]);
    assert_eq!(
        ids(&[
            "--sender",
            "a@one.example",
            "--recipient-domain",
            "nowhere.example"
        ]),
        [first]
    );
    assert_eq!(ids(&["--id", second, "--id", first]), [first, second]);
    assert_eq!(ids(&[second]), [second]);
    assert_eq!(ids(&["--sender", "A@One.example"]), [first]);
    assert_eq!(ids(&["--older-than", "1h"]), [""; 0]);
    assert_eq!(ids(&["--reason", "LOOK-UP"]), [first, second]);
    assert_eq!(ids(&["--reason", "no such words"]), [""; 0]);

    let list = relay.print(&["queue", "list"]);
    assert!(
        list.contains(" <a@one.example>\n") && list.contains(" <>\n"),
        "{list}"
    );
    assert!(list.ends_with(" octets in 2 messages.\n"), "{list}");

    let shown = relay.objects(&["queue", "show", first, "--json"]).pop().unwrap();
    assert_eq!(shown["id"], first);
    assert_eq!(shown["sender"], "a@one.example");
    assert_eq!(shown["header"]["subject"], "greetings");
    assert_eq!(shown["header"]["message_id"], "<1@client.example>");
    assert_eq!(shown["recipients"][1]["next_hop"], "elsewhere.example");
    assert_eq!(shown["recipients"][1]["state"], "deferred");
    assert_eq!(shown["declared"]["ret"], "HDRS");
    assert_eq!(shown["declared"]["envid"], "a+2Bb");
    assert_eq!(shown["declared"]["eight_bit"], false);
    assert_eq!(shown["declared"]["recipients"][0]["notify"], "NEVER");
    assert_eq!(
        shown["declared"]["recipients"][1]["orcpt"],
        "rfc822;y@else.example"
    );
    let day = |field: &str| shown[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    for field in ["created", "expires", "next_attempt"] {
        let time = shown[field].as_str().unwrap();
        assert_eq!(time.len(), "2026-11-22T17:00:27.920Z".len(), "{field}: {time}");
    }
    assert_eq!(day("expires").duration_since(day("created")).as_hours(), 120);
    let text = relay.print(&["queue", "show", first]);
    for words in [
        "sender      <a@one.example>\n",
        "Subject     greetings\n",
        "  deferred  <x@nowhere.example>",
        "declared    RET=HDRS ENVID=a+2Bb\n",
        "next hop elsewhere.example, ORCPT=rfc822;y@else.example\n",
    ] {
        assert!(text.contains(words), "{words:?} is not in\n{text}");
    }

    let exported = relay.print(&["queue", "export", first]);
    let summary = relay.objects(&["queue", "summary", "--json"]).pop().unwrap();
    assert_eq!(summary["messages"], 2);
    assert_eq!(summary["recipients"]["deferred"], 3);
    assert_eq!(summary["destinations"][0]["next_hop"], "nowhere.example");
    assert_eq!(summary["destinations"][0]["messages"], 2);
    assert!(summary["oldest_age"].is_u64());
    assert_eq!(summary["reasons"][0]["recipients"], 3);
    assert_eq!(summary["ages"][0], 3);
    assert!(relay.print(&["queue", "summary"]).contains("deferred 3,"));
    vec![
        list,
        exported,
        summary["bytes"].to_string(),
        shown["expires"].to_string(),
    ]
}

#[test]
fn an_export_is_what_was_sent_with_our_received_on_top() {
    let scene = Scene::new();
    let text = scene.relay.print(&["queue", "export", &scene.first]);
    assert!(
        text.starts_with("Received: from client.example ") && text.ends_with(CONTENT),
        "{text}"
    );
    let (received, _) = text.split_once(CONTENT).unwrap();
    assert!(received.contains(&scene.first), "{received}");
    assert!(
        received.ends_with("\r\n") && !received.contains("\r\n\r\n"),
        "{received}"
    );

    let file = scene.relay.path("message.eml");
    let path = file.to_str().unwrap();
    assert_eq!(
        scene
            .relay
            .print(&["queue", "export", &scene.first, "--output", path]),
        ""
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    scene.relay.wait_for("action=export");
}

#[test]
fn large_content_is_exported_octet_for_octet() {
    let relay = Relay::start(NO_DNS);
    let mut client = Client::connect(relay.address);
    let body = format!("Subject: large\r\n\r\n{}", "0123456789abcdef\r\n".repeat(40_000));
    client.say("MAIL FROM:<a@one.example>", "250");
    client.say("RCPT TO:<x@nowhere.example>", "250");
    client.say("DATA", "354");
    let reply = client.say(&format!("{body}."), "250");
    let id = reply.trim_end().rsplit(' ').next().unwrap().to_owned();
    let text = relay.print(&["queue", "export", &id]);
    assert!(
        text.ends_with(&body) && text.len() < body.len() + 1000,
        "{} octets",
        text.len()
    );
}

/// The files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect()
}

/// A message with a content in a file: its id and the file.
fn large(relay: &Relay) -> (String, PathBuf) {
    let mut client = Client::connect(relay.address);
    client.say("MAIL FROM:<a@one.example>", "250");
    client.say("RCPT TO:<x@nowhere.example>", "250");
    client.say("DATA", "354");
    let text = "0123456789abcdef\r\n".repeat(40_000);
    let reply = client.say(&format!("Subject: large\r\n\r\n{text}."), "250");
    let id = reply.trim_end().rsplit(' ').next().unwrap().to_owned();
    let files = files(&relay.path("spool"));
    let file = files.into_iter().find(|path| path.ends_with(&id)).unwrap();
    (id, file)
}

#[test]
fn of_damaged_content_the_envelope_is_shown_and_no_file_is_made() {
    let mut relay = Relay::start(NO_DNS);
    let (id, content) = large(&relay);
    relay.wait_for("status=deferred");
    let mut octets = std::fs::read(&content).unwrap();
    *octets.last_mut().unwrap() ^= 1;
    std::fs::write(&content, &octets).unwrap();
    let file = relay.path("message.eml");
    std::fs::write(&file, "before").unwrap();
    let export = relay.run(&["queue", "export", &id, "--output", file.to_str().unwrap()]);
    assert_eq!(export.status, 1, "{}", export.stderr);
    assert!(
        export.stderr.contains("the spool is damaged at message "),
        "{}",
        export.stderr
    );
    assert_eq!(relay.run(&["queue", "export", &id]).stdout, "");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "before");
    let logged = relay.wait_for_lines("action=export", 2).pop().unwrap();
    assert!(
        logged.contains(" warning ") && logged.contains("reason=\"the spool is damaged"),
        "{logged}"
    );

    std::fs::write(&content, "short").unwrap();
    for running in [true, false] {
        let shown = relay.print(&["queue", "show", &id]);
        for words in [
            "content     cannot be read: the spool is damaged",
            "<x@nowhere.example>",
        ] {
            assert!(shown.contains(words), "{running}: {words:?} is not in\n{shown}");
        }
        assert!(!shown.contains("Subject"), "{shown}");
        if running {
            relay.stop();
        }
    }
}

#[test]
fn the_sender_of_damaged_content_is_told_when_it_is_given_up() {
    let mut relay = Relay::start(NO_DNS);
    let id = Client::connect(relay.address).send("x@nowhere.example");
    let (large, content) = large(&relay);
    relay.wait_for_lines("status=deferred", 2);
    relay.stop();
    std::fs::remove_file(content).unwrap();
    let short_lived = configuration(&format!("{NO_DNS}max_age = \"1s\"\n"));
    std::fs::write(relay.path("danerelay.toml"), short_lived).unwrap();
    relay.start_again();
    relay.print(&["queue", "retry", "--id", &large]);
    let given_up = relay.wait_for("status=expired");
    let reason =
        "the stored content of the message was damaged here, and was not sent: its content is missing";
    for part in [&large, "enhanced=4.3.0", "dsn_sent=yes", reason] {
        assert!(given_up.contains(part), "{part} in {given_up}");
    }
    let told = relay.wait_for("event=dsn");
    assert!(
        told.contains(&format!("about={large}, to=a@one.example, kind=failed")),
        "{told}"
    );
    let trouble = relay.wait_for("event=spool");
    assert!(
        trouble.contains(&format!("remedy=\"danerelay queue delete --id {large}\"")),
        "{trouble}"
    );
    let queue = relay.queue();
    let report = queue.iter().find(|message| message["sender"] == "").unwrap();
    let report = relay.print(&["queue", "export", report["id"].as_str().unwrap()]);
    let words: Vec<&str> = report.split_whitespace().collect();
    assert!(words.join(" ").contains(reason), "{report}");
    // It has left the queue, and the other one is as it was.
    let left: Vec<&str> = queue
        .iter()
        .map(|message| message["id"].as_str().unwrap())
        .collect();
    assert!(left.contains(&&*id) && !left.contains(&&*large), "{left:?}");
}

#[test]
fn recipients_are_held_and_released_and_the_log_says_by_whom() {
    let scene = Scene::new();
    let relay = &scene.relay;
    let child = relay
        .command(&["queue", "hold", "--recipient-domain", "nowhere.example"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    let end = End::of(&child.wait_with_output().unwrap());
    assert_eq!(
        (end.status, end.stdout.as_str()),
        (0, "held 2 recipients of 2 messages\n")
    );
    scene.assert_states(&[
        ("x@nowhere.example", "held"),
        ("y@elsewhere.example", "deferred"),
        ("z@nowhere.example", "held"),
    ]);
    let uid = rustix::process::getuid().as_raw();
    let line = relay.wait_for("action=hold");
    assert!(line.contains(&format!("(uid {uid}, pid {pid})\"")), "{line}");
    for words in [
        "by=\"",
        "selector=\"--recipient-domain nowhere.example\"",
        "messages=2, done=2, leased=0, unsuitable=0",
        "event=admin",
    ] {
        assert!(line.contains(words), "{words:?} is not in {line}");
    }

    // What is held is neither held again nor retried.
    assert_eq!(
        relay.print(&["queue", "hold", "--all"]),
        "held 1 recipient of 1 message; 2 are held already or gone\n"
    );
    let retried = relay.run(&["queue", "retry", &scene.second, "--json"]);
    let counts: Value = serde_json::from_str(&retried.stdout).unwrap();
    assert_eq!(
        counts,
        json!({"action": "retry", "messages": 0, "done": 0, "leased": 0, "unsuitable": 1})
    );
    assert_eq!(retried.status, 0);
    let list = relay.print(&["queue", "list", "--sender", "<>"]);
    assert!(list.contains(&format!("{}! ", scene.second)), "{list}");
    let held = |line: &str| line.starts_with("  held, attempts=1 ") && line.ends_with(" <z@nowhere.example>");
    assert!(list.lines().any(held), "{list}");

    assert_eq!(
        relay.print(&["queue", "release", "--id", &scene.second]),
        "released 1 recipient of 1 message\n"
    );
    // Which was tried at once, once more.
    relay.wait_for_lines("to=z@nowhere.example, ", 2);
    scene.assert_states(&[
        ("x@nowhere.example", "held"),
        ("y@elsewhere.example", "held"),
        ("z@nowhere.example", "deferred"),
    ]);
}

#[test]
fn recipients_are_deleted_one_by_one_and_the_others_stay_who_they_are() {
    let mut scene = Scene::new();
    let deleted = scene.relay.print(&[
        "queue",
        "delete",
        "--id",
        &scene.first,
        "--recipient-domain",
        "nowhere.example",
    ]);
    assert_eq!(deleted, "deleted 1 recipient of 1 message\n");
    scene.assert_states(&[
        ("y@elsewhere.example", "deferred"),
        ("z@nowhere.example", "deferred"),
    ]);
    // The second recipient of the first message is the first of those left.
    assert_eq!(
        scene.relay.print(&["queue", "hold", "--id", &scene.first]),
        "held 1 recipient of 1 message\n"
    );
    scene.assert_states(&[("y@elsewhere.example", "held"), ("z@nowhere.example", "deferred")]);

    let all = scene.relay.objects(&["queue", "delete", "--all", "--json"]);
    assert_eq!(
        all,
        [json!({"action": "delete", "messages": 2, "done": 2, "leased": 0, "unsuitable": 0})]
    );
    assert_eq!(scene.relay.queue(), [Value::Null; 0]);
    for id in [&scene.first, &scene.second] {
        scene.relay.wait_for(&format!("action=delete, id={id}, by="));
    }
    let none = scene.relay.run(&["queue", "delete", "--all"]);
    assert_eq!(
        (none.status, none.stdout.as_str()),
        (1, "no recipient in the queue fits\n")
    );
    scene.relay.stop();
    assert_eq!(scene.relay.queue(), [Value::Null; 0]);
}

#[test]
fn what_cannot_be_done_is_refused_with_the_reason() {
    let mut scene = Scene::new();
    let unknown = "01JDB3N5V0000000000000000A";
    for running in [true, false] {
        for command in ["show", "export"] {
            let end = scene.relay.run(&["queue", command, unknown]);
            assert_eq!(end.status, 1, "{command}: {}", end.stderr);
            assert!(
                end.stderr.contains(&format!("there is no message {unknown}")),
                "{}",
                end.stderr
            );
        }
        let end = scene.relay.run(&["queue", "hold", unknown]);
        if running {
            assert_eq!(
                (end.status, end.stdout.as_str()),
                (1, "no recipient in the queue fits\n")
            );
            scene.relay.stop();
        } else {
            assert_eq!(end.status, 3, "{}", end.stderr);
            assert!(end.stderr.contains("no daemon answers at "), "{}", end.stderr);
        }
    }
    for (empty, allowed) in [
        ("--sender", "<> for the null reverse-path"),
        ("--reason", "--all"),
    ] {
        let end = scene.relay.run(&["queue", "delete", empty, ""]);
        assert_eq!(end.status, 2, "{}", end.stdout);
        assert!(end.stderr.contains(allowed), "{}", end.stderr);
    }
    for command in ["list", "hold"] {
        let end = scene.relay.run(&["queue", command, "--older-than", "-4h"]);
        assert_eq!(end.status, 2, "{}", end.stdout);
        assert!(
            end.stderr
                .contains("allowed: a whole number and one of s, m, h, d"),
            "{}",
            end.stderr
        );
    }
    for command in ["retry", "hold", "release", "delete"] {
        let end = scene.relay.run(&["queue", command, "--all"]);
        assert_eq!(end.status, 3, "{command}: {}", end.stderr);
        assert!(end.stdout.is_empty(), "{}", end.stdout);
        let end = scene.relay.run(&["queue", command]);
        assert_eq!(end.status, 2, "{command}: {}", end.stderr);
    }
    scene.assert_states(&[
        ("x@nowhere.example", "deferred"),
        ("y@elsewhere.example", "deferred"),
        ("z@nowhere.example", "deferred"),
    ]);
}
