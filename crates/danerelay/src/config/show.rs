//! The settings in force, as a configuration file in which each line says where it comes from.

use std::fmt::Write as _;

use settings_file::Document;

use super::Loaded;

/// Writes every key with its value and its origin: `default`, or file and line.
pub(crate) fn show(loaded: &Loaded) -> String {
    let document = Document::new(&loaded.path, &loaded.text);
    let name = loaded
        .path
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let origin = |dotted: &str| {
        let line = document.line_of(dotted);
        line.map_or_else(|| "default".to_owned(), |line| format!("{name}:{line}"))
    };
    let mut text = String::new();
    write_table(&mut text, "", &loaded.as_table(), &origin);
    text
}

fn write_table(text: &mut String, place: &str, table: &toml::Table, origin: &dyn Fn(&str) -> String) {
    let below = |key: &str| {
        if place.is_empty() {
            key.to_owned()
        } else {
            format!("{place}.{key}")
        }
    };
    for (key, value) in table {
        if !value.is_table() {
            let _ = writeln!(text, "{key} = {value}  # {}", origin(&below(key)));
        }
    }
    for (key, value) in table {
        if let toml::Value::Table(inner) = value {
            let place = below(key);
            let _ = writeln!(text, "\n[{place}]");
            write_table(text, &place, inner, origin);
        }
    }
}
