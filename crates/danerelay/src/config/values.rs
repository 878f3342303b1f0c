//! The types of the values: whether a value is empty or zero, and which types are paths.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use mail::{Domain, Mailbox};
use policy::pattern::Pattern;
use serde::{Deserializer, Serialize, Serializer};
use settings_file::forms::{self, Form};
use settings_file::{Interval, Size, Version};

use super::key::{Amount, Value};
use super::units::{ClientKey, Network, Server, UserSender};

/// A TCP port that can be connected to.
pub(crate) type Port = NonZeroU16;

/// An optional value: an empty string means none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Optional<T>(pub(crate) Option<T>);

impl<T> Default for Optional<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: fmt::Display> Serialize for Optional<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_str(""),
        }
    }
}

/// Reads such a value.
pub(super) fn optional<'de, F: Form, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Optional<F::Value>, D::Error> {
    forms::optional::<F, D>(deserializer).map(Optional)
}

impl<T: fmt::Display> Value for Optional<T> {
    fn amount(&self) -> Amount {
        if self.0.is_some() {
            Amount::Some
        } else {
            Amount::Empty
        }
    }
}

impl<T: Value> Value for Vec<T> {
    fn amount(&self) -> Amount {
        if self.is_empty() {
            Amount::Empty
        } else if self.iter().any(|value| value.amount() == Amount::Zero) {
            Amount::Zero
        } else {
            Amount::Some
        }
    }

    fn quantity(&self) -> u64 {
        self.iter().map(Value::quantity).max().unwrap_or(0)
    }
}

impl Value for String {
    fn amount(&self) -> Amount {
        if self.is_empty() {
            Amount::Empty
        } else {
            Amount::Some
        }
    }
}

/// An empty path means none.
impl Value for PathBuf {
    fn amount(&self) -> Amount {
        if self.as_os_str().is_empty() {
            Amount::Empty
        } else {
            Amount::Some
        }
    }

    fn make_absolute(&mut self, directory: &Path) {
        if !self.as_os_str().is_empty() {
            *self = directory.join(&*self);
        }
    }
}

impl Value for bool {
    fn amount(&self) -> Amount {
        if *self { Amount::Some } else { Amount::Zero }
    }
}

/// Types that can be zero, which is also their default.
macro_rules! quantities {
    ($($type:ty as $value:ident => $number:expr;)*) => {
        $(impl Value for $type {
            fn amount(&self) -> Amount {
                if *self == Self::default() { Amount::Zero } else { Amount::Some }
            }

            fn quantity(&self) -> u64 {
                let $value = *self;
                $number
            }
        })*
    };
}

quantities! {
    u32 as number => u64::from(number);
    u64 as number => number;
    Interval as interval => interval.0.as_secs();
    Size as size => size.0;
}

/// Types that are never empty or zero.
macro_rules! something {
    ($($type:ty),*) => {
        $(impl $crate::config::key::Value for $type {
            fn amount(&self) -> $crate::config::key::Amount {
                $crate::config::key::Amount::Some
            }
        })*
    };
}

pub(super) use something;

something!(
    Version, Port, SocketAddr, IpAddr, Domain, Mailbox, ClientKey, Network, Server, UserSender, Pattern
);
