//! One word of a fixed few, as the value of a key.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::Error as WordError;
use serde::de::{DeserializeOwned, Error, IntoDeserializer, Visitor};
use serde::{Deserialize, Deserializer};

/// An enum without data that reads its words from a file, and names all of them when it finds something that is
/// not even a word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Word<T>(pub T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordVisitor(PhantomData)).map(Self)
    }
}

struct WordVisitor<T>(PhantomData<T>);

impl<T: DeserializeOwned> Visitor<'_> for WordVisitor<T> {
    type Value = T;

    /// Asks the enum itself: no variant is the empty word, so its refusal names those that there are.
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refusal: Result<T, WordError> = T::deserialize("".into_deserializer());
        let refusal = refusal.err().map(|error| error.to_string()).unwrap_or_default();
        let (_, words) = refusal.split_once("expected ").unwrap_or(("", "a word"));
        f.write_str(words)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::deserialize(text.into_deserializer())
    }
}
