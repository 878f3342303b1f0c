//! What is no TOML: which value, which key that is there twice, or else where.

use std::ops::Range;

use toml::Spanned;
use toml::de::{self, DeTable};

use crate::fault::{Fault, FileError, one_line, position};
use crate::node::Node;

/// A text as far as it can be made out.
pub(crate) struct Parsed {
    pub(crate) root: Node,
    /// Values that are none. They are faults of their keys, which know what would be right.
    pub(crate) unreadable: Vec<Range<usize>>,
    /// What is wrong between the values, each with its offset: at most one fault a line.
    pub(crate) faults: Vec<(usize, FileError)>,
}

/// Parses the text, at most `most` faults of it.
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

/// The parser says what it met and what could stand there instead.
fn words(message: &str) -> String {
    match message.split_once(", expected ") {
        Some((met, "nothing")) => met.to_owned(),
        Some((met, instead)) => format!("{met}; allowed here: {instead}"),
        None => message.to_owned(),
    }
}

/// Whether the key at this place is there already: with another name it would be no error, and beside it would stand
/// one of this name.
fn second(source: &str, at: &Range<usize>) -> Option<Fault> {
    let written = source.get(at.clone()).filter(|written| !written.is_empty())?;
    // As many names as the text has octets cannot all be in it.
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

/// The path of the table that has both keys, and where the second of them stands.
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
