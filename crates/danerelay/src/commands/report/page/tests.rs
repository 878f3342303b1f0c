//! The page of some made-up months.

#![allow(clippy::unwrap_used)]
use jiff::civil::date;
use mail::CauseKind;
use report::summary::{CauseCount, Domains, Outcomes, Traffic};

use super::*;
use crate::pages::plain;

const GOLDEN: &str = include_str!("golden.txt");

fn counts<const N: usize>(counts: [(CauseKind, u64); N]) -> Vec<CauseCount> {
    let counts = counts.map(|(cause, deliveries)| CauseCount { cause, deliveries });
    counts.into()
}

fn outcomes(dane: DaneFailures) -> Outcomes {
    Outcomes {
        traffic: Traffic {
            dane: 12_345,
            dane_host_only: 655,
            mta_sts: 4_000,
            encrypted: 7_900,
            clear: 100,
            failed: sum(&dane.returned),
            ..Traffic::default()
        },
        dane,
        ..Outcomes::default()
    }
}

/// A quiet month, one in which a provider forgot its records and somebody stripped STARTTLS, and one without mail.
fn protection() -> Protection {
    let dane = DaneFailures {
        stopped: counts([
            (CauseKind::TlsaNoMatch, 1_200),
            (CauseKind::StarttlsNotOffered, 3),
            (CauseKind::TlsaLookup, 1),
        ]),
        returned: counts([(CauseKind::TlsaNoMatch, 2)]),
        passed: counts([(CauseKind::DaneExpired, 1)]),
    };
    let busy = outcomes(dane);
    let month = |name: &str, outcomes: &Outcomes| Month {
        name: name.to_owned(),
        outcomes: outcomes.clone(),
    };
    let stopped = |domain: &str, cause, attempts, healed: bool| Stopped {
        domain: domain.to_owned(),
        failures: DaneFailures {
            stopped: counts([(cause, attempts)]),
            ..DaneFailures::default()
        },
        hosts: vec![format!("mx.{domain}")],
        last: "2026-10-17T08:00:00Z".parse().unwrap(),
        last_verified: healed.then(|| "2026-10-17T09:00:00Z".parse().unwrap()),
        healed,
    };
    Protection {
        period: Period {
            from: date(2026, 9, 1),
            to: date(2026, 11, 29),
        },
        total: busy.clone(),
        months: vec![
            month("2026-09", &outcomes(DaneFailures::default())),
            month("2026-10", &busy),
            month("2026-11", &Outcomes::default()),
        ],
        domains: Domains {
            all: 310,
            verified: 120,
            stopped: 45,
            healed: 44,
            worst: vec![
                stopped("big.example", CauseKind::TlsaNoMatch, 1_100, true),
                stopped("partner.example", CauseKind::StarttlsNotOffered, 3, false),
            ],
        },
        unreadable: 0,
    }
}

fn document(protection: &Protection) -> Document {
    let remarks = ["figures by domain and host are kept for 400 days (report.keep)".to_owned()];
    Page {
        relay: "relay.example",
        made: "2026-11-29T12:00:00Z".parse().unwrap(),
        protection,
        incidents: &[],
        remarks: &remarks,
    }
    .document()
}

/// To be renewed with `UPDATE_GOLDEN=1`, and read then.
#[test]
fn the_page_as_text() {
    let text = plain::text(&document(&protection()));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/commands/report/page/golden.txt");
        return std::fs::write(file, text).unwrap();
    }
    assert_eq!(text, GOLDEN);
    assert!(
        text.lines().all(|line| line.chars().count() <= 78),
        "a line is too long:\n{text}"
    );
}

#[test]
fn the_page_for_browsers_says_the_same_and_needs_nothing_else() {
    let page = document(&protection()).html();
    for words in [
        "<h1>What DANE did for our mail</h1>",
        "Content-Security-Policy",
        "<title>2026-10: 25\u{202f}002 deliveries; DANE 49.4\u{202f}%",
        "<title>2026-10: 1\u{202f}204 attempts; sent in clear text 3; sent over TLS",
        "<td>partner.example</td>",
    ] {
        assert!(page.contains(words), "{words} is not in {page}");
    }
    for word in ["<script", "http:", "https:", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(word), "{word} is in {page}");
    }
}

#[test]
fn where_nothing_happened_nothing_is_claimed() {
    let nothing = Protection {
        months: Vec::new(),
        total: Outcomes::default(),
        domains: Domains::default(),
        ..protection()
    };
    let text = plain::text(&document(&nothing));
    assert!(text.contains("There were no deliveries."), "{text}");
    assert!(text.contains("Nothing: DANE failed nowhere."), "{text}");
    assert!(!text.contains("Where it was stopped"), "{text}");
}
