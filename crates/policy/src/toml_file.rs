//! Reads a TOML file into a schema and reports every fault of it, not only the first.
//!
//! serde stops at the first fault. So the text is parsed once into a tree that knows the place of each value; the
//! schema reads the tree; what it stumbles over is noted and taken out; and it reads again, until it succeeds.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};
use toml::{Spanned, de};

use crate::file_error::{Fault, FileError};

/// More faults than this are not shown: the file is of another kind.
const MOST_FAULTS: usize = 50;

/// What came of reading.
#[derive(Debug)]
pub struct Reading<T> {
    /// The file without what is wrong in it, and without those members of lists of tables that had something wrong.
    /// Unless `faults` is empty, it serves only to look for further faults. `None` if too much is wrong for that.
    pub value: Option<T>,
    /// Everything that is wrong, in the order of the file.
    pub faults: Vec<FileError>,
}

impl<T> Reading<T> {
    /// The value of a file without fault.
    pub fn into_result(self) -> Result<T, Vec<FileError>> {
        match self.value {
            Some(value) if self.faults.is_empty() => Ok(value),
            Some(_) | None => Err(self.faults),
        }
    }
}

/// Reads `source`; `file` is the name that faults carry.
pub fn read<T: DeserializeOwned>(file: &str, source: &str) -> Reading<T> {
    let (mut tree, mut syntax) = DeTable::parse_recoverable(source);
    if !syntax.is_empty() {
        syntax.sort_by_key(|error| error.span().map(|span| span.start));
        let faults = syntax
            .iter()
            .take(MOST_FAULTS)
            .map(|error| FileError::from_toml(file, source, error))
            .collect();
        return Reading { value: None, faults };
    }
    let mut faults = Vec::new();
    let mut taken = Vec::new();
    let value = loop {
        let error = match deserialize::<T>(&tree) {
            Ok(value) => break Some(value),
            Err(error) => error,
        };
        let at = error.span().unwrap_or_default();
        let mut fault = FileError::from_toml(file, source, &error);
        if faults.len() == MOST_FAULTS {
            fault.fault = Fault::More;
            faults.push((at.start, fault));
            break None;
        }
        if !follows(&fault, &at, &taken) {
            faults.push((at.start, fault));
        }
        match take_out(&mut tree, &at) {
            Some(found) => taken.push(found),
            None => break None,
        }
    };
    let value = if taken.is_empty() {
        value
    } else {
        drop_unsound(tree.get_mut(), &taken);
        value.and_then(|_| deserialize(&tree).ok())
    };
    faults.sort_by_key(|(offset, fault)| (fault.fault == Fault::More, *offset));
    let faults = faults.into_iter().map(|(_, fault)| fault).collect();
    Reading { value, faults }
}

/// Whether a key is missing only because its value was wrong and taken out.
fn follows(fault: &FileError, at: &Range<usize>, taken: &[Taken]) -> bool {
    match &fault.fault {
        Fault::MissingKey(key) => taken.iter().any(|taken| taken.key == *key && taken.table == *at),
        Fault::UnknownKey { .. } | Fault::UnknownWord { .. } | Fault::Wrong(_) | Fault::More => false,
    }
}

fn deserialize<T: DeserializeOwned>(tree: &Spanned<DeTable<'_>>) -> Result<T, de::Error> {
    T::deserialize(Deserializer::from(tree.clone()))
}

/// What was taken out of the tree: a key of a table.
struct Taken {
    table: Range<usize>,
    key: String,
}

