//! Finds the report in what brought it.

use mail_parser::{HeaderName, Message, MessageParser, MessagePart, MimeHeaders as _, PartType};

use super::fault::ReadFault;
use super::incoming::Carrier;
use super::loose::without_mark;
use crate::gzip;

/// The most octets that are taken of mail or compressed reports.
pub const INPUT: usize = 32 << 20;
/// The most octets of a report that is not compressed. Ten megabytes are the largest that receivers are seen to take (RFC
/// 8460 §5.2).
pub const REPORT: usize = 16 << 20;

/// How many messages deep it is looked for: forwarded as an attachment, and that once more.
const DEPTH: usize = 3;
/// The most parts of a mail that are named to people.
const NAMED: usize = 5;
/// The most octets of a field that are kept, and the most signatures.
const FIELD: usize = 256;
const SIGNATURES: usize = 10;

/// The report itself, and the mail around it.
pub(super) struct Found {
    pub(super) json: Vec<u8>,
    pub(super) carrier: Option<Carrier>,
    /// How many more there are.
    pub(super) more: usize,
}

pub(super) fn unpack(octets: &[u8]) -> Result<Found, ReadFault> {
    if octets.len() > INPUT {
        return Err(ReadFault::TooLarge(INPUT));
    }
    let text = without_mark(octets).trim_ascii_start();
    match text.first() {
        None => Err(ReadFault::Empty),
        Some(b'{' | b'[') => Ok(Found {
            json: whole(text)?.to_vec(),
            carrier: None,
            more: 0,
        }),
        Some(_) if gzip::is_gzip(octets) => Ok(Found {
            json: gzip::unpack(octets, REPORT)?,
            carrier: None,
            more: 0,
        }),
        Some(_) => from_mail(text),
    }
}

fn whole(json: &[u8]) -> Result<&[u8], ReadFault> {
    (json.len() <= REPORT)
        .then_some(json)
        .ok_or(ReadFault::TooLarge(REPORT))
}

fn from_mail(octets: &[u8]) -> Result<Found, ReadFault> {
    let (octets, later) = first_of_mbox(octets);
    if !begins_with_a_field(octets) {
        return Err(ReadFault::Unknown);
    }
    let message = MessageParser::default().parse(octets);
    let message = message.ok_or(ReadFault::Unknown)?;
    let (carrier, part) = search(&message, DEPTH).ok_or_else(|| without_report(&message))?;
    let contents = part.contents();
    let json = if gzip::is_gzip(contents) {
        gzip::unpack(contents, REPORT)?
    } else {
        whole(contents)?.to_vec()
    };
    let beside = carrier.parts.iter().filter(|other| rank(other) == rank(part));
    Ok(Found {
        json,
        carrier: Some(carrier_of(carrier)),
        more: later.saturating_add(beside.count().saturating_sub(1)),
    })
}

/// The first message of an mbox, and how many follow: each begins behind a line "From …" that follows a blank one (RFC 4155).
/// Anything else is one message.
fn first_of_mbox(octets: &[u8]) -> (&[u8], usize) {
    const BEGINNING: &[u8] = b"From ";
    if !octets.starts_with(BEGINNING) {
        return (octets, 0);
    }
    let (mut first, mut later) = (None, 0);
    let (mut place, mut start, mut is_blank) = (0_usize, 0, false);
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        if place > 0 && is_blank && line.starts_with(BEGINNING) {
            first = first.or(Some(place));
            later += 1;
        } else if place == 0 {
            start = line.len();
        }
        is_blank = line.trim_ascii().is_empty();
        place = place.saturating_add(line.len());
    }
    let message = octets.get(start..first.unwrap_or(octets.len()));
    (message.unwrap_or_default(), later)
}

/// Whether there is a name and a colon (RFC 5322 §2.2), as at the beginning of every message.
fn begins_with_a_field(octets: &[u8]) -> bool {
    let name = octets.split(|octet| *octet == b':').next().unwrap_or_default();
    let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    is_name && name.len() < octets.len()
}

/// The part with the report, and the message whose part it is.
fn search<'a>(message: &'a Message<'a>, depth: usize) -> Option<(&'a Message<'a>, &'a MessagePart<'a>)> {
    let best = message.parts.iter().filter_map(|part| Some((rank(part)?, part)));
    if let Some((_, part)) = best.min_by_key(|(rank, _)| *rank) {
        return Some((message, part));
    }
    let inner = message.parts.iter().filter_map(|part| match &part.body {
        PartType::Message(inner) if depth > 1 => search(inner, depth - 1),
        _ => None,
    });
    inner.into_iter().next()
}

/// How surely the part is a report, 0 most; `None` if it is none. Some reporters name the media types of its form.
fn rank(part: &MessagePart<'_>) -> Option<u8> {
    if matches!(part.body, PartType::Multipart(_) | PartType::Message(_)) {
        return None;
    }
    let name = part.attachment_name().unwrap_or_default().to_ascii_lowercase();
    match kind(part).as_str() {
        "application/tlsrpt+gzip" | "application/tlsrpt+json" => Some(0),
        _ if has_suffix(&name, ".json.gz") || has_suffix(&name, ".json") => Some(1),
        "application/gzip" | "application/x-gzip" | "application/json" => Some(2),
        _ => None,
    }
}

fn has_suffix(name: &str, suffix: &str) -> bool {
    name.ends_with(suffix)
}

fn kind(part: &MessagePart<'_>) -> String {
    let Some(content_type) = part.content_type() else {
        return "text/plain".to_owned();
    };
    let subtype = content_type.subtype().unwrap_or("?");
    format!("{}/{subtype}", content_type.ctype()).to_ascii_lowercase()
}

fn without_report(message: &Message<'_>) -> ReadFault {
    let parts = message
        .parts
        .iter()
        .filter(|part| !matches!(part.body, PartType::Multipart(_)));
    let mut kinds: Vec<String> = parts.map(kind).collect();
    kinds.dedup();
    let more = kinds.len() > NAMED;
    kinds.truncate(NAMED);
    let kinds: Vec<String> = kinds.iter().map(|kind| cut(kind)).collect();
    ReadFault::NoReport(format!(
        "{}{}",
        kinds.join(", "),
        if more { " and more" } else { "" }
    ))
}

fn carrier_of(message: &Message<'_>) -> Carrier {
    let from = message.from().and_then(|from| from.first());
    let submitter = message.header_raw(HeaderName::TlsReportSubmitter).map(str::trim);
    let signatures = message
        .headers_raw()
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("DKIM-Signature"));
    Carrier {
        from: from.and_then(|from| from.address()).map(cut),
        submitter: submitter.filter(|value| !value.is_empty()).map(cut),
        signed_by: signatures
            .take(SIGNATURES)
            .map(|(_, value)| signing_domain(value))
            .collect(),
    }
}

/// The `d=` of a signature (RFC 6376 §3.5).
fn signing_domain(value: &str) -> String {
    let tags = value.split(';').filter_map(|tag| tag.split_once('='));
    let mut domains = tags
        .filter(|(name, _)| name.trim() == "d")
        .map(|(_, domain)| domain.trim());
    domains.next().map_or_else(|| "?".to_owned(), cut)
}

fn cut(text: &str) -> String {
    text.get(..text.floor_char_boundary(FIELD))
        .unwrap_or_default()
        .to_owned()
}
