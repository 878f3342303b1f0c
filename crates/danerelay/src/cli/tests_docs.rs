//! Every command line in the manual is accepted.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap::error::ErrorKind;

use super::Cli;

/// What stands for words like these.
const MEANT: [(&str, &str); 14] = [
    ("ADDRESS", "info@example.nl"),
    ("ADDRESS-OR-DOMAIN", "example.nl"),
    ("CERT", "cert.pem"),
    ("DATE", "2027-01-31"),
    ("DIR", "directory"),
    ("DOMAIN", "example.nl"),
    ("FILE", "file"),
    ("HOST", "mx1.example.nl"),
    ("ID", "01M8KX9D7T2GNX5A7GFY2B625Y"),
    ("LIST", "list"),
    ("N", "7"),
    ("NAME", "example.nl"),
    ("SHELL", "bash"),
    ("TYPE", "MX"),
];

/// What a command line leaves out.
const LEFT_OUT: &str = "…";

/// The README and all pages below `docs/`.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pages = vec![root.join("README.md")];
    for directory in ["docs", "docs/conformance"] {
        let entries = fs::read_dir(root.join(directory)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        pages.extend(paths.filter(|path| path.extension().is_some_and(|end| end == "md")));
    }
    pages
}

/// The command lines of a page: in blocks those that are whole, elsewhere those in backticks, which may leave out what is
/// needed.
fn lines(text: &str) -> Vec<(String, bool)> {
    let mut lines = Vec::new();
    let mut is_block = false;
    for line in text.lines() {
        if line.starts_with("```") {
            is_block = !is_block;
        } else if is_block {
            let line = line
                .trim_start_matches("$ ")
                .trim_start_matches("sudo -u danerelay ");
            for part in line.split("&& ").filter(|part| part.starts_with("danerelay ")) {
                // A comment behind it, or columns of a list.
                let part = part.split(" #").next().unwrap_or(part);
                let part = part.split("   ").next().unwrap_or(part);
                lines.push((part.to_owned(), true));
            }
        } else {
            let code = line.split('`').skip(1).step_by(2);
            let code = code.map(|code| code.trim_start_matches("sudo -u danerelay "));
            lines.extend(
                code.filter(|code| code.starts_with("danerelay "))
                    .map(|code| (code.to_owned(), false)),
            );
        }
    }
    lines
}

/// As a shell splits it, with what is meant in the place of words that stand for something.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (number, part) in line.split('"').enumerate() {
        if number % 2 == 1 {
            words.push(part.to_owned());
            continue;
        }
        for word in part.split_whitespace().take_while(|word| *word != ">") {
            let word = word.trim_matches(['[', ']']);
            // `DOMAIN…`: one, or more of them.
            let word = if word == LEFT_OUT {
                word
            } else {
                word.trim_end_matches(LEFT_OUT)
            };
            let meant = MEANT.iter().find(|(stands, _)| *stands == word);
            words.push(meant.map_or(word, |(_, meant)| meant).to_owned());
        }
    }
    words
}

#[test]
fn every_command_line_in_the_manual_is_accepted() {
    let mut seen = 0;
    let mut faults = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for (line, is_whole) in lines(&text) {
            let mut words = words(&line);
            // What is left out.
            if let Some(end) = words.iter().position(|word| word == LEFT_OUT) {
                words.truncate(end);
            }
            seen += 1;
            let Err(error) = Cli::command().try_get_matches_from(&words) else {
                continue;
            };
            let is_incomplete = matches!(
                error.kind(),
                ErrorKind::MissingRequiredArgument
                    | ErrorKind::MissingSubcommand
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                    | ErrorKind::InvalidValue
                    | ErrorKind::TooFewValues
            );
            let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            if !(is_help || is_incomplete && (!is_whole || line.contains(LEFT_OUT))) {
                faults.push(format!("{}: {line}: {error}", page.display()));
            }
        }
    }
    assert!(seen > 80, "{seen}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Every command has its row on the page that lists them.
#[test]
fn every_command_is_listed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/commands.md")).unwrap();
    let rows: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| `danerelay "))
        .collect();
    for command in Cli::command().get_subcommands() {
        let name = command.get_name();
        let full = format!("| `danerelay {name}");
        let own: Vec<&&str> = rows.iter().filter(|row| row.starts_with(&full)).collect();
        assert!(!own.is_empty(), "{name} has no row");
        for inner in command.get_subcommands() {
            let inner = inner.get_name();
            let is_there = own.iter().any(|row| {
                row.split('`')
                    .skip(1)
                    .step_by(2)
                    .any(|code| code.split(' ').any(|word| word == inner))
            });
            assert!(is_there, "{name} {inner} is in no row of {name}");
        }
    }
}
