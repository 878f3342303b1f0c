//! Messages of which something cannot be read: they are counted and named, and can be deleted by their ids.

use serde_json::Value;

use crate::common::{Client, NO_DNS, Relay};

/// A stopped relay with three deferred messages of which the next hops of the first two are no text any more.
fn damaged() -> (Relay, [String; 3]) {
    let mut relay = Relay::start(NO_DNS);
    let mut client = Client::connect(relay.address);
    let ids = ["one", "two", "six"].map(|name| client.send(&format!("x@{name}.example")));
    relay.wait_for_lines("status=deferred", 3);
    relay.stop();
    let database = relay.path("spool/queue.db");
    let mut octets = std::fs::read(&database).unwrap();
    for name in ["one", "two"] {
        // The recipient and its next hop stand side by side in a row.
        let row = format!("x@{name}.example{name}.example");
        let places: Vec<usize> = octets
            .windows(row.len())
            .enumerate()
            .filter_map(|(place, window)| (window == row.as_bytes()).then_some(place))
            .collect();
        assert!(!places.is_empty());
        for place in places {
            octets[place + "x@one.example".len()] = 0xff;
        }
    }
    std::fs::write(&database, octets).unwrap();
    (relay, ids)
}

fn listed(text: &str) -> Vec<String> {
    let id = |line| {
        serde_json::from_str::<Value>(line).unwrap()["id"]
            .as_str()
            .map(str::to_owned)
    };
    text.lines().filter_map(id).collect()
}

#[test]
fn what_cannot_be_read_is_counted_and_said() {
    let (mut relay, [first, second, whole]) = damaged();
    for running in [false, true] {
        if running {
            relay.start_again();
        }
        let list = relay.run(&["queue", "list", "--json"]);
        assert_eq!((list.status, listed(&list.stdout)), (1, vec![whole.clone()]));
        let said = format!(
            "danerelay: 2 messages cannot be read, the first because the spool is damaged at message {first}: a text"
        );
        assert!(list.stderr.starts_with(&said), "{}", list.stderr);
        assert_eq!(list.stderr.lines().count(), 1, "{}", list.stderr);
        let summary = relay.run(&["queue", "summary", "--json"]);
        let counts: Value = serde_json::from_str(&summary.stdout).unwrap();
        assert_eq!(
            (summary.status, &counts["unreadable"]["id"]),
            (1, &Value::from(&*first))
        );
        assert!(summary.stderr.starts_with(&said), "{}", summary.stderr);
        for command in [
            &["queue", "show", &second][..],
            &["queue", "list", "--id", &second],
        ] {
            let end = relay.run(command);
            let said = format!("the spool is damaged at message {second}: a text that is not UTF-8");
            assert!(
                end.status == 1 && end.stderr.contains(&said),
                "{command:?}: {}",
                end.stderr
            );
        }
        assert_eq!(
            listed(&relay.print(&["queue", "list", "--json", "--id", &whole])),
            [&*whole]
        );
    }
    let hold = relay.run(&["queue", "hold", "--all"]);
    assert_eq!(
        (hold.status, &*hold.stdout),
        (1, "held 1 recipient of 1 message\n")
    );
    assert!(
        hold.stderr.contains("2 messages cannot be read"),
        "{}",
        hold.stderr
    );
    // One line for each command, however many messages it is about.
    for command in ["list", "summary", "hold"] {
        let action = format!("action={command}, messages=2, id={first}, error=\"the spool is damaged");
        relay.wait_for(&action);
        assert_eq!(relay.log().matches(&action).count(), 1, "{}", relay.log());
    }
    assert_eq!(relay.wait_for("remedy=").matches("queue delete --id").count(), 1);
}

#[test]
fn what_cannot_be_read_is_deleted_by_its_id_alone() {
    let (mut relay, [first, second, whole]) = damaged();
    relay.start_again();
    // Nobody knows whose it is.
    let guess = relay.run(&[
        "queue",
        "delete",
        "--id",
        &first,
        "--sender",
        "sender@client.example",
    ]);
    assert_eq!(
        (guess.status, &*guess.stdout),
        (1, "no recipient in the queue fits\n")
    );
    assert!(
        guess.stderr.contains("1 message cannot be read"),
        "{}",
        guess.stderr
    );
    assert_eq!(
        relay.print(&["queue", "delete", "--id", &first, &second]),
        "deleted 2 recipients of 2 messages\n"
    );
    for id in [&first, &second] {
        relay.wait_for(&format!("action=delete, id={id}, by="));
        let shown = relay.run(&["queue", "show", id]);
        assert!(shown.stderr.contains("there is no message"), "{}", shown.stderr);
    }
    let left = |relay: &Relay| listed(&relay.print(&["queue", "list", "--json"]));
    assert_eq!(left(&relay), [&*whole]);
    relay.stop();
    assert_eq!(left(&relay), [&*whole]);
}
