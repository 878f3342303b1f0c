//! Values that are written as one text in a form of their own.
//!
//! A type says once what its form is ([`Form`]); whatever else stands there is refused with these words.

use std::fmt;
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU16, NonZeroU32};

use jiff::civil::Date;
use mail::{Domain, Mailbox, NextHop, NextHopProblem};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Unexpected, Visitor};

/// How [`date`] asks the reader for a date, which is the only value in our files that is neither text nor number.
pub(super) const DATE: &str = "date";

/// A value with a form of its own.
pub trait Form: Sized {
    /// The form, with an example as it is written in the file.
    const ALLOWED: &'static str;

    /// Reads a text without its quotes.
    fn read(text: &str) -> Result<Self, Unfit>;

    /// Reads a bare number, where one is allowed.
    fn read_number(_: i64) -> Option<Self> {
        None
    }
}

/// Why a text is not of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// The words of [`Form::ALLOWED`] say all.
    Form,
    /// For this reason besides.
    Because(String),
}

impl Unfit {
    /// A reason that is better told than kept.
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

/// A value with a form, for the fields of a schema that are not of its type alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Formed<T>(pub T);

impl<'de, T: Form> Deserialize<'de> for Formed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        one(deserializer).map(Self)
    }
}

/// For `#[serde(deserialize_with = "policy::toml_file::forms::one")]`.
pub fn one<'de, T: Form, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(One(PhantomData))
}

/// For a list of such values.
pub fn list<'de, T: Form, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_any(List(PhantomData))
}

/// For a value that an empty text leaves out.
pub fn optional<'de, T: Form, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    deserializer.deserialize_any(Optional(PhantomData))
}

/// For a date as TOML writes it, `2027-01-31` without quotes.
pub fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    deserializer.deserialize_newtype_struct(DATE, DateVisitor)
}

/// Reads a text, for visitors that take other things as well.
pub fn read<T: Form, E: Error>(text: &str) -> Result<T, E> {
    T::read(text).map_err(|unfit| unfit.refuse(T::ALLOWED))
}

struct One<T>(PhantomData<T>);

impl<T: Form> Visitor<'_> for One<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::ALLOWED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        read(text)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        T::read_number(number).ok_or_else(|| Unfit::Form.refuse(T::ALLOWED))
    }
}

struct List<T>(PhantomData<T>);

impl<'de, T: Form> Visitor<'de> for List<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list in brackets, [a, b]; in it: {}", T::ALLOWED)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(Formed(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list)
    }
}

struct Optional<T>(PhantomData<T>);

impl<T: Form> Visitor<'_> for Optional<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, or \"\"", T::ALLOWED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<T>, E> {
        if text.is_empty() {
            return Ok(None);
        }
        let allowed = format!("{}, or \"\"", T::ALLOWED);
        T::read(text).map(Some).map_err(|unfit| unfit.refuse(&allowed))
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
    const ALLOWED: &'static str = "\"ADDRESS:PORT\", like \"192.0.2.1:25\" or \"[2001:db8::1]:25\"";

    fn read(text: &str) -> Result<Self, Unfit> {
        text.parse().map_err(|_| Unfit::Form)
    }
}

impl Form for IpAddr {
    const ALLOWED: &'static str = "an address, like \"192.0.2.1\" or \"2001:db8::1\"";

    fn read(text: &str) -> Result<Self, Unfit> {
        text.parse().map_err(|_| Unfit::Form)
    }
}

impl Form for Domain {
    const ALLOWED: &'static str = "a domain name, like \"mail.example.nl\"";

    fn read(text: &str) -> Result<Self, Unfit> {
        Self::parse(text).map_err(Unfit::because)
    }
}

impl Form for Mailbox {
    const ALLOWED: &'static str = "a mail address, like \"postmaster@example.nl\"";

    fn read(text: &str) -> Result<Self, Unfit> {
        Self::parse(text).map_err(Unfit::because)
    }
}

impl Form for NextHop {
    const ALLOWED: &'static str = "\"name\" or \"name:port\" (its MX records), \"[name]\" or \"[name]:port\" (that very \
                                   host), \"[address]\" or \"[address]:port\"";

    fn read(text: &str) -> Result<Self, Unfit> {
        Self::configured(text).map_err(|error| match error.problem {
            NextHopProblem::Form => Unfit::Form,
            NextHopProblem::BareAddress(_) | NextHopProblem::Name(_) => Unfit::because(error.problem),
        })
    }
}

impl Form for NonZeroU16 {
    const ALLOWED: &'static str = "a port from 1 to 65535, without quotes";

    fn read(_: &str) -> Result<Self, Unfit> {
        Err(Unfit::Form)
    }

    fn read_number(number: i64) -> Option<Self> {
        number.try_into().ok().and_then(Self::new)
    }
}

impl Form for NonZeroU32 {
    const ALLOWED: &'static str = "a whole number from 1 to 4294967295, without quotes";

    fn read(_: &str) -> Result<Self, Unfit> {
        Err(Unfit::Form)
    }

    fn read_number(number: i64) -> Option<Self> {
        number.try_into().ok().and_then(Self::new)
    }
}
