//! Reads a file as many times as needed, and notes what is wrong.

use std::ops::Range;

use serde::de::DeserializeOwned;

use crate::fault::{Fault, FileError};
use crate::node::{Node, Taken};
use crate::reader::Reader;
use crate::syntax;

/// At most this many faults are shown: with more, it is probably a different kind of file.
const MOST_FAULTS: usize = 50;

/// The result of reading.
#[derive(Debug)]
pub struct Reading<T> {
    /// The file without the faulty values, and without those items of lists of tables that had a fault. Unless `faults`
    /// is empty, it serves only to look for further faults. `None` if too much is wrong for that.
    pub value: Option<T>,
    /// Everything that is wrong, in the order of the file.
    pub faults: Vec<FileError>,
}

/// Reads `source`; faults show `file` as its name.
pub fn read<T: DeserializeOwned>(file: &str, source: &str) -> Reading<T> {
    let parsed = syntax::parse(file, source, MOST_FAULTS);
    let mut tree = parsed.root;
    let mut found = Found {
        file,
        source,
        faults: Vec::new(),
        taken: Vec::new(),
    };
    let mut value = found.read(&mut tree);
    if !found.taken.is_empty() {
        tree.drop_unsound(&found.taken);
        value = value.and_then(|_: T| T::deserialize(Reader(&tree)).ok());
    }
    let mut faults = found.faults;
    if let Some((broken, _)) = parsed.faults.first() {
        // What comes after text that is not TOML may belong to another table.
        faults.retain(|(at, _)| at.start < *broken && parsed.unreadable.contains(at));
        value = None;
    }
    let mut faults: Vec<_> = faults.into_iter().map(|(at, fault)| (at.start, fault)).collect();
    faults.extend(parsed.faults);
    faults.sort_by_key(|(offset, fault)| (fault.fault == Fault::More, *offset));
    let faults = faults.into_iter().map(|(_, fault)| fault).collect();
    Reading { value, faults }
}

/// What reading has found so far.
struct Found<'a> {
    file: &'a str,
    source: &'a str,
    faults: Vec<(Range<usize>, FileError)>,
    taken: Vec<Taken>,
}

impl Found<'_> {
    /// Reads the tree as many times as needed, each time without what was found wrong.
    fn read<T: DeserializeOwned>(&mut self, tree: &mut Node) -> Option<T> {
        loop {
            let refusal = match T::deserialize(Reader(tree)) {
                Ok(value) => return Some(value),
                Err(refusal) => refusal,
            };
            let (at, fault) = refusal.into_fault(self.source);
            let enough = self.faults.len() == MOST_FAULTS;
            if enough || !self.follows(&fault, &at) {
                let fault = if enough { Fault::More } else { fault };
                let error = FileError::at(self.file, self.source, &at, fault);
                self.faults.push((at.clone(), error));
            }
            if enough {
                return None;
            }
            self.taken.push(tree.take_out(&at)?);
        }
    }

    /// Whether a key is missing only because its value was wrong and has been removed.
    fn follows(&self, fault: &Fault, at: &Range<usize>) -> bool {
        match fault {
            Fault::MissingKey(key) => self
                .taken
                .iter()
                .any(|taken| taken.key == *key && taken.table == *at),
            Fault::UnknownKey { .. }
            | Fault::UnknownWord { .. }
            | Fault::Form { .. }
            | Fault::Value { .. }
            | Fault::Duplicate { .. }
            | Fault::NotToml(_)
            | Fault::Wrong(_)
            | Fault::More => false,
        }
    }
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
        let source = "[part]\ncolour = \"dark-blue\"\n[[rule]]\nname = \"a\"\n";
        let reading = read::<File>("f.toml", source);
        assert!(reading.faults.is_empty());
        let file = reading.value.unwrap();
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
            faults[0].starts_with("f.toml:2:8: ")
                && faults[0].contains("`rule.name` cannot be 5; allowed: text"),
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
            [r#"f.toml:1:19: `part.colour` cannot be "blu"; allowed: "red", "dark-blue""#]
        );
        assert_eq!(
            faults("part.colour = 7"),
            [r#"f.toml:1:15: `part.colour` cannot be 7; allowed: "red", "dark-blue""#]
        );
    }

    #[test]
    fn a_text_without_its_closing_quote_is_said_to_lack_it() {
        assert_eq!(
            faults("[[rule]]\nname = \"a.example\nsize = 1\n"),
            [
                "f.toml:2:8: `rule.name` cannot be \"a.example: the closing quote is missing; allowed: text in quotes"
            ]
        );
        let colour = faults("part.colour = 'red\n");
        assert!(
            colour[0].ends_with("the closing quote is missing; allowed: \"red\", \"dark-blue\""),
            "{colour:?}"
        );
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
