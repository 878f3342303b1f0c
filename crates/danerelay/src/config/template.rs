//! The commented file with every key at its default, and the settings in force, each with its origin.

use std::fmt::Write as _;

use super::key::{Function, Key, Row, Section, Setting};
use super::loaded::Loaded;
use super::schema::Config;

const RULE: &str = "# ---------------------------------------------------------------------------------------------------------------------";

/// The key that every file should have: it alone is set in the template.
const VERSION: &str = "version";

/// Writes the commented configuration file with every key at its default.
pub(crate) fn template() -> String {
    let mut text = String::new();
    write_section(&mut text, &Config::default());
    text
}

fn write_section(text: &mut String, section: &dyn Section) {
    let place = section.place();
    if !place.is_empty() {
        let is_within = place.contains('.');
        text.push('\n');
        if !is_within {
            let _ = writeln!(text, "{RULE}");
        }
        let _ = writeln!(text, "[{place}]");
    }
    for line in section.about() {
        let _ = writeln!(text, "#{line}");
    }
    for (key, value) in section.own() {
        write_key(text, key, value);
    }
    for below in section.below() {
        write_section(text, below);
    }
}

fn write_key(text: &mut String, key: &Key, value: &dyn Setting) {
    let value = value.written();
    let name = key.name;
    if name == VERSION {
        let _ = writeln!(text, "\n{name} = {value}");
        return;
    }
    if let Some((last, lines)) = key.comment.split_last() {
        text.push('\n');
        for line in lines {
            let _ = writeln!(text, "#{line}");
        }
        let mark = match key.rule.function {
            Function::Available => "",
            Function::Later => " (later)",
        };
        let _ = writeln!(text, "#{last}{mark}");
    }
    let _ = writeln!(text, "#{name} = {value}");
}

/// Writes every key with its value and its origin: file and line, or `default` and
/// where that comes from.
pub(crate) fn show(loaded: &Loaded) -> String {
    let document = loaded.document();
    let name = loaded
        .path
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let origin = |row: &Row<'_>| {
        document.line_of(&row.dotted()).map_or_else(
            || format!("default: {}", row.key.origin),
            |line| format!("{name}:{line}"),
        )
    };
    let mut place = "";
    let mut text = String::new();
    for row in loaded.config.rows() {
        if row.place != place {
            place = row.place;
            let _ = writeln!(text, "\n[{place}]");
        }
        let _ = writeln!(
            text,
            "{} = {}  # {}",
            row.key.name,
            row.value.written(),
            origin(&row)
        );
    }
    text
}
