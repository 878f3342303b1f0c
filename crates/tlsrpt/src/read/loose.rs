//! JSON as reporters really write it: lists that are single values, numbers in quotes, fields that are missing or null.

use std::fmt;
use std::marker::PhantomData;

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

/// The most values of a report. All of them together take some hundred mebibytes at most, however small they are; a report
/// of the largest size has half as many.
const VALUES: usize = 1_000_000;

pub(super) fn parse(json: &[u8]) -> Result<Incoming, ReadFault> {
    let json = without_mark(json);
    let before_values = json.iter().filter(|octet| matches!(octet, b',' | b'{' | b'['));
    if before_values.count() > VALUES {
        return Err(ReadFault::TooMany(VALUES));
    }
    // What is no UTF-8 is seen in free text, and spoils nothing else.
    let text = String::from_utf8_lossy(json);
    let report: Maybe<Whole> = serde_json::from_str(&text).map_err(ReadFault::Json)?;
    let report = report.0.unwrap_or_default();
    let policies = report.policies.and_then(|policies| policies.0);
    let policies = policies.ok_or(ReadFault::NotReport)?;
    let range = report.date_range.and_then(|range| range.0).unwrap_or_default();
    Ok(Incoming {
        organization: plain(report.organization),
        contact: plain(report.contact),
        id: plain(report.id),
        start: plain(range.start),
        end: plain(range.end),
        unread: policies.unread,
        policies: policies.items.into_iter().map(Item::plain).collect(),
    })
}

/// JSON without the mark that some systems put before it (RFC 8259 §8.1).
pub(super) fn without_mark(octets: &[u8]) -> &[u8] {
    octets.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(octets)
}

/// An object of which some members are known. Of several with the same meaning the first counts.
trait Object: Default {
    /// Reads the value of the member with this name.
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error>;
}

/// Reads a value, and keeps it if there was none.
fn first<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    slot: &mut Option<T>,
    map: &mut A,
) -> Result<(), A::Error> {
    let value = map.next_value()?;
    slot.get_or_insert(value);
    Ok(())
}

/// Reads a value that nobody wants.
fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(|_| ())
}

#[derive(Default)]
struct Whole {
    organization: Option<Text>,
    date_range: Option<Maybe<DateRange>>,
    contact: Option<Text>,
    id: Option<Text>,
    policies: Option<Many<Item>>,
}

impl Object for Whole {
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "organization-name" => first(&mut self.organization, map),
            "date-range" => first(&mut self.date_range, map),
            "contact-info" => first(&mut self.contact, map),
            "report-id" => first(&mut self.id, map),
            "policies" => first(&mut self.policies, map),
            _ => skip(map),
        }
    }
}

#[derive(Default)]
struct DateRange {
    start: Option<Text>,
    end: Option<Text>,
}

impl Object for DateRange {
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "start-datetime" => first(&mut self.start, map),
            "end-datetime" => first(&mut self.end, map),
            _ => skip(map),
        }
    }
}

#[derive(Default)]
struct Item {
    policy: Option<Maybe<Named>>,
    summary: Option<Maybe<Summary>>,
    failures: Option<Many<Entry>>,
}

impl Object for Item {
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "policy" => first(&mut self.policy, map),
            "summary" => first(&mut self.summary, map),
            "failure-details" => first(&mut self.failures, map),
            _ => skip(map),
        }
    }
}

#[derive(Default)]
struct Named {
    kind: Option<Text>,
    strings: Option<Strings>,
    domain: Option<Text>,
    mx: Option<Strings>,
}

impl Object for Named {
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "policy-type" => first(&mut self.kind, map),
            "policy-string" => first(&mut self.strings, map),
            "policy-domain" => first(&mut self.domain, map),
            "mx-host" | "mx-host-pattern" => first(&mut self.mx, map),
            _ => skip(map),
        }
    }
}

#[derive(Default)]
struct Summary {
    successful: Option<Count>,
    failed: Option<Count>,
}

impl Object for Summary {
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "total-successful-session-count" => first(&mut self.successful, map),
            "total-failure-session-count" => first(&mut self.failed, map),
            _ => skip(map),
        }
    }
}

