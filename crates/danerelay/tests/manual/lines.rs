//! Lines of the log in the manual are as the log writes them.

use std::time::Duration;

use mail::Event;
use mail::event::admin::{Admin, Done};
use mail::event::delivery::{DestinationHeldUp, HeldUp};
use mail::event::trace::{StepKind, TraceStep};

use crate::pages;

const ALICE: &str = "alice (uid 1000, pid 4711)";

#[test]
fn lines_of_the_log_are_as_it_writes_them() {
    let shown = [
        ("docs/log.md", vec![step()]),
        (
            "docs/queue.md",
            destinations().into_iter().chain(acts()).collect(),
        ),
    ];
    for (path, events) in shown {
        let page = pages::page(path);
        let blocks = page.blocks();
        let lines = blocks.iter().flat_map(|block| block.text.lines());
        let lines: Vec<&str> = lines.filter(|line| line.contains(", event=")).collect();
        let written: Vec<String> = events.iter().map(Event::to_text).collect();
        assert_eq!(lines, written, "{path}");
    }
}

fn step() -> Event {
    Event::Trace(TraceStep {
        id: Some("01M8JF23G438167K9RY3R6EQK9".parse().unwrap()),
        next_hop: "example.nl".to_owned(),
        host: Some("mx1.example.nl [192.0.2.25]".to_owned()),
        at: Duration::from_millis(31),
        step: StepKind::Server,
        text: "220 mx1.example.nl ESMTP".to_owned(),
    })
}

fn destinations() -> [Event; 3] {
    let held_up = |next_hop: &str, how, limit| DestinationHeldUp {
        next_hop: next_hop.to_owned(),
        how,
        limit,
        refused: 0,
        not_tried: 0,
        waiting: 0,
        reason: None,
    };
    let limited = DestinationHeldUp {
        refused: 2,
        waiting: 97,
        ..held_up("example.org", HeldUp::Limited, 3)
    };
    let paced = DestinationHeldUp {
        waiting: 240,
        ..held_up("example.com", HeldUp::Paced, 5)
    };
    let failing = DestinationHeldUp {
        not_tried: 40,
        waiting: 812,
        reason: Some("not tried, because …".to_owned()),
        ..held_up("example.net", HeldUp::Failing, 1)
    };
    [limited, paced, failing].map(Event::DestinationHeldUp)
}

fn acts() -> [Event; 3] {
    let id = "01M81C4RVPQMQQMXH66PVHD2HQ";
    let acted = |action, selector: String, (messages, done, leased)| Admin::Acted {
        action,
        by: ALICE.to_owned(),
        selector,
        done: Done {
            messages,
            done,
            leased,
            unsuitable: 0,
        },
        trouble: None,
    };
    [
        acted("hold", "--recipient-domain example.nl".to_owned(), (2, 3, 1)),
        Admin::Deleted {
            id: id.parse().unwrap(),
            by: ALICE.to_owned(),
        },
        acted("delete", format!("--id {id}"), (1, 1, 0)),
    ]
    .map(Event::Admin)
}
