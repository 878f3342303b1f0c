//! Which names a rule or an exception matches.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use mail::{Domain, DomainError, registrable};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use settings_file::forms::{self, Form, Unfit};

/// One name, or all names below it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// `xs4all.nl`: this name alone.
    Exactly(Domain),
    /// `.nl`: every name below `nl`, but not `nl` itself.
    Below(Domain),
}

impl Pattern {
    /// A name that it matches and that no more specific pattern is likely to match.
    pub(crate) fn example(&self) -> Option<Domain> {
        match self {
            Self::Exactly(name) => Some(name.clone()),
            Self::Below(parent) => Domain::parse(&format!("_.{parent}")).ok(),
        }
    }
}

impl Pattern {
    /// Whether it matches this name.
    pub fn matches(&self, name: &Domain) -> bool {
        match self {
            Self::Exactly(same) => name == same,
            Self::Below(parent) => {
                let below = name.as_str().strip_suffix(parent.as_str());
                below.is_some_and(|rest| rest.ends_with('.'))
            }
        }
    }

    /// The name, if it is one below which others register theirs, as `nl` or `co.uk`: hardly anybody has mail there, and who
    /// writes it means all names below it.
    pub(crate) fn public_suffix(&self) -> Option<&Domain> {
        let Self::Exactly(name) = self else {
            return None;
        };
        registrable::is_registry(name).then_some(name)
    }
}

impl FromStr for Pattern {
    type Err = DomainError;

    fn from_str(text: &str) -> Result<Self, DomainError> {
        match text.strip_prefix('.') {
            Some(parent) => Domain::parse(parent).map(Self::Below),
            None => Domain::parse(text).map(Self::Exactly),
        }
    }
}

impl Form for Pattern {
    type Value = Self;

    const ALLOWED: &'static str = "\"name\" for itself alone, or \".name\" for all below it";

    fn read(text: &str) -> Result<Self, Unfit> {
        text.parse().map_err(|error: DomainError| Unfit::because(error))
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        forms::one::<Self, D>(deserializer)
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(domain) => write!(f, "{domain}"),
            Self::Below(domain) => write!(f, ".{domain}"),
        }
    }
}

/// Values looked up by name: the most specific pattern first, and in insertion order for the same pattern.
#[derive(Debug, Clone)]
pub(crate) struct PatternMap<T> {
    exactly: HashMap<String, Vec<T>>,
    below: HashMap<String, Vec<T>>,
}

impl<T> Default for PatternMap<T> {
    fn default() -> Self {
        Self {
            exactly: HashMap::new(),
            below: HashMap::new(),
        }
    }
}

impl<T> PatternMap<T> {
    /// Adds a value after those the pattern already has.
    pub(crate) fn insert(&mut self, pattern: &Pattern, thing: T) {
        let (map, domain) = match pattern {
            Pattern::Exactly(domain) => (&mut self.exactly, domain),
            Pattern::Below(domain) => (&mut self.below, domain),
        };
        map.entry(domain.as_str().to_owned()).or_default().push(thing);
    }

    /// The values stored under the very same pattern.
    pub(crate) fn same(&self, pattern: &Pattern) -> &[T] {
        let found = match pattern {
            Pattern::Exactly(domain) => self.exactly.get(domain.as_str()),
            Pattern::Below(domain) => self.below.get(domain.as_str()),
        };
        found.map_or(&[], Vec::as_slice)
    }

    /// The names of which a value is about exactly one.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.exactly.keys().map(String::as_str)
    }

    /// Every value whose pattern matches, the most specific first.
    pub(crate) fn matching<'a>(&'a self, name: &'a Domain) -> impl Iterator<Item = &'a T> {
        // Where nothing is below a name, nobody need look for its parents.
        let first = parent(name.as_str()).filter(|_| !self.below.is_empty());
        let ancestors = std::iter::successors(first, |name| parent(name));
        let below = ancestors
            .filter_map(|ancestor| self.below.get(ancestor))
            .flatten();
        self.exactly.get(name.as_str()).into_iter().flatten().chain(below)
    }
}

fn parent(name: &str) -> Option<&str> {
    name.split_once('.').map(|(_, parent)| parent)
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

    fn found(name: &str) -> Vec<u8> {
        let mut map = PatternMap::default();
        for (pattern, thing) in [(".nl", 1), ("XS4all.nl.", 2), (".xs4all.nl", 3), ("xs4all.nl", 4)] {
            map.insert(&pattern.parse().unwrap(), thing);
        }
        map.matching(&Domain::parse(name).unwrap()).copied().collect()
    }

    #[test]
    fn the_most_specific_comes_first() {
        assert_eq!(found("xs4all.nl"), [2, 4, 1]);
        assert_eq!(found("a.b.xs4all.nl"), [3, 1]);
        assert_eq!(found("badxs4all.nl"), [1]);
        assert!(found("nl").is_empty());
        assert!(found("example.org").is_empty());
    }

    #[test]
    fn a_name_below_which_others_register_theirs_is_hardly_meant_alone() {
        for (pattern, is_suffix) in [
            ("nl", true),
            ("co.uk", true),
            (".nl", false),
            ("xs4all.nl", false),
            ("demon.nl", false),
            ("intranet", false),
        ] {
            let pattern: Pattern = pattern.parse().unwrap();
            assert_eq!(pattern.public_suffix().is_some(), is_suffix, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_matches_itself_or_what_is_below() {
        for (pattern, name, expected) in [
            ("XS4all.nl", "xs4all.NL.", true),
            ("xs4all.nl", "mail.xs4all.nl", false),
            (".xs4all.nl", "mail.xs4all.nl", true),
            (".nl", "mail.xs4all.nl", true),
            (".xs4all.nl", "xs4all.nl", false),
            (".xs4all.nl", "badxs4all.nl", false),
        ] {
            let pattern: Pattern = pattern.parse().unwrap();
            let name = Domain::parse(name).unwrap();
            assert_eq!(pattern.matches(&name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn wrong_patterns_are_refused() {
        for text in ["", ".", "..nl", "a b", "*.nl", "a@b"] {
            assert!(text.parse::<Pattern>().is_err(), "{text}");
        }
    }
}
