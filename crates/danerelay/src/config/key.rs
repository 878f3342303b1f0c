//! What each key of `danerelay.toml` declares, in one place: its type and default, where the default comes from, what
//! else its value must satisfy, when a change takes effect, whether this version supports it, and its comment in the
//! template.
//!
//! A section of the file is a struct that [`section!`] makes from such a table. Reading and checking, the template, the
//! output of `config show` and of a reload, and the table in `docs/configuration.md` are all based on it.

use std::collections::HashMap;
use std::path::Path;

/// A key of a section.
#[derive(Debug)]
pub(crate) struct Key {
    /// Without its section.
    pub(crate) name: &'static str,
    /// The comment in the template, line by line. A key without one belongs to the key before it.
    pub(crate) comment: &'static [&'static str],
    /// Where the default comes from.
    pub(crate) origin: &'static str,
    /// Its rules besides its type.
    pub(crate) rule: Rule,
}

/// The rules for a key besides its type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    /// When a change takes effect.
    pub(crate) change: Change,
    /// What the value must satisfy.
    pub(crate) demand: Demand,
    /// Whether this version supports it.
    pub(crate) function: Function,
}

/// When a changed value takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// With the next reload.
    Reload,
    /// With the next start.
    Restart,
}

/// What a value must satisfy besides its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    /// No further requirement.
    Anything,
    /// A whole number from one to this.
    FromOne(u64),
    /// More than zero, and at most so many seconds or octets; the text says that. A list must not be empty.
    UpTo(u64, &'static str),
    /// Not empty; the text says what is expected.
    Given(&'static str),
}

/// Whether this version supports what a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    /// It does.
    Available,
    /// It does not, and that is no worse than leaving the key out: a warning.
    Later,
}

/// A change takes effect with a reload.
pub(crate) const RELOAD: Rule = Rule::new(Change::Reload);
/// A change takes effect with the next start.
pub(crate) const RESTART: Rule = Rule::new(Change::Restart);

/// The longest wait for a peer, in seconds, and how that is said: nobody answers later.
pub(crate) const HOUR: u64 = 3600;
pub(crate) const AN_HOUR: &str = "more than 0, at most 1h";

impl Rule {
    const fn new(change: Change) -> Self {
        Self {
            change,
            demand: Demand::Anything,
            function: Function::Available,
        }
    }

    /// See [`Demand::FromOne`].
    pub(crate) const fn at_least_one(self, most: u32) -> Self {
        Self {
            demand: Demand::FromOne(most as u64),
            ..self
        }
    }

    /// See [`Demand::UpTo`].
    pub(crate) const fn up_to(self, most: u64, allowed: &'static str) -> Self {
        Self {
            demand: Demand::UpTo(most, allowed),
            ..self
        }
    }

    /// See [`Demand::Given`].
    pub(crate) const fn given(self, allowed: &'static str) -> Self {
        Self {
            demand: Demand::Given(allowed),
            ..self
        }
    }

    /// What is allowed, if the type allows values of this form.
    pub(crate) fn allowed(self, form: &str) -> String {
        match self.demand {
            Demand::Anything => form.to_owned(),
            Demand::FromOne(most) => from_one(most),
            Demand::UpTo(_, further) | Demand::Given(further) => format!("{form}; {further}"),
        }
    }

    /// See [`Function::Later`].
    pub(crate) const fn later(self) -> Self {
        Self {
            function: Function::Later,
            ..self
        }
    }
}

/// What [`Demand::FromOne`] allows.
pub(crate) fn from_one(most: u64) -> String {
    format!("a whole number from 1 to {most}")
}

/// Whether a value is empty or zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Amount {
    /// An empty list, text or path.
    Empty,
    /// Zero, off, or a list with a zero in it.
    Zero,
    /// Anything else.
    Some,
}

/// A type of values.
pub(crate) trait Value: serde::Serialize {
    /// Whether it is empty or zero.
    fn amount(&self) -> Amount;

    /// How many things, seconds or octets it is, if it is a quantity; of a list the largest.
    fn quantity(&self) -> u64 {
        0
    }

    /// Resolves relative paths in it against this directory.
    fn make_absolute(&mut self, _: &Path) {}
}

/// A value, whatever its type.
pub(crate) trait Setting {
    /// The value as it is written in the file.
    fn written(&self) -> toml::Value;
    /// See [`Value::amount`].
    fn amount(&self) -> Amount;
    /// See [`Value::quantity`].
    fn quantity(&self) -> u64;
    /// See [`Value::make_absolute`].
    fn make_absolute(&mut self, directory: &Path);
}

impl<T: Value> Setting for T {
    fn written(&self) -> toml::Value {
        // Values consist only of tables, texts, numbers and arrays, all of which TOML has.
        toml::Value::try_from(self).unwrap_or_else(|_| toml::Value::String(String::new()))
    }

    fn amount(&self) -> Amount {
        Value::amount(self)
    }

    fn quantity(&self) -> u64 {
        Value::quantity(self)
    }

