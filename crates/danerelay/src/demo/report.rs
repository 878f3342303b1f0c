//! The tour as text for people, or as JSON, one object per scene.

use std::io::{self, Write};

use serde_json::json;

use super::error::DemoError;
use super::files::{CONFIGURATION, LOG, POLICY};
use super::layout::{command, delivery_line, paragraph};
use super::log::DeliveryLine;
use super::relay::Relay;
use super::scenes::{Arrival, Scene};
use super::stage::Stage;

/// The result of one message.
pub(super) struct Performance {
    /// The delivery line of its first attempt.
    pub(super) line: DeliveryLine,
    /// What the receiving servers got of it.
    pub(super) arrival: Arrival,
    /// Whether a sender who should be told about a failure was told.
    pub(super) told: bool,
}
use crate::json;
use crate::terminal::{Palette, Style};

/// Writes the tour to standard output.
pub(super) struct Report {
    json: bool,
    palette: Palette,
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        Self {
            json,
            palette: Palette::for_stdout(),
        }
    }

    pub(super) fn opening(&self, stage: &Stage, relay: &Relay) -> Result<(), DemoError> {
        self.text(&format!(
            "danerelay {version}: a guided tour\n\n{}\n",
            paragraph(&format!(
                "A private signed DNS tree answers on {dns}; receiving servers with and without faults listen on port \
                 {port}; the relay accepts mail on {relay} and validates every answer up to the tree's own trust \
                 anchor. Each message below goes the whole way: SMTP to the relay, its queue on disk, DNSSEC, DANE, TLS.",
                dns = stage.world.address(),
                port = stage.port,
                relay = relay.address(),
            )),
            version = env!("CARGO_PKG_VERSION"),
        ))
    }

    /// Reports one scene; true if it had the expected outcome.
    pub(super) fn scene(
        &self,
        number: usize,
        scene: &Scene,
        performance: &Performance,
    ) -> Result<bool, DemoError> {
        let good = comes_to_its_end(scene, performance);
        if self.json {
            let line = json::line(&object(number, scene, performance));
            let line = line.map_err(|error| DemoError::Output(error.into()))?;
            write(&format!("{line}\n"))?;
            return Ok(good);
        }
        let verdict = match (good, performance.arrival) {
            (true, Arrival::Whole) => "✓ as expected: delivered, octet for octet",
            (true, Arrival::Changed | Arrival::Nowhere) => "✓ as expected: the server got nothing",
            (false, _) => "✗ NOT as expected",
        };
        let style = if good { Style::Green } else { Style::Red };
        let title = format!("{number:2}. {}: {}", scene.title, scene.recipient());
        self.text(&format!(
            "\n{title}\n{explanation}\n\n{line}\n\n    {verdict}\n",
            title = self.palette.style(&title, Style::Bold),
            explanation = paragraph(scene.explanation),
            line = delivery_line(&performance.line.text, self.palette),
            verdict = self.palette.style(verdict, style),
        ))?;
        if !good {
            self.text(&format!(
                "      expected: status={} dane={}\n",
                scene.expected.status,
                scene.expected.dane.unwrap_or("-")
            ))?;
        }
        Ok(good)
    }

    pub(super) fn closing(&self, scenes: usize, failed: usize) -> Result<(), DemoError> {
        self.text(&match failed {
            0 => format!("\nAll {scenes} messages came to the expected end.\n"),
            failed => format!("\n{failed} of {scenes} messages did NOT come to the expected end.\n"),
        })
    }

    /// Prints the commands that can be used while everything keeps running.
    pub(super) fn how_to_talk(&self, stage: &Stage, relay: &Relay) -> Result<(), DemoError> {
        let [configuration, log, policy] =
            [CONFIGURATION, LOG, POLICY].map(|name| relay.file(name).display().to_string());
        let program = relay.program().display().to_string();
        let ask = |words: &[&str]| command(&[&[&*program], &["-c", &*configuration], words]);
        let talk = format!(
            "\nEverything keeps running until Ctrl-C. What to type in another terminal:\n\n\
             Send a message to a domain of the tour, and see what becomes of it:\n{send}\n\
             Look a record up as the relay does:\n{dns}\n\
             Ask what the relay would do with a message, and why:\n{explain}\n\
             See what waits in the queue:\n{queue}\n\
             Follow the log:\n{log}\n\
             Have the relay read its policy again, after a change to\n    {policy}\n{reload}\n\n\
             Any mail client may send through it, to {address}.\n",
            send = ask(&["demo", "send", "you@good.demo"]),
            dns = ask(&["dns", &format!("_{}._tcp.mx1.good.demo", stage.port), "TLSA"]),
            explain = ask(&["explain", "--connect", "wrong.demo"]),
            queue = ask(&["queue", "list"]),
            log = command(&[&["tail", "-f", &log]]),
            reload = ask(&["reload"]),
            address = relay.address(),
        );
        if self.json {
            // Standard output has only JSON objects.
            return io::stderr().write_all(talk.as_bytes()).map_err(DemoError::Output);
        }
        write(&talk)
    }

    fn text(&self, text: &str) -> Result<(), DemoError> {
        if self.json { Ok(()) } else { write(text) }
    }
}

fn object(number: usize, scene: &Scene, performance: &Performance) -> serde_json::Value {
    let line = &performance.line;
    json!({
        "scene": number,
        "title": scene.title,
        "recipient": scene.recipient(),
        "expected": {"status": scene.expected.status, "dane": scene.expected.dane},
        "status": line.field("status"),
        "dane": line.field("dane"),
        "arrived": performance.arrival != Arrival::Nowhere,
        "as_expected": comes_to_its_end(scene, performance),
        "line": line.text,
    })
}

fn comes_to_its_end(scene: &Scene, performance: &Performance) -> bool {
    let expected = &scene.expected;
    let dane = match (expected.dane, performance.line.field("dane")) {
        (Some(expected), Some(dane)) => dane.starts_with(expected),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    dane && performance.told
        && performance.line.field("status") == Some(expected.status)
        && performance.arrival == expected.arrival
}

/// Writes to standard output at once, so that each scene is seen when it is over. Text from other sources has already
/// been escaped, and our own colours are kept.
pub(super) fn write(text: &str) -> Result<(), DemoError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(DemoError::Output)
}
