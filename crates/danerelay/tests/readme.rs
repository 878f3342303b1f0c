//! What the README and the pages on the queue and on reports show is what the program prints.
//!
//! Their blocks that begin with `$ danerelay` are run beside a demonstration and compared, but for ids, times, dates,
//! ports, digests and line breaks. `[…]` stands for what a sample leaves out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use common::demo::Demo;
use common::pem::pem;
use jiff::Timestamp;
use jiff::civil::Date;
use testworld::mail::Ca;

const README: &str = include_str!("../../../README.md");
const QUEUE: &str = include_str!("../../../docs/queue.md");
const REPORT: &str = include_str!("../../../docs/report.md");
const TESTS: &str = include_str!("../../../tests/run");
/// What a sample leaves out.
const LEFT_OUT: &str = "[…]";

/// A command as the README shows it, and what it prints.
#[derive(Debug)]
struct Sample {
    arguments: Vec<&'static str>,
    output: String,
}

/// The blocks between fences.
fn blocks() -> impl Iterator<Item = &'static str> {
    let pages = [README, QUEUE, REPORT].into_iter();
    let blocks = pages.flat_map(|page| page.split("```").skip(1).step_by(2));
    blocks.map(|block| {
        let (_language, text) = block.split_once('\n').unwrap();
        text
    })
}

fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = Vec::new();
    for block in blocks().filter(|block| block.starts_with("$ danerelay ")) {
        for line in block.lines() {
            if let Some(command) = line.strip_prefix("$ danerelay ") {
                samples.push(Sample {
                    arguments: command.split(' ').collect(),
                    output: String::new(),
                });
            } else {
                let sample = samples.last_mut().unwrap();
                sample.output.push_str(line);
                sample.output.push('\n');
            }
        }
    }
    samples
}

#[test]
fn samples_are_what_is_printed() {
    let demo = Demo::kept();
    let tour = demo.seen.clone();
    let configuration = demo.configuration();
    let place = tempfile::tempdir().unwrap();
    let certificate = Ca::new("Example CA")
        .unwrap()
        .issue(&["mx1.example.org"])
        .unwrap();
    fs::write(place.path().join("cert.pem"), pem(&certificate.chain()[0])).unwrap();
    let samples = samples();
    assert!(samples.len() >= 3, "{samples:?}");
    for sample in samples {
        let printed = if sample.arguments == ["demo"] {
            tour.clone()
        } else {
            print(&sample.arguments, &configuration, place.path())
        };
        compare(
            &sample,
            &printed.replace(
                configuration.parent().unwrap().to_str().unwrap(),
                "/etc/danerelay",
            ),
        );
    }
    demo.stop();
}

fn print(arguments: &[&str], configuration: &Path, place: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_danerelay"))
        .arg("-c")
        .arg(configuration)
        .args(arguments)
        .current_dir(place)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|octets| String::from_utf8(octets).unwrap());
    said.concat()
}

/// Each part of the sample, in order, is in what is printed.
fn compare(sample: &Sample, printed: &str) {
    let actual = normalised(printed);
    let mut rest = &actual[..];
    let parts: Vec<&str> = sample.output.split(LEFT_OUT).collect();
    for part in &parts {
        let part = normalised(part);
        let Some(place) = rest.find(&part) else {
            panic!(
                "the sample of `danerelay {}` has\n{part}\nand what is printed is\n{printed}\n(compared as {actual})",
                sample.arguments.join(" ")
            );
        };
        assert!(
            parts.len() > 1 || rest.len() == part.len(),
            "more is printed:\n{printed}"
        );
        rest = &rest[place + part.len()..];
    }
}

/// The words, with the same in the place of whatever differs each time.
fn normalised(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let word = match words.last().map(String::as_str) {
            Some("port") => "#".to_owned(),
            _ => normalised_word(word),
        };
        words.push(word);
    }
    words.join(" ")
}

fn normalised_word(word: &str) -> String {
    let bare = word.trim_end_matches([',', ';', '.']);
    let tail = &word[bare.len()..];
    for key in ["id=", "port=", "delay=", "delays=", "size=", "next="] {
        if bare.starts_with(key) {
            return format!("{key}#{tail}");
        }
    }
    if let Ok(address) = bare.parse::<SocketAddr>() {
        return format!("{}:#{tail}", address.ip());
    }
    let is_id = bare.len() == 26 && bare.chars().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase());
    let digest = bare.trim_end_matches(['…', '"']);
    let is_digest = [8, 64].contains(&digest.len()) && digest.chars().all(|c| c.is_ascii_hexdigit());
    let is_time = bare.parse::<Timestamp>().is_ok() || digest.parse::<Date>().is_ok();
    if is_id || is_digest || is_time {
        return format!("#{tail}");
    }
    word.to_owned()
}

/// What the README quotes of the end of `tests/run` is what the script can print.
#[test]
fn the_checks_have_as_many_steps_as_is_said() {
    assert!(TESTS.contains("all %d steps passed"));
    let steps = TESTS.lines().filter(|line| line.starts_with("step \"")).count();
    let quoted = format!("`all {steps} steps passed`");
    assert!(README.contains(&quoted), "{quoted}");
}
