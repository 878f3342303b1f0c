//! The tour as a person reads it, or as JSON, one object a scene.

use std::io::{self, Write};

use mail::printable::PrintableLines;
use serde_json::json;

use super::Performance;
use super::error::DemoError;
use super::relay::Relay;
use super::scenes::Scene;
use super::stage::{Arrival, Stage};
use crate::json;

/// Columns of running text.
const WIDTH: usize = 96;

/// Writes the tour to standard output.
pub(super) struct Report {
    json: bool,
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(super) fn opening(&self, stage: &Stage, relay: &Relay) -> Result<(), DemoError> {
        self.text(&format!(
            "danerelay {version}: a guided tour\n\n{}\n",
            fill(&format!(
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

    /// Reports one scene; true if it came to the expected end.
    pub(super) fn scene(
        &self,
        number: usize,
        scene: &Scene,
        performance: &Performance,
    ) -> Result<bool, DemoError> {
        let good = comes_to_its_end(scene, performance);
        if self.json {
            let line = &performance.line;
            let object = json!({
                "scene": number,
                "title": scene.title,
                "recipient": scene.recipient(),
                "expected": {"status": scene.expected.status, "dane": scene.expected.dane},
                "status": line.field("status"),
                "dane": line.field("dane"),
                "arrived": performance.arrival != Arrival::Nowhere,
                "as_expected": good,
                "line": line.text,
            });
            let line = json::line(&object).map_err(|error| DemoError::Output(error.into()))?;
            write(&format!("{line}\n"))?;
            return Ok(good);
        }
        let verdict = match (good, performance.arrival) {
            (true, Arrival::Whole) => "as it must be: delivered, octet for octet",
            (true, Arrival::Changed | Arrival::Nowhere) => "as it must be: the server got nothing",
            (false, _) => "NOT as it must be",
        };
        let mark = if good { '✓' } else { '✗' };
        self.text(&format!(
            "\n{number:2}. {title}: {recipient}\n{explanation}\n\n    {line}\n\n    {mark} {verdict}\n",
            title = scene.title,
            recipient = scene.recipient(),
            explanation = fill(scene.explanation),
            line = performance.line.text,
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

    pub(super) fn how_to_talk(&self, stage: &Stage, relay: &Relay) -> Result<(), DemoError> {
        let configuration = relay.configuration();
        let talk = format!(
            "\nEverything keeps running until Ctrl-C. To talk to it:\n\n\
             \x20 send a message   swaks --server {address} --from me@origin.demo --to example@good.demo\n\
             \x20 see the queue    danerelay --config {configuration} queue list\n\
             \x20 follow the log   tail -f {log}\n\
             \x20 ask the DNS      dig @{dns_ip} -p {dns_port} +dnssec _{port}._tcp.mx1.good.demo TLSA\n\
             \x20 change a rule    edit {policy} and send SIGHUP to the relay\n",
            address = relay.address(),
            configuration = configuration.display(),
            log = relay.log_file().display(),
            dns_ip = stage.world.address().ip(),
            dns_port = stage.world.address().port(),
            port = stage.port,
            policy = configuration.with_file_name("policy.toml").display(),
        );
        if self.json {
            // The objects on standard output stay whole.
            return writeln!(io::stderr(), "{talk}").map_err(DemoError::Output);
        }
        write(&talk)
    }

    fn text(&self, text: &str) -> Result<(), DemoError> {
        if self.json { Ok(()) } else { write(text) }
    }
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

fn write(text: &str) -> Result<(), DemoError> {
    let mut out = io::stdout().lock();
    write!(out, "{}", PrintableLines(text))
        .and_then(|()| out.flush())
        .map_err(DemoError::Output)
}

/// Running text in lines of at most [`WIDTH`] columns, indented by four.
fn fill(text: &str) -> String {
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column == 0 {
            lines.push_str("    ");
            column = 4;
        } else if column + 1 + length > WIDTH {
            lines.push_str("\n    ");
            column = 4;
        } else {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
    }
    lines
}
