//! The TXT record at `_smtp._tls.<domain>` (RFC 8460 §3): who wants reports about it, and where.

use std::fmt::{self, Write as _};

use https::{Url, UrlError};
use mail::{AddressError, Domain, Mailbox};

/// Records that begin with something else are not about TLS reports.
const VERSION: &str = "v=TLSRPTv1";
/// The longest name of a field, in octets.
const NAME_LENGTH: usize = 32;
/// The most places of one record that are used: each may cost a minute of trying. The others are passed over.
const PLACES: usize = 4;
/// The most places that are named as passed over.
const PASSED_OVER: usize = 10;
/// The longest place, in octets.
const LENGTH: usize = 2048;
/// The most octets of a place that is shown to people.
const SHOWN: usize = 100;

/// What a domain publishes about reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where reports are wanted, in the order in which it is written. If it is empty, nothing is sent.
    pub places: Vec<Place>,
    /// What is no place that a report could be sent to.
    pub passed_over: Vec<PassedOver>,
}

/// Where reports are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// At a mail address (RFC 6068).
    Mail(Mailbox),
    /// At a web server, by POST.
    Https(Url),
}

/// A place of a record that is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// As it is written, the beginning of it.
    pub written: String,
    /// Why.
    pub fault: PlaceFault,
}

/// Why a place cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceFault {
    /// The scheme is another one, or there is none.
    #[error("neither mailto: nor https:")]
    Scheme,
    /// A `%` is not followed by two hexadecimal digits, or the result is no text.
    #[error("its percent-encoding is wrong")]
    Encoding,
    /// It is too long.
    #[error("longer than {LENGTH} octets")]
    TooLong,
    /// It is no mail address.
    #[error("not a mail address: {0}")]
    Address(#[from] AddressError),
    /// The local part needs SMTPUTF8.
    #[error("the local part is not ASCII")]
    NotAscii,
    /// It is no web address.
    #[error("not a web address: {0}")]
    Url(#[from] UrlError),
    /// There are too many.
    #[error("only the first {PLACES} are used")]
    TooMany,
}

/// Why there is no valid record, though something is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// More than one record begins with `v=TLSRPTv1;`.
    #[error("there is more than one record that begins with v=TLSRPTv1")]
    Several,
    /// A field is not `name=value`.
    #[error("a field is not of the form name=value")]
    Field,
    /// There is no `rua`, or an empty one.
    #[error("there is no rua, which says where reports are wanted")]
    NoRua,
}

/// Where a domain's record is; `None` if the name would be too long, so that there can be none.
pub fn record_name(domain: &Domain) -> Option<Domain> {
    Domain::parse(&format!("_smtp._tls.{domain}")).ok()
}

/// What these TXT records publish; `None` if none of them is about TLS reports. Each item is one record, its strings joined
/// without spaces.
pub fn published<R: AsRef<[u8]>>(records: &[R]) -> Result<Option<Record>, RecordFault> {
    let mut about = records.iter().filter_map(|record| fields(record.as_ref()));
    match (about.next(), about.next()) {
        (None, _) => Ok(None),
        (Some(fields), None) => read(fields).map(Some),
        (Some(_), Some(_)) => Err(RecordFault::Several),
    }
}

/// Whether a TXT record is about TLS reports, valid or not.
pub fn is_about_reports(record: &[u8]) -> bool {
    fields(record).is_some()
}

/// What follows the version, from its semicolon on; `None` if the record is not about TLS reports.
fn fields(record: &[u8]) -> Option<&[u8]> {
    let rest = record.strip_prefix(VERSION.as_bytes())?;
    // White space may stand before the delimiter: `*WSP ";" *WSP`.
    let blank = rest
        .iter()
        .take_while(|octet| matches!(octet, b' ' | b'\t'))
        .count();
    rest.get(blank..).filter(|rest| rest.first() == Some(&b';'))
}

