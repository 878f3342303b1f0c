//! Why a schema refuses a tree.

use std::fmt;
use std::ops::Range;

use serde::de::{Error, Expected, Unexpected};

use crate::fault::{Fault, one_line, quoted};

/// One reason, with the keys that lead to its place.
#[derive(Debug)]
pub(crate) struct Refusal {
    keys: Vec<String>,
    span: Option<Range<usize>>,
    what: What,
}

#[derive(Debug)]
enum What {
    UnknownKey {
        key: String,
        allowed: &'static [&'static str],
    },
    MissingKey(&'static str),
    /// The value is none of these words.
    Word(&'static [&'static str]),
    /// The value does not have this form.
    Form(String),
    /// The value has the right form, but something else is wrong with it.
    Reason(String),
}

impl Refusal {
    /// A value of the form `allowed` was expected.
    pub(crate) fn form(allowed: impl Into<String>) -> Self {
        Self::new(What::Form(allowed.into()))
    }

    /// One of these words was expected.
    pub(crate) fn word(allowed: &'static [&'static str]) -> Self {
        Self::new(What::Word(allowed))
    }

    fn new(what: What) -> Self {
        Self {
            keys: Vec::new(),
            span: None,
            what,
        }
    }

    /// Sets its place, if it has none yet.
    pub(crate) fn at(mut self, span: &Range<usize>) -> Self {
        self.span.get_or_insert_with(|| span.clone());
        self
    }

    /// Prepends a key to those that lead to the place.
    pub(crate) fn under(mut self, key: &str) -> Self {
        self.keys.insert(0, key.to_owned());
        self
    }

    /// Turns it into a fault in `source`, with its place.
    pub(crate) fn into_fault(self, source: &str) -> (Range<usize>, Fault) {
        let span = self.span.unwrap_or_default();
        let key = self.keys.join(".");
        let value = one_line(source.get(span.clone()).unwrap_or_default());
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let unclosed = is_unclosed(source.get(span.clone()).unwrap_or_default());
        let reason = |allowed: &str| format!("the closing quote is missing; allowed: {allowed}");
        let fault = match self.what {
            What::Word(allowed) if unclosed => Fault::Value {
                key,
                value,
                reason: reason(&quoted(allowed)),
            },
            What::Form(allowed) if unclosed => Fault::Value {
                key,
                value,
                reason: reason(&allowed),
            },
            What::UnknownKey { key, allowed } => Fault::UnknownKey {
                key,
                allowed: owned(allowed),
            },
            What::MissingKey(key) => Fault::MissingKey(key.to_owned()),
            What::Word(allowed) => Fault::UnknownWord {
                key,
                word: value,
                allowed: owned(allowed),
            },
            What::Form(allowed) => Fault::Form { key, value, allowed },
            What::Reason(reason) => Fault::Value { key, value, reason },
        };
        (span, fault)
    }
}

/// Whether this is the beginning of a text in quotes without its end.
fn is_unclosed(written: &str) -> bool {
    ['"', '\''].into_iter().any(|quote| {
        let inner = written.strip_prefix(quote);
        inner.is_some_and(|inner| !inner.ends_with(quote))
    })
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.what)
    }
}

impl std::error::Error for Refusal {}

impl Error for Refusal {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self::new(What::Reason(reason.to_string()))
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::form(expected.to_string())
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::form(expected.to_string())
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::form(expected.to_string())
    }

    fn unknown_variant(_: &str, allowed: &'static [&'static str]) -> Self {
        Self::word(allowed)
    }

    fn unknown_field(key: &str, allowed: &'static [&'static str]) -> Self {
        Self::new(What::UnknownKey {
            key: key.to_owned(),
            allowed,
        })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(What::MissingKey(key))
    }
}