fn covers(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// Takes the smallest entry around `at` out of the tree.
fn take_out(tree: &mut Spanned<DeTable<'_>>, at: &Range<usize>) -> Option<Taken> {
    let span = tree.span();
    take_out_of_table(tree.get_mut(), &span, at)
}

fn take_out_of_table(table: &mut DeTable<'_>, span: &Range<usize>, at: &Range<usize>) -> Option<Taken> {
    let mut guilty = None;
    for (key, value) in table.iter_mut() {
        if covers(&key.span(), at) {
            guilty = Some(key.clone());
            break;
        }
        if let Some(taken) = take_out_of_value(value, at) {
            return Some(taken);
        }
        if covers(&value.span(), at) {
            guilty = Some(key.clone());
        }
    }
    let key = guilty?;
    table.remove(&key)?;
    Some(Taken {
        table: span.clone(),
        key: key.into_inner().into_owned(),
    })
}

/// Looks inside tables and lists of tables. A header does not enclose the entries that follow it in the text, so
/// every table is looked into.
fn take_out_of_value(value: &mut Spanned<DeValue<'_>>, at: &Range<usize>) -> Option<Taken> {
    let span = value.span();
    match value.get_mut() {
        DeValue::Table(table) => take_out_of_table(table, &span, at),
        DeValue::Array(items) => {
            for item in items.iter_mut() {
                if let Some(taken) = take_out_of_value(item, at) {
                    return Some(taken);
                }
            }
            let item = items
                .iter()
                .find(|item| item.get_ref().is_table() && covers(&item.span(), at))?
                .span();
            keep_items(items, |span| *span != item);
            Some(Taken {
                table: item,
                key: String::new(),
            })
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => None,
    }
}

/// Drops the members of lists of tables in which something was wrong.
fn drop_unsound(tree: &mut DeTable<'_>, taken: &[Taken]) {
    for (_, value) in tree.iter_mut() {
        if let DeValue::Array(items) = value.get_mut() {
            keep_items(items, |span| taken.iter().all(|t| t.table != *span));
        }
    }
}

fn keep_items(items: &mut DeArray<'_>, keep: impl Fn(&Range<usize>) -> bool) {
    let all = std::mem::replace(items, DeArray::new());
    *items = all.into_iter().filter(|item| keep(&item.span())).collect();
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )]
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(default)]
        rule: Vec<Rule>,
        #[serde(default)]
        part: Part,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rule {
        name: String,
        #[serde(default)]
        size: u8,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Part {
        #[serde(default)]
        colour: Colour,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Colour {
        #[default]
        Red,
        DarkBlue,
    }

    fn faults(source: &str) -> Vec<String> {
        let reading = read::<File>("f.toml", source);
        reading.faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_sound_file_is_read() {
        let file = read::<File>(
            "f.toml",
            "[part]\ncolour = \"dark-blue\"\n[[rule]]\nname = \"a\"\n",
        )
        .into_result()
        .unwrap();
        assert_eq!(file.part.colour, Colour::DarkBlue);
        assert_eq!(file.rule[0].name, "a");
        assert_eq!(file.rule[0].size, 0);
    }

    #[test]
    fn every_fault_is_reported_in_order_and_once() {
        let source = "[[rule]]\nname = 5\nsize = 900\n[[rule]]\nname = \"b\"\nsise = 2\n[[rule]]\n\
                      [part]\n  color = \"red\"\n[prat]\n";
        let faults = faults(source);
        assert_eq!(faults.len(), 6, "{faults:#?}");
        assert!(
            faults[0].starts_with("f.toml:2:8: ") && faults[0].contains("expected a string"),
            "{faults:#?}"
        );
        assert!(
            faults[1].starts_with("f.toml:3:8: ") && faults[1].contains("900"),
            "{faults:#?}"
        );
        assert_eq!(
            faults[2],
            r#"f.toml:6:1: unknown key "sise", did you mean "size"? allowed here: "name", "size""#
        );
        assert_eq!(faults[3], r#"f.toml:7:1: the key "name" is missing here"#);
        assert_eq!(
            faults[4],
            r#"f.toml:9:3: unknown key "color", did you mean "colour"? allowed here: "colour""#
        );
        assert_eq!(
            faults[5],
            r#"f.toml:10:2: unknown key "prat", did you mean "part"? allowed here: "rule", "part""#
        );
    }

    #[test]
    fn wrong_words_name_what_is_allowed() {
        assert_eq!(
            faults("part = { colour = \"blu\" }"),
            [r#"f.toml:1:19: wrong value "blu"; allowed: "red", "dark-blue""#]
        );
        let not_a_word = faults("part.colour = 7");
        assert_eq!(not_a_word.len(), 1);
        assert!(not_a_word[0].starts_with("f.toml:1:15: "), "{not_a_word:?}");
    }

    #[test]
    fn what_is_no_toml_is_named_with_its_place() {
        let faults = faults("[part]\ncolour = red\n[[rule]\n");
        assert!(faults[0].starts_with("f.toml:2:10: "), "{faults:?}");
        assert!(
            faults.iter().any(|fault| fault.starts_with("f.toml:3:")),
            "{faults:?}"
        );
    }

    #[test]
    fn sound_tables_survive_the_faults_of_others() {
        let reading = read::<File>("f.toml", "[[rule]]\nname = 5\n[[rule]]\nname = \"b\"\n");
        assert_eq!(reading.faults.len(), 1);
        let names: Vec<_> = reading
            .value
            .unwrap()
            .rule
            .into_iter()
            .map(|rule| rule.name)
            .collect();
        assert_eq!(names, ["b"]);
    }

    #[test]
    fn endless_faults_come_to_an_end() {
        let lines: Vec<_> = (0..500).map(|number| format!("wrong{number} = 1")).collect();
        let faults = faults(&lines.join("\n"));
        assert_eq!(faults.len(), MOST_FAULTS + 1);
        assert!(faults[MOST_FAULTS].ends_with("further errors are not shown"));
    }
}
