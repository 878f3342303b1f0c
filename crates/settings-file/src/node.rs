//! A TOML text as a tree in which every value knows its place.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value and its place, in octet offsets. The place of a table opened by a header is that header.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) span: Range<usize>,
    pub(crate) value: Value,
}

#[derive(Debug)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    Boolean(bool),
    /// A date without time, `2027-01-31`.
    Date(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
    /// What no key accepts: fractions, times of day, numbers beyond 64 bits, and text that is not a TOML value at all.
    Other,
}

/// A key with its value.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Range<usize>,
    pub(crate) node: Node,
}

impl Node {
    /// The tree of a parsed text.
    pub(crate) fn root(tree: Spanned<DeTable<'_>>) -> Self {
        Self {
            span: tree.span(),
            value: Value::Table(entries(tree.into_inner())),
        }
    }

    fn of(value: Spanned<DeValue<'_>>) -> Self {
        let span = value.span();
        let value = match value.into_inner() {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Integer(number) => {
                i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Other, Value::Integer)
            }
            DeValue::Boolean(truth) => Value::Boolean(truth),
            DeValue::Datetime(moment) => match (moment.date, moment.time, moment.offset) {
                (Some(date), None, None) => Value::Date(date.to_string()),
                _ => Value::Other,
            },
            DeValue::Array(items) => Value::List(items.into_iter().map(Self::of).collect()),
            DeValue::Table(table) => Value::Table(entries(table)),
            DeValue::Float(_) => Value::Other,
        };
        Self { span, value }
    }

    /// Replaces the single value around `at` by one that no key accepts; returns its place, if there is such a value.
    pub(crate) fn spoil(&mut self, at: &Range<usize>) -> Option<Range<usize>> {
        match &mut self.value {
            Value::Table(entries) => entries.iter_mut().find_map(|entry| entry.node.spoil(at)),
            Value::List(items) => items.iter_mut().find_map(|item| item.spoil(at)),
            value if covers(&self.span, at) => {
                *value = Value::Other;
                Some(self.span.clone())
            }
            _ => None,
        }
    }

    /// Removes the smallest entry around `at` from the tree.
    pub(crate) fn take_out(&mut self, at: &Range<usize>) -> Option<Taken> {
        let span = self.span.clone();
        match &mut self.value {
            Value::Table(entries) => take_out_of_table(entries, span, at),
            Value::List(items) => take_out_of_list(items, at),
            Value::Text(_) | Value::Integer(_) | Value::Boolean(_) | Value::Date(_) | Value::Other => None,
        }
    }

    /// Removes the item around `at` from a list, unless it is the only one.
    fn take_out_item(&mut self, at: &Range<usize>) -> bool {
        let Value::List(items) = &mut self.value else {
            return false;
        };
        let before = items.len();
        if before > 1 {
            items.retain(|item| !covers(&item.span, at));
        }
        items.len() < before
    }

    /// Drops the items of lists of tables in which something was wrong.
    pub(crate) fn drop_unsound(&mut self, taken: &[Taken]) {
        let Value::Table(entries) = &mut self.value else {
            return;
        };
        for entry in entries {
            if let Value::List(items) = &mut entry.node.value {
                items.retain(|item| taken.iter().all(|taken| taken.table != item.span));
            }
        }
    }
}

fn entries(table: DeTable<'_>) -> Vec<Entry> {
    let entry = |(key, value): (Spanned<std::borrow::Cow<'_, str>>, _)| Entry {
        key_span: key.span(),
        key: key.into_inner().into_owned(),
        node: Node::of(value),
    };
    table.into_iter().map(entry).collect()
}

/// What was removed from the tree: a key of a table, or a whole item of a list of tables.
pub(crate) struct Taken {
    /// The table's place.
    pub(crate) table: Range<usize>,
    /// The key; empty if the whole table was removed.
    pub(crate) key: String,
}

fn covers(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// A header does not enclose the entries that follow it in the text, so every table is searched.
fn take_out_of_table(entries: &mut Vec<Entry>, span: Range<usize>, at: &Range<usize>) -> Option<Taken> {
    let mut guilty = None;
    for (index, entry) in entries.iter_mut().enumerate() {
        if covers(&entry.key_span, at) {
            guilty = Some(index);
            break;
        }
        if let Some(taken) = entry.node.take_out(at) {
            return Some(taken);
        }
        if entry.node.take_out_item(at) {
            let key = entry.key.clone();
            return Some(Taken { table: span, key });
        }
        if covers(&entry.node.span, at) {
            guilty = Some(index);
        }
    }
    let key = entries.remove(guilty?).key;
    Some(Taken { table: span, key })
}

fn take_out_of_list(items: &mut Vec<Node>, at: &Range<usize>) -> Option<Taken> {
    if let Some(taken) = items.iter_mut().find_map(|item| item.take_out(at)) {
        return Some(taken);
    }
    let is_guilty = |item: &Node| matches!(item.value, Value::Table(_)) && covers(&item.span, at);
    let table = items.remove(items.iter().position(is_guilty)?).span;
    Some(Taken {
        table,
        key: String::new(),
    })
}
