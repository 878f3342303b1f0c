//! Lets serde read the tree. If the tree does not have what the schema asks for, the refusal is worded here, so that no
//! type of the schema needs words of its own.

use std::slice;

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Expected, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde_spanned::de::{SpannedDeserializer, is_spanned};

use crate::forms::DATE;
use crate::node::{Entry, Node, Value};
use crate::refusal::Refusal;

/// Reads a node.
pub(crate) struct Reader<'a>(pub(super) &'a Node);

impl Reader<'_> {
    fn text<'de, V: Visitor<'de>>(self, visitor: V, allowed: &str) -> Result<V::Value, Refusal> {
        match &self.0.value {
            Value::Text(text) => visitor.visit_str(text),
            _ => Err(Refusal::form(allowed)),
        }
    }

    /// A whole number within these bounds.
    fn number<'de, V: Visitor<'de>>(self, visitor: V, low: i64, high: i64) -> Result<V::Value, Refusal> {
        match self.0.value {
            Value::Integer(number) if (low..=high).contains(&number) => visitor.visit_i64(number),
            _ => Err(Refusal::form(format!("a whole number from {low} to {high}"))),
        }
    }

    fn list<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match &self.0.value {
            Value::List(items) => visitor.visit_seq(Items(items.iter())),
            _ => Err(Refusal::form("a list in brackets, [a, b]")),
        }
    }

    fn table<'de, V: Visitor<'de>>(self, visitor: V, keys: &[&str]) -> Result<V::Value, Refusal> {
        let Value::Table(entries) = &self.0.value else {
            let keys: Vec<String> = keys.iter().map(|key| format!("{key:?}")).collect();
            let which = if keys.is_empty() { "" } else { " with the keys " };
            return Err(Refusal::form(format!("a table{which}{}", keys.join(", "))));
        };
        let entries = Entries {
            entries: entries.iter(),
            current: None,
        };
        visitor
            .visit_map(entries)
            .map_err(|refusal| refusal.at(&self.0.span))
    }
}

/// Methods for whole numbers, with the bounds of their types.
macro_rules! numbers {
    ($($method:ident $low:expr, $high:expr;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            self.number(visitor, $low.into(), $high.into())
        })*
    };
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Refusal;

    numbers! {
        deserialize_i8 i8::MIN, i8::MAX;
        deserialize_i16 i16::MIN, i16::MAX;
        deserialize_i32 i32::MIN, i32::MAX;
        deserialize_i64 i64::MIN, i64::MAX;
        deserialize_u8 u8::MIN, u8::MAX;
        deserialize_u16 u16::MIN, u16::MAX;
        deserialize_u32 u32::MIN, u32::MAX;
        // TOML has no larger ones.
        deserialize_u64 0, i64::MAX;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match &self.0.value {
            Value::Text(text) => visitor.visit_str(text),
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Boolean(truth) => visitor.visit_bool(*truth),
            Value::List(_) => self.list(visitor),
            Value::Table(_) => self.table(visitor, &[]),
            Value::Date(_) | Value::Other => Err(Refusal::form((&visitor as &dyn Expected).to_string())),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.0.value {
            Value::Boolean(truth) => visitor.visit_bool(truth),
            _ => Err(Refusal::form("true or false")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.text(visitor, "text in quotes")
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        match &self.0.value {
            Value::Date(date) if name == DATE => visitor.visit_str(date),
            _ if name == DATE => Err(Refusal::form((&visitor as &dyn Expected).to_string())),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.list(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.table(visitor, &[])
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        keys: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        if is_spanned(name) {
            let span = self.0.span.clone();
            visitor.visit_map(SpannedDeserializer::new(self, span))
        } else {
            self.table(visitor, keys)
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        match &self.0.value {
            Value::Text(text) if words.contains(&text.as_str()) => {
                visitor.visit_enum(text.as_str().into_deserializer())
            }
            _ => Err(Refusal::word(words)),
        }
    }

    serde::forward_to_deserialize_any! {
        f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct ignored_any
    }
}

impl IntoDeserializer<'_, Refusal> for Reader<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

struct Items<'a>(slice::Iter<'a, Node>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Refusal;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refusal> {
        let Some(item) = self.0.next() else {
            return Ok(None);
        };
        let value = seed
            .deserialize(Reader(item))
            .map_err(|refusal| refusal.at(&item.span))?;
        Ok(Some(value))
    }
}

struct Entries<'a> {
    entries: slice::Iter<'a, Entry>,
    /// The entry whose key was read last.
    current: Option<&'a Entry>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refusal> {
        self.current = self.entries.next();
        let Some(entry) = self.current else {
            return Ok(None);
        };
        let key: StrDeserializer<'_, Refusal> = entry.key.as_str().into_deserializer();
        let key = seed
            .deserialize(key)
            .map_err(|refusal| refusal.at(&entry.key_span))?;
        Ok(Some(key))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Refusal> {
        let entry = self.current.ok_or_else(|| Refusal::form("a value"))?;
        let value = seed.deserialize(Reader(&entry.node));
        value.map_err(|refusal| refusal.at(&entry.node.span).under(&entry.key))
    }
}
