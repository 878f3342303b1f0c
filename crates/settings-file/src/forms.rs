//! Values that are written as one string with a form of their own.
//!
//! A type describes its form once ([`Form`]): most types for themselves, some for a type of another crate. Any other
//! value is refused with that description.

use std::fmt;
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU16, NonZeroU32};

use jiff::civil::Date;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Unexpected, Visitor};

/// How [`date`] asks the reader for a date, the only value in our files that is neither a string nor a number.
pub(crate) const DATE: &str = "date";

/// A form in which a value may be written.
pub trait Form {
    /// The type of the value.
    type Value;

    /// A description of the form, with an example as written in the file.
    const ALLOWED: &'static str;

    /// Reads a string, given without its quotes.
    fn read(text: &str) -> Result<Self::Value, Unfit>;

    /// Reads a bare number, if one is allowed.
    fn read_number(_: i64) -> Option<Self::Value> {
        None
    }
}

/// Why a string does not have the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// [`Form::ALLOWED`] says it all.
    Form,
    /// There is a more specific reason.
    Because(String),
}

impl Unfit {
    /// A reason given as text instead of the error itself.
    pub fn because(reason: impl fmt::Display) -> Self {
        Self::Because(reason.to_string())
    }

    fn refuse<E: Error>(self, allowed: &str) -> E {
        match self {
            Self::Form => E::invalid_value(Unexpected::Other("text"), &allowed),
            Self::Because(reason) => E::custom(format_args!("{reason}; allowed: {allowed}")),
        }
    }
}

/// A value with a form, for schema fields whose type alone does not determine the form.
pub struct Formed<F: Form>(pub F::Value);

impl<F: Form<Value: fmt::Debug>> fmt::Debug for Formed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de, F: Form> Deserialize<'de> for Formed<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        one::<F, D>(deserializer).map(Self)
    }
}

/// For `#[serde(deserialize_with = "forms::one::<FORM, _>")]`.
pub fn one<'de, F: Form, D: Deserializer<'de>>(deserializer: D) -> Result<F::Value, D::Error> {
    deserializer.deserialize_any(One(PhantomData::<F>))
}

/// For a list of such values.
pub fn list<'de, F: Form, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<F::Value>, D::Error> {
    deserializer.deserialize_any(List(PhantomData::<F>))
}

/// For an optional value: an empty string means none.
pub fn optional<'de, F: Form, D: Deserializer<'de>>(deserializer: D) -> Result<Option<F::Value>, D::Error> {
    deserializer.deserialize_any(Optional(PhantomData::<F>))
}

/// For a date as TOML writes it, `2027-01-31` without quotes.
pub fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    deserializer.deserialize_newtype_struct(DATE, DateVisitor)
}

/// Reads a string, for visitors that also accept other types.
pub fn read<F: Form, E: Error>(text: &str) -> Result<F::Value, E> {
    F::read(text).map_err(|unfit| unfit.refuse(F::ALLOWED))
}

struct One<F>(PhantomData<F>);

impl<F: Form> Visitor<'_> for One<F> {
    type Value = F::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(F::ALLOWED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<F::Value, E> {
        read::<F, E>(text)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<F::Value, E> {
        F::read_number(number).ok_or_else(|| Unfit::Form.refuse(F::ALLOWED))
    }
}

struct List<F>(PhantomData<F>);

impl<'de, F: Form> Visitor<'de> for List<F> {
    type Value = Vec<F::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list in brackets, [a, b]; in it: {}", F::ALLOWED)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Formed(item)) = items.next_element::<Formed<F>>()? {
            list.push(item);
        }
        Ok(list)
    }
}

struct Optional<F>(PhantomData<F>);

impl<F: Form> Visitor<'_> for Optional<F> {
    type Value = Option<F::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, or \"\"", F::ALLOWED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        if text.is_empty() {
            return Ok(None);
        }
        let allowed = format!("{}, or \"\"", F::ALLOWED);
        F::read(text).map(Some).map_err(|unfit| unfit.refuse(&allowed))
    }
}

struct DateVisitor;

impl Visitor<'_> for DateVisitor {
    type Value = Date;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a date without quotes or time, like 2027-01-31")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Date, E> {
        text.parse()
            .map_err(|_| E::invalid_value(Unexpected::Other("date"), &self))
    }
}

impl Form for SocketAddr {
    type Value = Self;
    const ALLOWED: &'static str = "\"ADDRESS:PORT\", like \"192.0.2.1:25\" or \"[2001:db8::1]:25\"";

    fn read(text: &str) -> Result<Self, Unfit> {
        text.parse().map_err(|_| Unfit::Form)
    }
}

impl Form for IpAddr {
    type Value = Self;
    const ALLOWED: &'static str = "an address, like \"192.0.2.1\" or \"2001:db8::1\"";

    fn read(text: &str) -> Result<Self, Unfit> {
        text.parse().map_err(|_| Unfit::Form)
    }
}

impl Form for NonZeroU16 {
    type Value = Self;
    const ALLOWED: &'static str = "a port from 1 to 65535, without quotes";

    fn read(_: &str) -> Result<Self, Unfit> {
        Err(Unfit::Form)
    }

    fn read_number(number: i64) -> Option<Self> {
        number.try_into().ok().and_then(Self::new)
    }
}

impl Form for NonZeroU32 {
    type Value = Self;
    const ALLOWED: &'static str = "a whole number from 1 to 4294967295, without quotes";

    fn read(_: &str) -> Result<Self, Unfit> {
        Err(Unfit::Form)
    }

    fn read_number(number: i64) -> Option<Self> {
        number.try_into().ok().and_then(Self::new)
    }
}
