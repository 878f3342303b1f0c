//! Gives each key values that it cannot accept: each error must name place, key, value and what is allowed, in plain
//! words.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;

use settings_file::FileError;

use super::load::parse;
use super::*;

/// Values of every kind that TOML has, and some that are not TOML at all. No key accepts all of them.
const VALUES: [&str; 14] = [
    "true",
    "-5",
    "7",
    "99999999999999999999",
    "7.5",
    "2027-01-31",
    "2027-1-31",
    "12:30:00",
    "\"no such thing\"",
    "unquoted",
    "127.0.0.1:25",
    "[[]]",
    "[7]",
    "{ wrong = 1 }",
];

/// Implementation details that an administrator must never see.
const INSIDES: [&str; 31] = [
    "invalid type",
    "invalid value",
    "invalid length",
    "expected a ",
    "expected one of",
    ", expected",
    "TOML parse error",
    "Some(",
    "None",
    "struct",
    "enum",
    "variant",
    "missing field",
    "unknown field",
    "i16",
    "i64",
    "u16",
    "u32",
    "u64",
    "usize",
    "nonzero",
    "boolean",
    "sequence",
    "string",
    "map",
    "floating",
    "socket address",
    "IP address syntax",
    "os error",
    "serde",
    "Datetime",
];

fn faults(text: &str) -> Vec<FileError> {
    match parse(Path::new("/etc/danerelay/danerelay.toml"), Some(text.to_owned())) {
        Ok(_) => Vec::new(),
        Err(ConfigError::Faults(faults)) => faults,
        Err(other) => panic!("{other}"),
    }
}

/// Every key with its table: `("delivery.timeouts", "rcpt")`.
fn keys() -> Vec<(&'static str, &'static str)> {
    let defaults = Config::default();
    defaults
        .rows()
        .iter()
        .map(|row| (row.place, row.key.name))
        .collect()
}

/// A file with this one line in its table, and the line's number.
fn file(table: &str, line: &str) -> (String, usize) {
    if table.is_empty() {
        (format!("{line}\n"), 1)
    } else {
        (format!("[{table}]\n{line}\n"), 2)
    }
}

fn dotted(table: &str, key: &str) -> String {
    if table.is_empty() {
        key.to_owned()
    } else {
        format!("{table}.{key}")
    }
}

fn assert_plain(message: &str) {
    for word in INSIDES {
        assert!(!message.contains(word), "{word:?} in: {message}");
    }
}

#[test]
fn every_key_says_what_it_takes() {
    for (table, key) in keys() {
        let mut refused = 0;
        for value in VALUES {
            let (text, line) = file(table, &format!("{key} = {value}"));
            let faults = faults(&text);
            let [fault] = faults.as_slice() else {
                assert!(faults.is_empty(), "{text}\n{faults:?}");
                continue;
            };
            refused += 1;
            let message = fault.to_string();
            assert_eq!(fault.line, line, "{text}{message}");
            let column = key.len() + 4;
            let places = [column, column + 1, column + 2, column + 4];
            assert!(
                places.contains(&fault.column) || message.contains("not available"),
                "{text}{message}"
            );
            let dotted = dotted(table, key);
            assert!(
                message.contains(&format!("`{dotted}`")) || message.contains("unknown key"),
                "{text}{message}"
            );
            assert!(
                message.contains("allowed") || message.contains("not available"),
                "{text}{message}"
            );
            assert_plain(&message);
        }
        assert!(refused >= 8, "{table} {key}: only {refused} refused");
    }
}

#[test]
fn what_has_no_value_is_told_what_it_takes() {
    for (table, key) in keys() {
        let (text, line) = file(table, &format!("{key} ="));
        let faults = faults(&text);
        assert_eq!(faults.len(), 1, "{text}{faults:?}");
        let message = faults[0].to_string();
        assert_eq!(faults[0].line, line, "{message}");
        assert!(
            message.contains(&format!("`{}` has no value; allowed: ", dotted(table, key))),
            "{message}"
        );
        assert_plain(&message);
    }
}

#[test]
fn every_misspelt_key_finds_its_neighbour() {
    for (table, key) in keys() {
        let (text, line) = file(table, &format!("{key}x = 1"));
        let faults = faults(&text);
        assert_eq!(faults.len(), 1, "{text}{faults:?}");
        assert_eq!((faults[0].line, faults[0].column), (line, 1), "{text}");
        let message = faults[0].to_string();
        assert!(
            message.contains(&format!("unknown key \"{key}x\", did you mean \"{key}\"?")),
            "{message}"
        );
        assert_plain(&message);
    }
}

#[test]
fn what_is_there_twice_names_the_first() {
    for row in Config::default().rows() {
        let (table, key) = (row.place, row.key.name);
        let line = format!("{key} = {}", row.value.written());
        let (text, first) = file(table, &format!("{line}\n# between\n{line}"));
        let faults = faults(&text);
        assert_eq!(faults.len(), 1, "{text}{faults:?}");
        assert_eq!((faults[0].line, faults[0].column), (first + 2, 1), "{text}");
        let message = faults[0].to_string();
        let words = format!(
            "`{}` is set twice; the first is in line {first}",
            dotted(table, key)
        );
        assert!(message.contains(&words), "{message}");
    }
    let tables = faults("[dns]\ntimeout = \"5s\"\n[log]\n[dns]\nmode = \"auto\"\n");
    let words = ":4:2: `dns` is set twice; the first is in line 1";
    assert!(tables[0].to_string().contains(words), "{tables:?}");
}

#[test]
fn every_wrong_member_of_a_list_is_named() {
    let faults = faults("[access]\nnetworks = [\"10.1.2.3/8\", \"10.0.0.0/8\", 7,\n  \"here\"]\n");
    let places: Vec<_> = faults.iter().map(|fault| (fault.line, fault.column)).collect();
    assert_eq!(places, [(2, 13), (2, 41), (3, 3)], "{faults:?}");
    let bits =
        "`access.networks` cannot be \"10.1.2.3/8\": bits are set behind the prefix: write \"10.0.0.0/8\"";
    assert!(faults[0].to_string().contains(bits), "{}", faults[0]);
}

#[test]
fn what_is_no_toml_is_said_in_plain_words() {
    for (text, place) in [
        ("[dns\nmode = \"auto\"", (1, 5)),
        ("hostname\n", (1, 9)),
        ("[listen]\nsmtp = [\"127.0.0.1:25\"\n\n[dns]\n", (4, 1)),
        ("hostname: relay.example\n", (1, 9)),
        ("hostname = \"relay.example\n", (1, 12)),
        ("= 5\n", (1, 1)),
        ("[]\n", (1, 2)),
        ("<html>\n<body>\n", (1, 1)),
        ("hostname == \"a.example\"\n", (1, 11)),
        ("[log]\nlevel = \"info\";\n", (2, 9)),
    ] {
        let faults = faults(text);
        let first = faults.first().unwrap_or_else(|| panic!("accepted: {text}"));
        assert_eq!((first.line, first.column), place, "{text}{first}");
        for fault in &faults {
            assert_plain(&fault.to_string());
        }
    }
}
