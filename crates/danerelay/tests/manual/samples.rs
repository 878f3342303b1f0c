//! What the manual shows commands to print is what they print.
//!
//! The blocks that begin with `$ danerelay` are run beside a demonstration and compared, but for ids, times, dates,
//! durations, ports, digests and line breaks. `[…]` stands for what a sample leaves out.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use jiff::civil::Date;
use testworld::mail::Ca;

use crate::common::demo::Demo;
use crate::common::pem::pem;
use crate::pages;

/// The pages whose samples are of the demonstration. Others have tests of their own.
const PAGES: [&str; 8] = [
    "README.md",
    "docs/check.md",
    "docs/commands.md",
    "docs/how-it-decides.md",
    "docs/incidents.md",
    "docs/queue.md",
    "docs/report.md",
    "docs/troubleshooting.md",
];
/// What a sample leaves out.
const LEFT_OUT: &str = "[…]";

/// A command as a page shows it, and what it prints.
#[derive(Debug)]
struct Sample {
    arguments: Vec<String>,
    output: String,
}

fn samples(page: &str) -> Vec<Sample> {
    let mut samples: Vec<Sample> = Vec::new();
    for block in pages::page(page).blocks() {
        if !block.text.starts_with("$ danerelay ") {
            continue;
        }
        for line in block.text.lines() {
            if let Some(command) = line.strip_prefix("$ danerelay ") {
                samples.push(Sample {
                    arguments: command.split(' ').map(str::to_owned).collect(),
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
    let mut samples: Vec<Sample> = PAGES.into_iter().flat_map(samples).collect();
    samples.push(delivery_line());
    assert!(samples.len() >= 11, "{samples:?}");
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

/// The line of the log that the page about it begins with: a part of what the tour prints.
fn delivery_line() -> Sample {
    let page = pages::page("docs/log.md");
    let line = &page.blocks()[0].text;
    Sample {
        arguments: vec!["demo".to_owned()],
        output: format!("{LEFT_OUT}{line}{LEFT_OUT}"),
    }
}

fn print(arguments: &[String], configuration: &Path, place: &Path) -> String {
    let output = danerelay(configuration, place).args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].map(|octets| String::from_utf8(octets).unwrap());
    said.concat()
}

fn danerelay(configuration: &Path, place: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_danerelay"));
    command
        .arg("-c")
        .arg(configuration)
        .current_dir(place)
        .stdin(Stdio::null());
    command
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
            // `1m 38s`.
            Some(DURATION) if is_duration(word) => continue,
            _ => normalised_word(word),
        };
        words.push(word);
    }
    words.join(" ")
}

/// What a duration becomes, whatever it is made of.
const DURATION: &str = "#s";

/// `38s`, or a part of a longer one.
fn is_duration(word: &str) -> bool {
    let number = word.trim_end_matches(['d', 'h', 'm', 's']);
    number.len() + 1 == word.len() && number.parse::<u64>().is_ok()
}

fn normalised_word(word: &str) -> String {
    if is_duration(word) {
        return DURATION.to_owned();
    }
    if let Some((port, name)) = word.strip_prefix('_').and_then(|rest| rest.split_once('.'))
        && port.parse::<u16>().is_ok()
    {
        return format!("_#.{name}");
    }
    let bare = word.trim_end_matches([',', ';', '.', ')']);
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

/// A table of Postfix, as the page on migration shows it, and what becomes of it.
#[test]
fn a_postfix_table_is_imported_as_shown() {
    let page = pages::page("docs/from-postfix.md");
    let blocks = page.blocks();
    let begins = |start: &'static str| {
        let found = blocks.iter().find(|block| block.text.starts_with(start));
        &found
            .unwrap_or_else(|| panic!("no block begins with {start}"))
            .text
    };
    let table = begins("# /etc/postfix/tls_policy");
    let command = "$ danerelay danefail import /etc/postfix/tls_policy\n";
    let shown = begins(command).strip_prefix(command).unwrap();
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("tls_policy"), table).unwrap();
    fs::create_dir(place.path().join("state")).unwrap();
    let configuration = place.path().join("danerelay.toml");
    fs::write(
        &configuration,
        "version = 1\nstate_directory = \"state\"\n[admin]\nsocket = \"\"\n",
    )
    .unwrap();
    let output = danerelay(&configuration, place.path())
        .args(["danefail", "import", "tls_policy"])
        .output()
        .unwrap();
    // What is weaker than in Postfix is named first, on standard error, and is the exit status.
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = [output.stderr, output.stdout].map(|octets| String::from_utf8(octets).unwrap());
    let no_relay = "danerelay: no relay runs with this configuration; it takes effect when one starts\n";
    assert_eq!(said.concat().replace(no_relay, ""), shown);
}

/// What the README quotes of the end of `tests/run` is what the script can print.
#[test]
fn the_checks_have_as_many_steps_as_is_said() {
    let script = fs::read_to_string(pages::root().join("tests/run")).unwrap();
    assert!(script.contains("all %d steps passed"));
    let steps = script.lines().filter(|line| line.starts_with("step \"")).count();
    let quoted = format!("`all {steps} steps passed`");
    assert!(pages::page("README.md").text.contains(&quoted), "{quoted}");
}
