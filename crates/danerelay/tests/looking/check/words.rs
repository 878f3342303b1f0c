//! What people and programs read, word for word.

use std::fmt::Write as _;
use std::path::Path;

use super::*;

/// What differs from run to run, replaced by a word of the same kind.
fn settled(text: &str, port: u16) -> String {
    let mut out = String::new();
    let text = text.replace(&port.to_string(), "PORT");
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        let hex = rest
            .chars()
            .take_while(|c| matches!(c, '0'..='9' | 'a'..='f'))
            .count();
        let is_time = rest.starts_with("20") && rest.get(4..5) == Some("-") && rest.get(10..11) == Some("T");
        if is_time {
            out.push_str("TIME");
            rest = rest.split_once('Z').unwrap().1;
        } else if hex >= 8 {
            let _ = write!(out, "HEX{hex}");
            rest = rest.get(hex..).unwrap();
        } else {
            out.push(c);
            rest = rest.get(c.len_utf8()..).unwrap();
        }
    }
    out
}

fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/looking/check")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, known, "{name}: UPDATE_GOLDEN=1 writes it anew");
}

#[test]
fn people_and_programs_read_it_word_for_word() {
    let mut town = Town::new();
    town.usual("good.test", 1, &[]);
    let own = town.identity("mx.wrong.test");
    town.serve(2, Some(&own), &[]);
    town.domain("wrong.test", 2, &[format!("3 1 1 {}", "29c8601c".repeat(8))]);
    let end = town.check(&["good.test", "wrong.test"]);
    golden("report.txt", &settled(&end.stdout, town.port));
    let mut seen = String::new();
    for domain in ["good.test", "wrong.test"] {
        let (_, value) = town.seen(domain);
        let text = serde_json::to_string_pretty(&value).unwrap();
        // What is left of a TTL depends on the second.
        let lines = text.lines().map(|line| match line.split_once("\"ttl\": 35") {
            Some((indent, rest)) => format!(
                "{indent}\"ttl\": 3600{}",
                if rest.ends_with(',') { "," } else { "" }
            ),
            None => line.to_owned(),
        });
        for line in lines {
            let _ = writeln!(seen, "{line}");
        }
    }
    golden("report.json", &settled(&seen, town.port));
}
