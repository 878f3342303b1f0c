//! The TXT record at `_mta-sts.<domain>` (RFC 8461 §3.1): it says that there is a policy, and which version.

use std::fmt;
use std::sync::Arc;

use mail::Domain;
use serde::{Deserialize, Serialize};

/// Records that begin with something else are not about MTA-STS.
const VERSION: &str = "v=STSv1";
/// The longest id, in octets.
const ID_LENGTH: usize = 32;
/// The longest name of a field, in octets.
const NAME_LENGTH: usize = 32;

/// The `id` of a record. Ids have no order: another id is another policy (RFC 8461 §3.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PolicyId(Arc<str>);

/// Why there is no live policy, though something is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// More than one record begins with `v=STSv1;`.
    #[error("there is more than one record that begins with v=STSv1")]
    Several,
    /// A field is not `name=value`.
    #[error("a field is not of the form name=value")]
    Field,
    /// There is no `id`.
    #[error("there is no id")]
    NoId,
    /// The `id` is not 1 to 32 letters and digits.
    #[error("the id is not 1 to 32 letters and digits")]
    Id,
}

impl PolicyId {
    /// Parses an id: 1 to 32 letters and digits. Case matters.
    pub fn parse(text: &str) -> Result<Self, RecordFault> {
        let is_id = (1..=ID_LENGTH).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        is_id.then(|| Self(text.into())).ok_or(RecordFault::Id)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for PolicyId {
    type Error = RecordFault;
    fn try_from(text: String) -> Result<Self, RecordFault> {
        Self::parse(&text)
    }
}

impl From<PolicyId> for String {
    fn from(id: PolicyId) -> Self {
        id.as_str().to_owned()
    }
}

/// Where a domain's record is; `None` if the name would be too long, so that there can be none.
pub fn record_name(domain: &Domain) -> Option<Domain> {
    Domain::parse(&format!("_mta-sts.{domain}")).ok()
}

/// The id that these TXT records publish; `None` if none of them is about MTA-STS. Each item is one record, its strings
/// joined without spaces.
pub fn published<R: AsRef<[u8]>>(records: &[R]) -> Result<Option<PolicyId>, RecordFault> {
    let mut about = records.iter().filter_map(|record| fields(record.as_ref()));
    match (about.next(), about.next()) {
        (None, _) => Ok(None),
        (Some(fields), None) => id(fields).map(Some),
        (Some(_), Some(_)) => Err(RecordFault::Several),
    }
}

/// What follows the version, from its semicolon on; `None` if the record is not about MTA-STS.
fn fields(record: &[u8]) -> Option<&[u8]> {
    let rest = record.strip_prefix(VERSION.as_bytes())?;
    // White space may stand before the delimiter: `*WSP ";" *WSP`.
    let blank = rest.iter().take_while(|octet| is_blank(**octet)).count();
    rest.get(blank..).filter(|rest| rest.first() == Some(&b';'))
}

/// The first `id` of the fields, all of which must be well formed. Unknown ones, and repeated ones after the first, are
/// ignored (RFC 8461 §3.2).
fn id(fields: &[u8]) -> Result<PolicyId, RecordFault> {
    let text = std::str::from_utf8(fields).map_err(|_| RecordFault::Field)?;
    let text = text.trim_end_matches([' ', '\t']);
    // The delimiter after the last field may be there or not.
    let text = text.strip_suffix(';').unwrap_or(text);
    let mut found = None;
    for field in text.split(';').skip(1) {
        let field = field.trim_matches([' ', '\t']);
        let (name, value) = field.split_once('=').ok_or(RecordFault::Field)?;
        if !is_name(name) {
            return Err(RecordFault::Field);
        }
        match name {
            "id" if found.is_none() => found = Some(PolicyId::parse(value)?),
            "id" => {}
            _ if is_value(value) => {}
            _ => return Err(RecordFault::Field),
        }
    }
    found.ok_or(RecordFault::NoId)
}

fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// Whether it can be the name of a field, in a record or in a policy.
pub(crate) fn is_name(name: &str) -> bool {
    let mut octets = name.bytes();
    octets.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && octets.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        && name.len() <= NAME_LENGTH
}

fn is_value(value: &str) -> bool {
    !value.is_empty()
        && value
            .bytes()
            .all(|b| matches!(b, 0x21..=0x3A | 0x3C | 0x3E..=0x7E))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn found(record: &str) -> Result<Option<String>, RecordFault> {
        Ok(published(&[record])?.map(String::from))
    }

    #[test]
    fn one_valid_record_has_an_id() {
        for (record, id) in [
            ("v=STSv1; id=20160831085700Z;", "20160831085700Z"),
            ("v=STSv1;id=1", "1"),
            ("v=STSv1 ;\tid=1 ; ", "1"),
            ("v=STSv1; foo=bar; id=aB3; x.y-z_1=!~", "aB3"),
            // Repeated fields: the first counts.
            ("v=STSv1; id=1; id=2", "1"),
            ("v=STSv1; id=1; id=bad-one", "1"),
            (
                "v=STSv1; id=abcdefghijklmnopqrstuvwxyz012345",
                "abcdefghijklmnopqrstuvwxyz012345",
            ),
        ] {
            assert_eq!(found(record), Ok(Some(id.to_owned())), "{record}");
        }
    }

    #[test]
    fn what_is_malformed_publishes_nothing() {
        for (record, fault) in [
            ("v=STSv1; id=abcdefghijklmnopqrstuvwxyz0123456", RecordFault::Id),
            ("v=STSv1; id=2016-08-31", RecordFault::Id),
            ("v=STSv1; id=", RecordFault::Id),
            ("v=STSv1; id=é", RecordFault::Id),
            ("v=STSv1;", RecordFault::NoId),
            ("v=STSv1; ID=1", RecordFault::NoId),
            ("v=STSv1; foo=bar", RecordFault::NoId),
            ("v=STSv1; id=1; foo", RecordFault::Field),
            ("v=STSv1; id=1; foo=", RecordFault::Field),
            ("v=STSv1; id=1; foo=a b", RecordFault::Field),
            ("v=STSv1; id=1; foo=a=b", RecordFault::Field),
            ("v=STSv1; id=1; =b", RecordFault::Field),
            ("v=STSv1; id=1;;", RecordFault::Field),
            ("v=STSv1; id =1", RecordFault::Field),
        ] {
            assert_eq!(found(record), Err(fault), "{record}");
        }
    }

    #[test]
    fn records_about_something_else_do_not_count() {
        let other = "google-site-verification=x";
        for record in [
            "",
            other,
            "v=STSv2; id=1",
            "v=STSv1",
            "V=STSv1; id=1",
            " v=STSv1; id=1",
            "v=STSv1x; id=1",
        ] {
            assert_eq!(found(record), Ok(None), "{record}");
        }
        let one = "v=STSv1; id=1";
        assert_eq!(published(&[other, one]), Ok(Some(PolicyId::parse("1").unwrap())));
        assert_eq!(published(&[one, other, one]), Err(RecordFault::Several));
        assert_eq!(published::<&str>(&[]), Ok(None));
    }

    #[test]
    fn a_domain_that_is_too_long_has_no_record() {
        let name = |text: &str| record_name(&Domain::parse(text).unwrap());
        assert_eq!(name("example.org").unwrap().as_str(), "_mta-sts.example.org");
        let long = format!("{}.org", ["a"; 123].join("."));
        assert_eq!(name(&long), None);
    }
}
