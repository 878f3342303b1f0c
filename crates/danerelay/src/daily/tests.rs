//! The mail of a made-up day.

#![allow(clippy::unwrap_used)]
use mail::CauseKind;
use report::summary::DaneFailures;
use spool::DestinationCount;

use super::*;
use crate::wiring::standing::{Ending, Healed, ListTrouble, Tests};

const GOLDEN: &str = include_str!("golden.txt");

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn outcomes(delivered: u64) -> Outcomes {
    let counts = |counts: &[(CauseKind, u64)]| {
        let counts = counts.iter().map(|(cause, deliveries)| CauseCount {
            cause: *cause,
            deliveries: *deliveries,
        });
        counts.collect()
    };
    let stopped = counts(&[(CauseKind::TlsaNoMatch, 12)]);
    Outcomes {
        traffic: Traffic {
            dane: delivered,
            encrypted: 4_000,
            failed: 10,
            deferred: 30,
            octets: 1_610_612_736,
            domains: Some(1_234),
            ..Traffic::default()
        },
        bounced: 9,
        expired: 1,
        deferred: counts(&[(CauseKind::RefusedForNow, 18), (CauseKind::TlsaNoMatch, 12)]),
        returned: counts(&[(CauseKind::RefusedForGood, 9), (CauseKind::TimedOut, 1)]),
        dane: DaneFailures {
            stopped,
            returned: Vec::new(),
            passed: counts(&[(CauseKind::DaneExpired, 1)]),
        },
    }
}

fn row(domain: &str, dane: u64, deferred: u64) -> DomainTraffic {
    DomainTraffic {
        domain: domain.to_owned(),
        traffic: Traffic {
            dane,
            deferred,
            octets: 2_048,
            ..Traffic::default()
        },
    }
}

fn queue() -> Summary {
    let mut ages = Ages::default();
    ages.add(SignedDuration::from_mins(3));
    ages.add(SignedDuration::from_mins(1_500));
    Summary {
        messages: 2,
        bytes: 3_000_000,
        oldest: Some(time("2026-11-27T23:15:00Z")),
        ages,
        next_hops: 1,
        destinations: vec![DestinationCount {
            next_hop: "slow.example".to_owned(),
            messages: 2,
            recipients: 2,
            oldest: time("2026-11-27T23:15:00Z"),
            ages,
        }],
        ..Summary::default()
    }
}

fn policy() -> PolicyTrouble {
    let trouble = ListTrouble {
        since: time("2026-11-27T00:15:00Z"),
        reason: "the server answers 503".to_owned(),
        is_held_back: false,
    };
    PolicyTrouble {
        refused: None,
        lists: [("https://lists.example/dane_fail_list.dat".to_owned(), trouble)].into(),
        ending: vec![Ending {
            exception: "domain example.dk".to_owned(),
            until: jiff::civil::date(2026, 12, 1),
            file: "policy.toml".to_owned(),
            line: 12,
        }],
        tests: Tests {
            healed: vec![Healed {
                kind: policy::ExceptedKind::Mx,
                name: "mx.example".parse().unwrap(),
                meaning: policy::Meaning::Dane(policy::settings::DaneMode::Off),
                until: None,
                exception_reason: None,
                source: "policy.toml".to_owned(),
                place: "policy.toml:20".to_owned(),
                since: time("2026-11-28T04:00:00Z"),
                reason: "verified".to_owned(),
            }],
            ..Tests::default()
        },
    }
}

fn facts() -> Facts {
    Facts {
        relay: "relay.example".to_owned(),
        day: jiff::civil::date(2026, 11, 28),
        now: time("2026-11-29T00:15:00Z"),
        started: time("2026-11-28T06:00:00Z"),
        figures: Daily {
            outcomes: outcomes(6_000),
            before: outcomes(4_000),
            busiest: vec![row("big.example", 5_000, 0), row("small.example", 1_000, 18)],
            waiting: vec![row("small.example", 1_000, 18)],
            waiting_domains: 1,
            unreadable: 0,
        },
        queue: queue(),
        incidents: Vec::new(),
        policy: policy(),
        tls_reports: vec![("queued", 40), ("posted", 2), ("failed", 0)],
    }
}

/// To be renewed with `UPDATE_GOLDEN=1`, and read then.
#[test]
fn the_mail() {
    let letter = facts().letter();
    assert_eq!(
        letter.subject,
        "[relay.example] mail of 2026-11-28: 10000 delivered, 10 returned"
    );
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/daily/golden.txt");
        return std::fs::write(file, letter.text).unwrap();
    }
    assert_eq!(letter.text, GOLDEN);
    let longest = letter.text.lines().map(|line| line.chars().count()).max();
    assert!(longest <= Some(78), "{longest:?} columns:\n{}", letter.text);
}

#[test]
fn the_manual_shows_how_it_begins() {
    let manual = include_str!("../../../../docs/report.md");
    let (_, rest) = manual.split_once("```\nMail of ").unwrap();
    let (shown, _) = rest.split_once("```").unwrap();
    assert!(GOLDEN.starts_with(&format!("Mail of {shown}")), "{shown}");
}

#[test]
fn a_quiet_day_is_told_in_few_lines() {
    let quiet = Facts {
        figures: Daily {
            outcomes: Outcomes::default(),
            before: Outcomes::default(),
            busiest: Vec::new(),
            waiting: Vec::new(),
            waiting_domains: 0,
            unreadable: 0,
        },
        queue: Summary::default(),
        policy: PolicyTrouble::default(),
        tls_reports: Vec::new(),
        started: time("2026-11-01T06:00:00Z"),
        ..facts()
    };
    let text = quiet.letter().text;
    assert!(
        text.contains("None: no security failure holds mail up."),
        "{text}"
    );
    assert!(text.contains("It is empty."), "{text}");
    for heading in ["Policy", "TLS reports", "Why mail", "DANE failed"] {
        assert!(!text.contains(heading), "{heading}: {text}");
    }
}

/// What is cut says so, and where the rest is; what cannot be read is said as well.
#[test]
fn what_is_left_out_is_said() {
    let mut many = facts();
    many.figures.waiting_domains = 13;
    many.figures.unreadable = 2;
    many.queue.next_hops = 3;
    many.figures.outcomes.returned.truncate(1);
    many.figures.outcomes.returned = many.figures.outcomes.returned.repeat(11);
    let ending = many.policy.ending.first().unwrap().clone();
    many.policy.ending = vec![ending; 14];
    let text = many.letter().text;
    for words in [
        "232 more: danerelay report --by domain --json.",
        "And 12 more: danerelay report --by domain --json.",
        "And 1 more: danerelay report --by outcome.",
        "And 2 more: danerelay queue summary.",
        "And 4 more: danerelay danefail list.",
        "Part of the ledger cannot be read, and is missing here: 2 entries.",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!facts().letter().text.contains("more: danerelay queue summary"));
}
