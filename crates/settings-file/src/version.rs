//! The version of a file's format.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::forms::{self, Form, Unfit};

/// Version 1, the only one so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Version;

impl Version {
    const NUMBER: i64 = 1;
}

impl Form for Version {
    type Value = Self;

    const ALLOWED: &'static str = "the number 1, the only version so far";

    fn read(_: &str) -> Result<Self, Unfit> {
        Err(Unfit::Form)
    }

    fn read_number(number: i64) -> Option<Self> {
        (number == Self::NUMBER).then_some(Self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        forms::one::<Self, D>(deserializer)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(Self::NUMBER)
    }
}
