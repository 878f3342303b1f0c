//! What is generated from the table of keys: the template, and the table in `docs/configuration.md`. After an intended
//! change, `UPDATE_GOLDEN=1 cargo test -p danerelay config` writes both again.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fmt::Write as _;
use std::path::Path;

use settings_file::Fault;

use super::key::{Change, Function, Row, Section};
use super::*;

fn compare(path: &str, now: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, now).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(kept, now, "{}", path.display());
}

#[test]
fn the_file_in_config_is_the_template() {
    compare("config/danerelay.toml", &template());
}

#[test]
fn the_documented_keys_are_those_of_the_table() {
    let path = "docs/configuration.md";
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    let kept = std::fs::read_to_string(full).unwrap_or_default();
    let (introduction, _) = kept.split_once("\n## ").unwrap_or((&kept, ""));
    let mut text = format!("{}\n", introduction.trim_end());
    document(&mut text, &Config::default());
    compare(path, &text);
}

fn document(text: &mut String, section: &dyn Section) {
    let place = section.place();
    let heading = if place.is_empty() {
        "At the top".to_owned()
    } else {
        format!("`[{place}]`")
    };
    let _ = writeln!(text, "\n## {heading}\n");
    if !place.is_empty() {
        let _ = writeln!(text, "{}\n", prose(section.about()));
    }
    text.push_str("| Key | Default | Default from | Allowed | A change takes effect | Meaning |\n");
    text.push_str("|---|---|---|---|---|---|\n");
    for (key, value) in section.own() {
        let row = Row { place, key, value };
        let cells = [
            format!("`{}`", key.name),
            format!("`{}`", value.written()),
            key.origin.to_owned(),
            allowed(&row),
            takes_effect(&row).to_owned(),
            prose(key.comment),
        ];
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    for below in section.below() {
        document(text, below);
    }
}

fn prose(lines: &[&str]) -> String {
    let words: Vec<&str> = lines.iter().flat_map(|line| line.split_whitespace()).collect();
    words.join(" ")
}

fn takes_effect(row: &Row<'_>) -> &'static str {
    match (row.key.rule.function, row.key.rule.change) {
        (Function::Available, Change::Reload) => "with a reload",
        (Function::Available, Change::Restart) => "with a restart",
        (Function::Later, _) => "not in this version: a warning",
    }
}

/// What the reader says if there is no value.
fn allowed(row: &Row<'_>) -> String {
    let text = match row.place {
        "" => format!("{} =\n", row.key.name),
        place => format!("[{place}]\n{} =\n", row.key.name),
    };
    let reading = settings_file::read::<Config>("", &text);
    let [fault] = reading.faults.as_slice() else {
        panic!("{text}: {:?}", reading.faults)
    };
    let allowed = match &fault.fault {
        Fault::Form { allowed, .. } => allowed.clone(),
        Fault::UnknownWord { allowed, .. } => {
            let words: Vec<String> = allowed.iter().map(|word| format!("{word:?}")).collect();
            words.join(", ")
        }
        other => panic!("{text}: {other}"),
    };
    row.key.rule.allowed(&allowed)
}
