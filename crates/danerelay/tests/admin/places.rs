//! Places for the daemon's clients: nobody keeps others out, and nobody is ended as long as there is a place.
#![allow(clippy::disallowed_types, reason = "the time that really passes is meant")]

use std::io::{Read, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{Client, End, NO_DNS, PATIENCE, Relay};
use crate::hostile::Rogue;

/// As many clients as the daemon serves at once.
const PLACES: usize = 32;
/// More than a client needs to ask, and more than connections need to fill up.
const A_WHILE: Duration = Duration::from_millis(1500);

/// A relay whose list is longer than what fits into connections and pipes that nobody reads.
fn with_a_long_list() -> Relay {
    let relay = Relay::start(NO_DNS);
    let mut client = Client::connect(relay.address);
    let local = "x".repeat(50);
    for number in 0..200 {
        let many: Vec<String> = (0..20)
            .map(|other| format!("{local}{number}.{other}@nowhere.example"))
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        client.send_from("a@one.example", &many);
    }
    relay
}

/// A client that has asked for the list and does not read it.
fn stalled(relay: &Relay) -> Rogue {
    let mut rogue = Rogue::connect(relay);
    assert!(rogue.line()["hello"].is_object());
    rogue.0.get_mut().write_all(b"{\"command\":\"list\"}\n").unwrap();
    rogue
}

/// The rest of an answer: its whole lines.
fn rest(mut rogue: Rogue) -> Vec<Value> {
    let mut text = String::new();
    rogue.0.read_to_string(&mut text).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

fn gave_way(line: &Value) -> bool {
    let message = line["error"]["message"].as_str().unwrap_or_default();
    line["error"]["kind"] == "busy" && message.contains("others needed its place")
}

/// The daemon answers, itself, and at once.
fn is_at_hand(relay: &Relay) {
    let began = Instant::now();
    let summary = relay.print(&["queue", "summary"]);
    assert!(summary.starts_with("messages "), "{summary}");
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
}

#[test]
fn whoever_reads_slowest_makes_room_and_is_told_so() {
    let relay = with_a_long_list();
    let pager = relay
        .command(&["queue", "list"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(A_WHILE);
    let second = stalled(&relay);
    std::thread::sleep(A_WHILE);
    let mut others: Vec<Rogue> = (2..PLACES).map(|_| stalled(&relay)).collect();
    std::thread::sleep(A_WHILE);

    is_at_hand(&relay);
    let end = End::of(&pager.wait_with_output().unwrap());
    assert_eq!(end.status, 3, "{}", end.stderr);
    assert!(end.stderr.contains("others needed its place"), "{}", end.stderr);
    assert!(end.stdout.contains(" <a@one.example>\n"));
    assert!(!end.stdout.contains("200 messages"));

    // The place of the one that was asked for is free again: nobody else has to go.
    is_at_hand(&relay);
    let last = rest(others.pop().unwrap());
    assert_eq!(last.len(), 201);
    assert!(last[200]["end"].is_object(), "{}", last[200]);

    // All are taken once more.
    others.extend([(); 2].map(|()| stalled(&relay)));
    std::thread::sleep(A_WHILE);
    is_at_hand(&relay);
    let second = rest(second);
    let (why, results) = second.split_last().unwrap();
    assert!(gave_way(why), "{why}");
    assert!((1..200).contains(&results.len()), "{} results", results.len());
    assert!(results.iter().all(|line| line["result"].is_object()));
    assert!(!relay.log().contains("event=fault"), "{}", relay.log());
}

#[test]
fn whoever_asks_for_nothing_makes_room_before_those_who_read() {
    let relay = with_a_long_list();
    let reader = stalled(&relay);
    std::thread::sleep(A_WHILE);
    let mut silent: Vec<Rogue> = (1..PLACES).map(|_| Rogue::connect(&relay)).collect();
    assert!(silent.iter_mut().all(|rogue| rogue.line()["hello"].is_object()));
    std::thread::sleep(A_WHILE);
    is_at_hand(&relay);
    let list = rest(reader);
    assert!(list.last().unwrap()["end"].is_object());
    let said: Vec<Value> = silent.iter_mut().map(Rogue::line).collect();
    assert_eq!(said.iter().filter(|line| gave_way(line)).count(), 1, "{said:?}");
}

#[test]
fn a_thousand_connections_that_say_nothing_keep_nobody_out() {
    let relay = Relay::start(NO_DNS);
    let mut rogues: Vec<Rogue> = (0..1000).map(|_| Rogue::connect(&relay)).collect();
    is_at_hand(&relay);
    Client::connect(relay.address).send("x@nowhere.example");
    let mut made_room = 0;
    for rogue in &mut rogues {
        assert!(rogue.line()["hello"].is_object());
        let why = rogue.line();
        if gave_way(&why) {
            made_room += 1;
        } else {
            // Silence gets 10 seconds.
            assert_eq!(why["error"]["message"], "no request came in time", "{why}");
        }
    }
    assert_eq!(made_room, 1000 + 1 - PLACES);
    assert!(!relay.log().contains("event=fault"), "{}", relay.log());
}
