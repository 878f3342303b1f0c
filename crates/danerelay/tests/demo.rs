//! The demonstration as a newcomer runs it.
#![allow(clippy::disallowed_types, reason = "the time that really passes is meant")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::fs;
use std::process::Command;
use std::time::Instant;

use common::demo::{Demo, LAST};
use common::{End, PATIENCE};
use rustix::process::Signal;
use serde_json::Value;

#[test]
fn every_message_comes_to_its_end() {
    let output = Command::new(env!("CARGO_BIN_EXE_danerelay"))
        .args(["demo", "--json"])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let scenes: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let end = |number: usize| (scenes[number]["status"].as_str(), scenes[number]["dane"].as_str());
    // First the four classic demonstrations.
    assert_eq!(end(0), (Some("sent"), Some("Skip (No secure TLSA RRs)")));
    assert_eq!(end(1), (Some("sent"), Some("Verify (Secure TLSA RRs found)")));
    assert_eq!(end(2), (Some("deferred"), Some("Fail (No matching TLSA RRs)")));
    assert_eq!(end(3), (Some("sent"), Some("Verify (Secure TLSA RRs found)")));
    assert!(scenes[3]["line"].as_str().unwrap().contains("relay=mx2.two.demo"));
    assert_eq!(scenes.len(), 16);
    for scene in &scenes {
        assert_eq!(scene["as_expected"], true, "{scene}");
        assert_eq!(scene["arrived"], scene["status"] == "sent", "{scene}");
    }
}

#[test]
fn a_signal_ends_the_tour_and_leaves_nothing() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let mut demo = Demo::start(&[]);
        demo.wait_for(" 2. ");
        demo.signal(signal);
        let end = demo.end();
        assert_eq!((end.status, end.stderr.as_str()), (3, ""), "{signal:?}");
    }
}

#[test]
fn a_signal_before_the_tour_leaves_nothing_either() {
    for _ in 0..3 {
        let demo = Demo::start(&[]);
        let began = Instant::now();
        while fs::read_dir(demo.temporary.path()).unwrap().next().is_none() {
            assert!(began.elapsed() < PATIENCE);
        }
        let end = demo.stop();
        assert_eq!((end.status, end.stderr.as_str()), (3, ""));
    }
}

#[test]
fn a_signal_ends_what_was_kept_and_leaves_nothing() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let demo = Demo::kept();
        demo.signal(signal);
        let end = demo.end();
        assert_eq!((end.status, end.stderr.as_str()), (0, ""), "{signal:?}");
    }
}

#[test]
fn a_closed_pipe_ends_it_and_leaves_nothing() {
    for (arguments, text, status) in [
        (&[][..], " 2. ", 3),
        (&["--keep"], " 2. ", 3),
        (&["--keep"], LAST, 0),
    ] {
        let mut demo = Demo::start(arguments);
        demo.wait_for(text);
        demo.output = None;
        let end = demo.end();
        assert_eq!(
            (end.status, end.stderr.as_str()),
            (status, ""),
            "{arguments:?} {text}"
        );
    }
}

#[test]
fn it_fits_a_terminal_and_gives_colours_to_no_pipe() {
    let demo = Demo::kept();
    let places = [
        env!("CARGO_BIN_EXE_danerelay"),
        demo.temporary.path().to_str().unwrap(),
    ]
    .map(str::to_owned);
    let text = demo.stop().stdout;
    assert!(!text.contains('\u{1b}'));
    for line in text.lines() {
        let fits = line.chars().count() <= 80 || places.iter().any(|place| line.contains(place));
        assert!(fits, "{line}");
    }
    assert_eq!(text.matches("\n    ✓ as expected").count(), 16, "{text}");
}

#[test]
fn what_it_says_to_type_works() {
    let demo = Demo::kept();
    let (_, talk) = demo.seen.split_once("What to type").unwrap();
    let talk = talk.replace(" \\\n", " ");
    let commands: Vec<&str> = talk
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with(env!("CARGO_BIN_EXE_danerelay")))
        .collect();
    assert_eq!(commands.len(), 5, "{talk}");
    let run = |command: &str| End::of(&Command::new("sh").args(["-c", command]).output().unwrap());
    for (command, status, words) in [
        (commands[0], 0, "dane=\"Verify (Secure TLSA RRs found)\""),
        (commands[1], 0, "secure"),
        (commands[2], 1, "Fail (No matching TLSA RRs)"),
        (commands[3], 0, "<example@wrong.demo>"),
        (commands[4], 0, ""),
    ] {
        let end = run(command);
        assert_eq!((end.status, end.stderr.as_str()), (status, ""), "{command}");
        assert!(end.stdout.contains(words), "{command}: {}", end.stdout);
    }
    let wrong = run(&commands[0].replace("@good.demo", "@wrong.demo"));
    assert_eq!(wrong.status, 1);
    assert!(wrong.stdout.contains("status=deferred"), "{}", wrong.stdout);
    let follow = format!("tail -f {}", demo.temporary.path().display());
    assert!(talk.contains(&follow), "{talk}");
    demo.stop();
}

#[test]
fn send_wants_a_demonstration() {
    let directory = common::prepared("");
    let other = directory.path().join("danerelay.toml");
    let send = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_danerelay"));
        End::of(&command.args(arguments).output().unwrap())
    };
    for arguments in [
        &["demo", "send", "a@good.demo"][..],
        &["-c", other.to_str().unwrap(), "demo", "send", "a@good.demo"],
        &["demo", "send", "good.demo"],
        &["demo", "--keep", "send", "a@good.demo"],
    ] {
        let end = send(arguments);
        assert_eq!(end.status, 2, "{arguments:?}: {}", end.stderr);
    }
    assert!(
        send(&["demo", "send", "a@good.demo"])
            .stderr
            .contains("demo --keep")
    );
}

#[test]
fn the_story_goes_as_it_should() {
    let told = Command::new(env!("CARGO_BIN_EXE_danerelay"))
        .args(["demo", "--story"])
        .output()
        .unwrap();
    let text = String::from_utf8(told.stdout).unwrap();
    assert_eq!(
        told.status.code(),
        Some(0),
        "{text}\n{}",
        String::from_utf8_lossy(&told.stderr)
    );
    for part in [
        "Day 12",
        "Dear postmaster,",
        "[[exception]]",
        "status=closed",
        "danefail recheck --remove-healed",
        "possibly an attack",
        "Day 30",
        "soft-failed",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}
