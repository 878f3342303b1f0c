//! Reports what is not TOML: which value, which key that is set twice, or at least where.

use std::ops::Range;

use toml::Spanned;
use toml::de::{self, DeTable};

use crate::fault::{Fault, FileError, one_line, position};
use crate::node::Node;

/// A text, as far as it can be parsed.
pub(crate) struct Parsed {
    pub(crate) root: Node,
    /// Values that are not TOML. They are reported as faults of their keys, which know what would be right.
    pub(crate) unreadable: Vec<Range<usize>>,
    /// Faults outside values, each with its offset: at most one per line.
    pub(crate) faults: Vec<(usize, FileError)>,
}

/// Parses the text and reports at most `most` faults.
pub(crate) fn parse(file: &str, source: &str, most: usize) -> Parsed {
    let (tree, mut errors) = DeTable::parse_recoverable(source);
    errors.sort_by_key(|error| span_of(error).start);
    let mut parsed = Parsed {
        root: Node::root(tree),
        unreadable: Vec::new(),
        faults: Vec::new(),
    };
    for error in &errors {
        let at = span_of(error);
        let line = position(source, at.start).0;
        if let Some(place) = parsed.root.spoil(&at) {
            parsed.unreadable.push(place);
        } else if parsed.faults.last().is_none_or(|(_, fault)| fault.line != line) {
            let fault = if parsed.faults.len() == most {
                Fault::More
            } else {
                second(source, &at).unwrap_or_else(|| Fault::NotToml(words(error.message())))
            };
            let ends = fault == Fault::More;
            parsed
                .faults
                .push((at.start, FileError::at(file, source, &at, fault)));
            if ends {
                break;
            }
        }
    }
    parsed
}

fn span_of(error: &de::Error) -> Range<usize> {
    error.span().unwrap_or_default()
}

/// The parser says what it found and what was expected instead.
fn words(message: &str) -> String {
    match message.split_once(", expected ") {
        Some((met, "nothing")) => met.to_owned(),
        Some((met, instead)) => format!("{met}; allowed here: {instead}"),
        None => message.to_owned(),
    }
}

/// Whether the key at this place is set twice: with a new name it would not be an error, and next to it there would be
/// another key with the old name.
fn second(source: &str, at: &Range<usize>) -> Option<Fault> {
    let written = source.get(at.clone()).filter(|written| !written.is_empty())?;
    // The text cannot contain as many names as it has octets, so one of these is new.
    let fresh = (0..=source.len())
        .map(|number| format!("renamed-{number}"))
        .find(|name| !source.contains(name))?;
    let renamed = [source.get(..at.start)?, &fresh, source.get(at.end..)?].concat();
    let (tree, errors) = DeTable::parse_recoverable(&renamed);
    if errors.iter().any(|error| span_of(error).start == at.start) {
        return None;
    }
    let alone = format!("{written} = 0");
    let key = DeTable::parse(&alone)
        .ok()?
        .into_inner()
        .into_iter()
        .next()?
        .0
        .into_inner();
    let (mut path, first) = beside(tree.get_ref(), &fresh, &key)?;
    path.push(key.into_owned());
    Some(Fault::Duplicate {
        key: one_line(&path.join(".")),
        line: position(source, first.start).0,
    })
}

/// The path of the table that has both keys, and where the second one is.
fn beside(table: &DeTable<'_>, one: &str, other: &str) -> Option<(Vec<String>, Range<usize>)> {
    if table.contains_key(one) {
        let (key, _) = table.get_key_value(other)?;
        return Some((Vec::new(), key.span()));
    }
    table.iter().find_map(|(key, value)| {
        let (mut path, found) = match value.get_ref() {
            de::DeValue::Table(inner) => beside(inner, one, other),
            de::DeValue::Array(items) => items
                .iter()
                .filter_map(|item: &Spanned<_>| item.get_ref().as_table())
                .find_map(|inner| beside(inner, one, other)),
            _ => None,
        }?;
        path.insert(0, key.get_ref().to_string());
        Some((path, found))
    })
}