/// The places of the fields. Unknown fields are ignored whatever their values are: later versions of the record may have
/// them. Several `rua` count together, as the grammar allows them.
fn read(fields: &[u8]) -> Result<Record, RecordFault> {
    let text = std::str::from_utf8(fields).map_err(|_| RecordFault::Field)?;
    let text = text.trim_end_matches([' ', '\t']);
    // The delimiter after the last field may be there or not.
    let text = text.strip_suffix(';').unwrap_or(text);
    let mut written = Vec::new();
    for field in text.split(';').skip(1) {
        let field = field.trim_matches([' ', '\t']);
        let (name, value) = field.split_once('=').ok_or(RecordFault::Field)?;
        if !is_name(name) {
            return Err(RecordFault::Field);
        }
        if name == "rua" {
            written.extend(value.split(',').map(|place| place.trim_matches([' ', '\t'])));
        }
    }
    written.retain(|place| !place.is_empty());
    if written.is_empty() {
        return Err(RecordFault::NoRua);
    }
    let mut record = Record {
        places: Vec::new(),
        passed_over: Vec::new(),
    };
    for place in written {
        let read = if record.places.len() < PLACES {
            Place::parse(place)
        } else {
            Err(PlaceFault::TooMany)
        };
        match read {
            // One place twice would get everything twice.
            Ok(read) if record.places.contains(&read) => {}
            Ok(read) => record.places.push(read),
            Err(fault) => record.pass_over(place, fault),
        }
    }
    Ok(record)
}

impl Record {
    fn pass_over(&mut self, place: &str, fault: PlaceFault) {
        if self.passed_over.len() < PASSED_OVER {
            let written = place.get(..place.floor_char_boundary(SHOWN)).unwrap_or_default();
            self.passed_over.push(PassedOver {
                written: written.to_owned(),
                fault,
            });
        }
    }
}

impl Place {
    /// Parses an address of this kind: `mailto:` or `https:`. The names of schemes are in any case (RFC 3986 §3.1).
    pub fn parse(text: &str) -> Result<Self, PlaceFault> {
        if text.len() > LENGTH {
            return Err(PlaceFault::TooLong);
        }
        let (scheme, rest) = text.split_once(':').ok_or(PlaceFault::Scheme)?;
        if scheme.eq_ignore_ascii_case("https") {
            Ok(Self::Https(format!("https:{rest}").parse()?))
        } else if scheme.eq_ignore_ascii_case("mailto") {
            // What follows the question mark are fields of a message, which the report has of its own (RFC 6068 §2).
            let address = rest.split('?').next().unwrap_or_default();
            let mailbox = Mailbox::parse(&decoded(address).ok_or(PlaceFault::Encoding)?)?;
            // A domain beyond ASCII has A-labels; a local part would need SMTPUTF8 all the way.
            Ok(Self::Mail(mailbox.to_ascii().ok_or(PlaceFault::NotAscii)?))
        } else {
            Err(PlaceFault::Scheme)
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mail(mailbox) => {
                f.write_str("mailto:")?;
                mailbox.as_str().bytes().try_for_each(|octet| match octet {
                    b'-' | b'.' | b'_' | b'~' | b'@' | b'+' | b'=' => f.write_char(char::from(octet)),
                    _ if octet.is_ascii_alphanumeric() => f.write_char(char::from(octet)),
                    _ => write!(f, "%{octet:02X}"),
                })
            }
            Self::Https(url) => url.fmt(f),
        }
    }
}

/// The text that is percent-encoded (RFC 3986 §2.1).
fn decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            octets.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            octets.push(octet);
        }
    }
    String::from_utf8(octets).ok()
}

