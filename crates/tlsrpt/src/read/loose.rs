//! JSON as reporters really write it: lists that are single values, numbers in quotes, fields that are missing or null.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::fault::ReadFault;
use super::incoming::{Detail, Incoming, Policy, PolicyType};

/// The most policies, and the most details of one, that are read.
const ENTRIES: usize = 10_000;
/// The most strings of a policy.
const STRINGS: usize = 1000;
/// The most octets of a text; a TLSA record with a whole certificate is longer than most.
const TEXT: usize = 16 << 10;

pub(super) fn parse(json: &[u8]) -> Result<Incoming, ReadFault> {
    // What is no UTF-8 is seen in free text, and spoils nothing else.
    let text = String::from_utf8_lossy(without_mark(json));
    let report: Whole = serde_json::from_str(&text).map_err(ReadFault::Json)?;
    let policies = report.policies.ok_or(ReadFault::NotReport)?;
    let range = report.date_range.unwrap_or_default();
    Ok(Incoming {
        organization: report.organization_name.0,
        contact: report.contact_info.0,
        id: report.report_id.0,
        start: range.start_datetime.0,
        end: range.end_datetime.0,
        unread: policies.unread,
        policies: policies.items.into_iter().map(Item::plain).collect(),
    })
}

/// JSON without the mark that some systems put before it (RFC 8259 §8.1).
pub(super) fn without_mark(octets: &[u8]) -> &[u8] {
    octets.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(octets)
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Whole {
    #[serde(default)]
    organization_name: Text,
    #[serde(default)]
    date_range: Option<DateRange>,
    #[serde(default)]
    contact_info: Text,
    #[serde(default)]
    report_id: Text,
    #[serde(default)]
    policies: Option<Many<Item>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct DateRange {
    start_datetime: Text,
    end_datetime: Text,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct Item {
    policy: Option<Named>,
    summary: Option<Summary>,
    failure_details: Option<Many<Entry>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct Named {
    policy_type: Text,
    policy_string: Strings,
    policy_domain: Text,
    #[serde(alias = "mx-host-pattern")]
    mx_host: Strings,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct Summary {
    total_successful_session_count: Count,
    total_failure_session_count: Count,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct Entry {
    result_type: Text,
    sending_mta_ip: Text,
    receiving_mx_hostname: Text,
    receiving_mx_helo: Text,
    receiving_ip: Text,
    failed_session_count: Count,
    additional_information: Text,
    // The spelling of the text of the RFC before its schema was settled is seen as well.
    #[serde(alias = "failure-error-code")]
    failure_reason_code: Text,
}

impl Item {
    fn plain(self) -> Policy {
        let named = self.policy.unwrap_or_default();
        let summary = self.summary.unwrap_or_default();
        let details = self.failure_details.unwrap_or_default();
        Policy {
            kind: kind(named.policy_type),
            domain: named.policy_domain.0,
            strings: named.policy_string.0,
            mx: named.mx_host.0,
            successful: summary.total_successful_session_count.0,
            failed: summary.total_failure_session_count.0,
            unread: details.unread,
            // What says neither what was wrong nor how often says nothing.
            failures: details
                .items
                .into_iter()
                .filter(|failure| failure.result_type.0.is_some() || failure.failed_session_count.0 > 0)
                .map(Entry::plain)
                .collect(),
        }
    }
}

impl Entry {
    fn plain(self) -> Detail {
        Detail {
            result: self.result_type.0.unwrap_or_else(|| "unknown".to_owned()),
            count: self.failed_session_count.0,
            sending_ip: self.sending_mta_ip.0,
            mx_host: self.receiving_mx_hostname.0,
            mx_helo: self.receiving_mx_helo.0,
            receiving_ip: self.receiving_ip.0,
            reason: self.failure_reason_code.0,
            information: self.additional_information.0,
        }
    }
}

fn kind(text: Text) -> PolicyType {
    let Some(text) = text.0 else {
        return PolicyType::Missing;
    };
    match text.to_ascii_lowercase().as_str() {
        "tlsa" => PolicyType::Tlsa,
        "sts" => PolicyType::Sts,
        "no-policy-found" => PolicyType::NoPolicyFound,
        _ => PolicyType::Other(text),
    }
}

/// A text; a number or a truth value is one as well, and what is empty or something else is none.
#[derive(Default)]
struct Text(Option<String>);

/// Texts: a list, or a single one with the parts of RFC 8460 §4 between semicolons or line ends.
#[derive(Default)]
struct Strings(Vec<String>);

/// A whole number, in quotes or not. What is none counts as 0.
#[derive(Default)]
struct Count(u64);

/// A list, or a single object in its place.
struct Many<T> {
    items: Vec<T>,
    unread: usize,
}

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            unread: 0,
        }
    }
}

impl Text {
    fn of(text: &str) -> Self {
        let text = text.trim();
        let text = text.get(..text.floor_char_boundary(TEXT)).unwrap_or_default();
        Self(Some(text.to_owned()).filter(|text| !text.is_empty()))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match deserializer.deserialize_any(Value)? {
            Scalar::Text(text) => Self::of(&text),
            Scalar::Number(number) => Self(Some(number.to_string())),
            Scalar::Texts(texts) => texts.first().map_or_else(Self::default, |first| Self::of(first)),
            Scalar::Other => Self(None),
        })
    }
}

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = match deserializer.deserialize_any(Value)? {
            Scalar::Text(text) => text.split([';', '\n']).map(str::to_owned).take(STRINGS).collect(),
            Scalar::Texts(texts) => texts,
            Scalar::Number(number) => vec![number.to_string()],
            Scalar::Other => Vec::new(),
        };
        Ok(Self(texts.iter().filter_map(|text| Text::of(text).0).collect()))
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match deserializer.deserialize_any(Value)? {
            Scalar::Number(number) => Self(number),
            Scalar::Text(text) => Self(text.trim().parse().unwrap_or(0)),
            Scalar::Texts(_) | Scalar::Other => Self(0),
        })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(List(PhantomData))
    }
}

/// What any value is here.
enum Scalar {
    Text(String),
    Number(u64),
    Texts(Vec<String>),
    Other,
}

struct Value;

impl<'de> Visitor<'de> for Value {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Scalar, E> {
        Ok(Scalar::Other)
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "floats saturate, and what is none is 0"
    )]
    fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number as u64))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Scalar, E> {
        Ok(Scalar::Other)
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar, A::Error> {
        let mut texts = Vec::new();
        while texts.len() < STRINGS
            && let Some(Text(text)) = list.next_element()?
        {
            texts.extend(text);
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Texts(texts))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

struct List<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
    type Value = Many<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_unit<E>(self) -> Result<Many<T>, E> {
        Ok(Many::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Many<T>, A::Error> {
        let mut many = Many::default();
        while many.items.len() < ENTRIES
            && let Some(item) = list.next_element()?
        {
            many.items.push(item);
        }
        while list.next_element::<IgnoredAny>()?.is_some() {
            many.unread += 1;
        }
        Ok(many)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Many<T>, A::Error> {
        let item = T::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Many {
            items: vec![item],
            unread: 0,
        })
    }
}