    fn make_absolute(&mut self, directory: &Path) {
        Value::make_absolute(self, directory);
    }
}

/// A section of the file; the whole file is one, too.
pub(crate) trait Section {
    /// Its dotted name; empty for the whole file.
    fn place(&self) -> &'static str;
    /// Its comment in the template.
    fn about(&self) -> &'static [&'static str];
    /// Its keys with their values, in the order of the template.
    fn own(&self) -> Vec<(&'static Key, &dyn Setting)>;
    /// The values of its keys.
    fn own_mut(&mut self) -> Vec<&mut dyn Setting>;
    /// The sections below it.
    fn below(&self) -> Vec<&dyn Section>;
    /// The same, mutable.
    fn below_mut(&mut self) -> Vec<&mut dyn Section>;
}

/// Makes a section of a table of its keys:
///
/// ```text
/// section! {
///     /// Its comment in the template.
///     pub(crate) struct Name("dotted.name") {
///         /// The key's comment in the template.
///         #[serde(deserialize_with = "…")]         if the type does not say how it is written
///         key: Type = default, "where the default comes from" => RELOAD or RESTART, and what is further demanded;
///     } with {
///         section: Type,
///     }
/// }
/// ```
macro_rules! section {
    (
        $(#[doc = $about:literal])*
        pub(crate) struct $name:ident($place:literal) {
            $(
                $(#[doc = $comment:literal])*
                $(#[serde($($serde:tt)*)])?
                $key:ident: $type:ty = $default:expr, $origin:literal => $rule:expr;
            )*
        } $(with {
            $($below:ident: $section:ty,)*
        })?
    ) => {
        #[derive(Debug, Clone, PartialEq, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub(crate) struct $name {
            $($(#[serde($($serde)*)])? pub(crate) $key: $type,)*
            $($(pub(crate) $below: $section,)*)?
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($key: $default,)*
                    $($($below: <$section>::default(),)*)?
                }
            }
        }

        impl $crate::config::key::Section for $name {
            fn place(&self) -> &'static str {
                $place
            }

            fn about(&self) -> &'static [&'static str] {
                &[$($about),*]
            }

            fn own(&self) -> Vec<(&'static $crate::config::key::Key, &dyn $crate::config::key::Setting)> {
                vec![$((
                    const {
                        &$crate::config::key::Key {
                            name: stringify!($key),
                            comment: &[$($comment),*],
                            origin: $origin,
                            rule: $rule,
                        }
                    },
                    &self.$key as &dyn $crate::config::key::Setting,
                )),*]
            }

            fn own_mut(&mut self) -> Vec<&mut dyn $crate::config::key::Setting> {
                vec![$(&mut self.$key as &mut dyn $crate::config::key::Setting),*]
            }

            fn below(&self) -> Vec<&dyn $crate::config::key::Section> {
                vec![$($(&self.$below as &dyn $crate::config::key::Section),*)?]
            }

            fn below_mut(&mut self) -> Vec<&mut dyn $crate::config::key::Section> {
                vec![$($(&mut self.$below as &mut dyn $crate::config::key::Section),*)?]
            }
        }
    };
}

pub(crate) use section;

/// A key with its section and its value.
pub(crate) struct Row<'a> {
    /// The dotted name of its section.
    pub(crate) place: &'static str,
    /// What it declares.
    pub(crate) key: &'static Key,
    /// Its value.
    pub(crate) value: &'a dyn Setting,
}

impl Row<'_> {
    /// The key with its section.
    pub(crate) fn dotted(&self) -> String {
        if self.place.is_empty() {
            self.key.name.to_owned()
        } else {
            format!("{}.{}", self.place, self.key.name)
        }
    }
}

/// Every key of a section and of those below it, in the order of the template.
pub(crate) fn rows(section: &dyn Section) -> Vec<Row<'_>> {
    let own = section.own().into_iter().map(|(key, value)| Row {
        place: section.place(),
        key,
        value,
    });
    own.chain(section.below().into_iter().flat_map(rows)).collect()
}

/// Resolves all relative paths in a section against this directory.
pub(crate) fn make_absolute(section: &mut dyn Section, directory: &Path) {
    for setting in section.own_mut() {
        setting.make_absolute(directory);
    }
    for below in section.below_mut() {
        make_absolute(below, directory);
    }
}

/// The dotted keys whose values differ and whose change takes effect at the next start. Keys that this version does not
/// support are left out.
pub(crate) fn waiting(before: &dyn Section, after: &dyn Section) -> Vec<String> {
    let before: HashMap<String, toml::Value> = rows(before)
        .into_iter()
        .map(|row| (row.dotted(), row.value.written()))
        .collect();
    rows(after)
        .into_iter()
        .filter(|row| row.key.rule.function == Function::Available && row.key.rule.change == Change::Restart)
        .filter(|row| before.get(&row.dotted()) != Some(&row.value.written()))
        .map(|row| row.dotted())
        .collect()
}
