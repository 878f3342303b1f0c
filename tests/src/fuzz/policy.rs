//! Policy files and lists of domains.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use jiff::civil::{Date, date};
use mail::{Domain, NextHop};
use policy::list::{BAD_LINES_KEPT, DomainList};
use policy::settings::{DaneMode, ModeSource};
use policy::{Policy, PolicyError, Sources, Text, Warning};

const TODAY: Date = date(2026, 11, 22);

/// A refused file says where and why in one line per error; one that compiles has an answer for every destination, and only
/// an exception can undo what a strict list demands.
pub fn policy_file(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    let lines = text.lines().count() + 1;
    for (policy, added) in [(&*text, None), ("version = 1\n", Some(&*text))] {
        match compile(policy, added) {
            Ok((policy, warnings)) => {
                for warning in warnings {
                    one_line(&warning.to_string());
                    assert!(warning.line >= 1);
                }
                answers(&policy, &text);
            }
            Err(error) => {
                assert!(!error.errors.is_empty());
                for error in error.errors {
                    one_line(&error.to_string());
                    assert!((1..=lines).contains(&error.line) && error.column >= 1, "{error}");
                }
            }
        }
    }
}

fn compile(policy: &str, added: Option<&str>) -> Result<(Policy, Vec<Warning>), PolicyError> {
    let read = |path: &Path| match path.extension() {
        Some(_) => Ok("a.example\nbad line\nb.example # twice\nb.example\n".to_owned()),
        None => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    let file = Path::new("conf/policy.toml");
    Policy::compile(&Sources {
        policy: Text { file, text: policy },
        added: added.map(|text| Text {
            file: Path::new("conf/added.toml"),
            text,
        }),
        read: &read,
        fetched: &|_| policy::Fetched::Never(policy::Missing::Refused),
        read_login: &read,
        today: TODAY,
    })
}

fn one_line(text: &str) {
    assert!(!text.contains(['\r', '\n']), "{text:?}");
}

/// Asks about every name in the text, and one below it.
fn answers(policy: &Policy, text: &str) {
    let words = text.split(|c: char| c.is_whitespace() || "\"'[]=,".contains(c));
    let names = words.flat_map(|word| [word.to_owned(), format!("below.{word}")]);
    for domain in names.filter_map(|name| Domain::parse(&name).ok()) {
        let next_hop = NextHop::Domain {
            domain: domain.clone(),
            port: None,
        };
        let destination = policy.for_destination(&next_hop, TODAY);
        let strict = policy
            .lists()
            .iter()
            .find(|list| list.dane == DaneMode::Strict && list.names.line_of(&domain).is_some());
        let excepted =
            matches!(destination.dane_source, ModeSource::Exception(ref entry) if entry.until >= TODAY);
        if strict.is_some() && !excepted {
            assert_eq!(destination.dane, DaneMode::Strict, "{domain}");
        }
        let host = policy.for_mx_host(&destination, &domain, TODAY);
        if host.dane != destination.dane {
            assert!(matches!(host.dane_source, ModeSource::Exception(ref entry) if entry.until >= TODAY));
        }
    }
    for anchor in policy.negative_trust_anchors(TODAY) {
        assert!(anchor.entry.until >= TODAY);
    }
}

/// A list has exactly the names that are written in it, each on the first line that has it.
pub fn policy_list(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    let (list, bad) = DomainList::parse("a.list", &text);
    let mut first_lines: HashMap<Domain, usize> = HashMap::new();
    let mut entries = Vec::new();
    let mut bad_lines = Vec::new();
    for (number, line) in (1..).zip(text.strip_prefix('\u{feff}').unwrap_or(&text).lines()) {
        let name = line.split_once('#').map_or(line, |(name, _)| name).trim();
        match Domain::parse(name) {
            _ if name.is_empty() => {}
            Ok(domain) => {
                first_lines.entry(domain.clone()).or_insert(number);
                entries.push((domain, number));
            }
            Err(_) => bad_lines.push(number),
        }
    }
    let found: Vec<_> = list.iter().collect();
    let expected: Vec<_> = entries
        .iter()
        .map(|(name, line)| (name.as_str(), *line))
        .collect();
    assert_eq!(found, expected);
    assert_eq!((list.len(), list.is_empty()), (entries.len(), entries.is_empty()));
    assert_eq!(bad.first.len() + bad.more, bad_lines.len());
    let named: Vec<_> = bad.first.iter().map(|bad| bad.line).collect();
    assert_eq!(named, bad_lines[..bad_lines.len().min(BAD_LINES_KEPT)]);
    for domain in first_lines.keys() {
        let near = [
            Some(domain.clone()),
            domain.parent(),
            Domain::parse(&format!("below.{domain}")).ok(),
        ];
        for domain in near.into_iter().flatten() {
            assert_eq!(
                list.line_of(&domain),
                first_lines.get(&domain).copied(),
                "{domain}"
            );
        }
    }
}