fn is_name(name: &str) -> bool {
    let mut octets = name.bytes();
    octets.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && octets.all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-' | b'.'))
        && name.len() <= NAME_LENGTH
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn places(record: &str) -> Vec<String> {
        let record = published(&[record]).unwrap().unwrap();
        record.places.iter().map(Place::to_string).collect()
    }

    fn passed_over(record: &str) -> Vec<PlaceFault> {
        let record = published(&[record]).unwrap().unwrap();
        record.passed_over.into_iter().map(|place| place.fault).collect()
    }

    #[test]
    fn places_are_found() {
        for (record, expected) in [
            (
                "v=TLSRPTv1;rua=mailto:reports@example.com",
                &["mailto:reports@example.com"][..],
            ),
            (
                "v=TLSRPTv1; foo=bar; rua=mailto:a@x.example , https://y.example/z?a=b;",
                &["mailto:a@x.example", "https://y.example/z?a=b"],
            ),
            ("v=TLSRPTv1 ;\trua=MAILTO:a@X.example ; ", &["mailto:a@X.example"]),
            ("v=TLSRPTv1;rua=HTTPS://y.example/", &["https://y.example/"]),
            // Commas, exclamation marks and semicolons come percent-encoded.
            (
                "v=TLSRPTv1;rua=mailto:a%21b%2B%63@x.example",
                &["mailto:a%21b+c@x.example"],
            ),
            (
                "v=TLSRPTv1;rua=https://y.example/a%2Cb%3Bc",
                &["https://y.example/a%2Cb%3Bc"],
            ),
            (
                "v=TLSRPTv1;rua=mailto:a@x.example?subject=b",
                &["mailto:a@x.example"],
            ),
            // The grammar allows several.
            (
                "v=TLSRPTv1;rua=mailto:a@x.example;rua=mailto:b@x.example",
                &["mailto:a@x.example", "mailto:b@x.example"],
            ),
            (
                "v=TLSRPTv1;rua=mailto:a@x.example,,mailto:a@x.example",
                &["mailto:a@x.example"],
            ),
            // A later version may have fields with other values.
            (
                "v=TLSRPTv1;x=a=b c\u{e9};rua=mailto:a@x.example",
                &["mailto:a@x.example"],
            ),
            (
                "v=TLSRPTv1;rua=mailto:a@b\u{fc}cher.example",
                &["mailto:a@xn--bcher-kva.example"],
            ),
        ] {
            assert_eq!(places(record), expected, "{record}");
        }
    }

    #[test]
    fn what_is_no_place_is_passed_over() {
        for (record, fault) in [
            ("v=TLSRPTv1;rua=ftp://x.example/", PlaceFault::Scheme),
            ("v=TLSRPTv1;rua=http://x.example/", PlaceFault::Scheme),
            ("v=TLSRPTv1;rua=reports@x.example", PlaceFault::Scheme),
            ("v=TLSRPTv1;rua=mailto:a%4@x.example", PlaceFault::Encoding),
            ("v=TLSRPTv1;rua=mailto:a%FF@x.example", PlaceFault::Encoding),
            ("v=TLSRPTv1;rua=mailto:\u{e9}@x.example", PlaceFault::NotAscii),
            (
                "v=TLSRPTv1;rua=mailto:x.example",
                PlaceFault::Address(AddressError::NoDomain),
            ),
            (
                "v=TLSRPTv1;rua=https://me:secret@x.example/",
                PlaceFault::Url(UrlError::Login),
            ),
        ] {
            assert!(places(record).is_empty(), "{record}");
            assert_eq!(passed_over(record), [fault], "{record}");
        }
        // An encoded line end makes no header field.
        assert!(matches!(
            *passed_over("v=TLSRPTv1;rua=mailto:a%0D%0ABcc:b@x.example"),
            [PlaceFault::Address(_)]
        ));
        let many: Vec<String> = (0..12).map(|n| format!("mailto:a{n}@x.example")).collect();
        let record = format!("v=TLSRPTv1;rua={}", many.join(","));
        assert_eq!(places(&record).len(), PLACES);
        assert_eq!(passed_over(&record), vec![PlaceFault::TooMany; 12 - PLACES]);
        let long = format!("v=TLSRPTv1;rua=https://x.example/{}", "a".repeat(LENGTH));
        assert_eq!(passed_over(&long), [PlaceFault::TooLong]);
    }

    #[test]
    fn what_is_malformed_publishes_nothing() {
        for (record, fault) in [
            ("v=TLSRPTv1;", RecordFault::NoRua),
            ("v=TLSRPTv1;;rua=mailto:a@x.example", RecordFault::Field),
            ("v=TLSRPTv1;rua", RecordFault::Field),
            ("v=TLSRPTv1;=a;rua=mailto:a@x.example", RecordFault::Field),
            ("v=TLSRPTv1;rua=", RecordFault::NoRua),
            ("v=TLSRPTv1;rua= , ", RecordFault::NoRua),
            ("v=TLSRPTv1;RUA=mailto:a@x.example", RecordFault::NoRua),
            ("v=TLSRPTv1;foo=bar", RecordFault::NoRua),
        ] {
            assert_eq!(published(&[record]), Err(fault), "{record}");
        }
    }

    #[test]
    fn exactly_one_record_counts() {
        let (other, one) = ("v=spf1 -all", "v=TLSRPTv1;rua=mailto:a@x.example");
        for record in [
            "",
            other,
            "v=TLSRPTv2;rua=mailto:a@x.example",
            "V=TLSRPTv1;rua=mailto:a@x.example",
            "v=TLSRPTv1",
        ] {
            assert_eq!(published(&[record]), Ok(None), "{record}");
        }
        assert!(matches!(published(&[other, one]), Ok(Some(_))));
        assert_eq!(published(&[one, other, one]), Err(RecordFault::Several));
        assert_eq!(published::<&str>(&[]), Ok(None));
    }

    #[test]
    fn the_record_has_its_place() {
        let name = |text: &str| record_name(&Domain::parse(text).unwrap());
        assert_eq!(name("example.org").unwrap().as_str(), "_smtp._tls.example.org");
        assert_eq!(name(&format!("{}.org", ["a"; 123].join("."))), None);
    }
}