#[derive(Default)]
struct Entry {
    result: Option<Text>,
    sending_ip: Option<Text>,
    mx_host: Option<Text>,
    mx_helo: Option<Text>,
    receiving_ip: Option<Text>,
    count: Option<Count>,
    information: Option<Text>,
    reason: Option<Text>,
}

impl Object for Entry {
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "result-type" => first(&mut self.result, map),
            "sending-mta-ip" => first(&mut self.sending_ip, map),
            "receiving-mx-hostname" => first(&mut self.mx_host, map),
            "receiving-mx-helo" => first(&mut self.mx_helo, map),
            "receiving-ip" => first(&mut self.receiving_ip, map),
            "failed-session-count" => first(&mut self.count, map),
            "additional-information" => first(&mut self.information, map),
            // The name that it had in drafts of the RFC is seen as well.
            "failure-reason-code" | "failure-error-code" => first(&mut self.reason, map),
            _ => skip(map),
        }
    }
}

impl Item {
    fn plain(self) -> Policy {
        let named = self.policy.and_then(|policy| policy.0).unwrap_or_default();
        let summary = self.summary.and_then(|summary| summary.0).unwrap_or_default();
        let details = self.failures.and_then(|failures| failures.0).unwrap_or_default();
        Policy {
            kind: kind(plain(named.kind)),
            domain: plain(named.domain),
            strings: named.strings.unwrap_or_default().0,
            mx: named.mx.unwrap_or_default().0,
            successful: summary.successful.unwrap_or_default().0,
            failed: summary.failed.unwrap_or_default().0,
            unread: details.unread,
            failures: details.items.into_iter().filter_map(Entry::plain).collect(),
        }
    }
}

impl Entry {
    /// What says neither what was wrong nor how often says nothing.
    fn plain(self) -> Option<Detail> {
        let (result, count) = (plain(self.result), self.count.unwrap_or_default().0);
        if result.is_none() && count == 0 {
            return None;
        }
        Some(Detail {
            result: result.unwrap_or_else(|| "unknown".to_owned()),
            count,
            sending_ip: plain(self.sending_ip),
            mx_host: plain(self.mx_host),
            mx_helo: plain(self.mx_helo),
            receiving_ip: plain(self.receiving_ip),
            reason: plain(self.reason),
            information: plain(self.information),
        })
    }
}

fn plain(text: Option<Text>) -> Option<String> {
    text.and_then(|text| text.0)
}

fn kind(text: Option<String>) -> PolicyType {
    let Some(text) = text else {
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

/// An object; anything else is none.
struct Maybe<T>(Option<T>);

/// A list of objects, or a single one in its place; anything else is none. Members that are no objects are passed over.
struct Many<T>(Option<Listed<T>>);

struct Listed<T> {
    items: Vec<T>,
    unread: usize,
}

impl<T> Default for Listed<T> {
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

impl<'de, T: Object> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let listed = deserializer.deserialize_any(Objects {
            most: 0,
            kind: PhantomData,
        })?;
        Ok(Self(listed.and_then(|listed| listed.items.into_iter().next())))
    }
}

impl<'de, T: Object> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(Objects {
                most: ENTRIES,
                kind: PhantomData,
            })
            .map(Self)
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

/// Reads an object, or at most so many of a list; `None` is anything else.
struct Objects<T> {
    most: usize,
    kind: PhantomData<T>,
}

impl<'de, T: Object> Visitor<'de> for Objects<T> {
    type Value = Option<Listed<T>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut listed = Listed::default();
        while listed.items.len() < self.most
            && let Some(Maybe(item)) = list.next_element()?
        {
            listed.items.extend(item);
        }
        while list.next_element::<IgnoredAny>()?.is_some() {
            listed.unread += 1;
        }
        Ok((self.most > 0).then_some(listed))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut item = T::default();
        while let Some(name) = map.next_key::<String>()? {
            item.member(&name, &mut map)?;
        }
        Ok(Some(Listed {
            items: vec![item],
            unread: 0,
        }))
    }
}
