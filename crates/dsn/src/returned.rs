//! What is returned of the original (RFC 3461 §6.2, RFC 6522 §3): its header, or all of it if its sender asked for that.
//! Unless asked, we do not return the body, so that a forged reverse-path does not make us send other people's mail to a
//! stranger.

use mail::BodyType;

use crate::encoding::{Encoded, Way, encode, identity};
use crate::report::Report;

/// The most octets of a header that are returned. No header written by people or their programs comes near this.
const HEADER: usize = 64 * 1024;
/// The most octets of a message that is returned whole: a letter with a small picture. RFC 3461 §6.2 leaves the number to
/// us; this one is common among mail systems, and limits what a report takes in the queue.
const MESSAGE: u64 = 100 * 1024;
/// The longest message-id that is referred to, in octets.
const MESSAGE_ID: usize = 250;

/// What is returned, and what the report must know about the original.
#[derive(Debug)]
pub(crate) struct Returned {
    /// The last part of the report; `None` if there is nothing to return.
    pub(crate) part: Option<Part>,
    /// How much of the original the part holds.
    pub(crate) extent: Extent,
    /// The original's message-id without its brackets, if it has a valid one.
    pub(crate) message_id: Option<String>,
}

/// A part of the report, in its transfer encoding.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) content_type: &'static str,
    pub(crate) body: Encoded,
}

/// How much of the original is returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it.
    Message,
    /// Its header.
    Header,
    /// The first fields of its header.
    HeaderBeginning,
    /// Nothing.
    Nothing,
}

impl Report {
    /// How many octets from the start of the original are needed to build this: never more than 100 KiB.
    pub fn wanted(&self) -> usize {
        wanted(self)
    }
}

/// How many octets of the original are needed: all if it is to be returned whole, otherwise as many as its header may have.
fn wanted(report: &Report) -> usize {
    let limit = u64::try_from(HEADER).unwrap_or(u64::MAX);
    let wanted = if may_return_all(report) {
        report.size
    } else {
        report.size.min(limit)
    };
    usize::try_from(wanted).unwrap_or(HEADER)
}

/// Whether it was asked for, is not too large, and can be sent as it is.
fn may_return_all(report: &Report) -> bool {
    let passes = match (report.parameters.body, report.way()) {
        (BodyType::SevenBit, Way::SevenBit | Way::International)
        | (BodyType::EightBitMime, Way::International) => true,
        (BodyType::EightBitMime, Way::SevenBit) => false,
    };
    report.asks_for_all() && report.size <= MESSAGE && passes
}

impl Returned {
    /// `content` is the start of the original, as much of it as is available.
    pub(crate) fn new(report: &Report, content: &[u8]) -> Self {
        let header = Header::read(content, report.size);
        let message_id = message_id(&header.lines);
        let (part, extent) = if let Some(part) = whole(report, content, &header) {
            (Some(part), Extent::Message)
        } else if header.lines.is_empty() {
            (None, Extent::Nothing)
        } else if header.is_cut {
            (Some(header_part(report, &header)), Extent::HeaderBeginning)
        } else {
            (Some(header_part(report, &header)), Extent::Header)
        };
        Self {
            part,
            extent,
            message_id,
        }
    }
}

/// The whole message, with a type that fits its header (RFC 6522 §3, RFC 6533 §4.2).
fn whole(report: &Report, content: &[u8], header: &Header<'_>) -> Option<Part> {
    let is_complete = u64::try_from(content.len()).is_ok_and(|length| length == report.size);
    if !may_return_all(report) || !is_complete || header.is_cut {
        return None;
    }
    let content_type = match header.characters() {
        Characters::Ascii => "message/rfc822",
        Characters::Utf8 => "message/global",
        Characters::Other => return None,
    };
    let body = Encoded {
        name: identity(content, report.way())?,
        octets: content.to_vec(),
    };
    Some(Part { content_type, body })
}

/// The header alone: `text/rfc822-headers` (RFC 6522 §4), or `message/global-headers` (RFC 6533 §4.3) if it belongs to an
/// SMTPUTF8 message and contains UTF-8. Either may be quoted-printable, if the way back has seven bits (§4.5).
fn header_part(report: &Report, header: &Header<'_>) -> Part {
    let (content_type, way) = match header.characters() {
        Characters::Utf8 if needed_smtputf8(report) => ("message/global-headers", report.way()),
        // Nobody knows which characters the octets stand for: they are returned without declaring a character set.
        Characters::Ascii | Characters::Utf8 | Characters::Other => ("text/rfc822-headers", Way::SevenBit),
    };
    Part {
        content_type,
        body: encode(&header.lines, way),
    }
}

/// Whether the original came with SMTPUTF8 and needed it: only then can it have such recipients. Our own trace field may
/// name one.
fn needed_smtputf8(report: &Report) -> bool {
    let mut recipients = report.recipients.iter();
    report.parameters.smtputf8 || recipients.any(|recipient| !recipient.address.is_ascii())
}

/// What a header's octets stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Characters {
    Ascii,
    Utf8,
    Other,
}

#[derive(Debug)]
struct Header<'a> {
    /// Its lines without their ends.
    lines: Vec<&'a [u8]>,
    /// Whether fields are missing at the end.
    is_cut: bool,
}

impl<'a> Header<'a> {
    /// Reads the header of a message of `size` octets, of which `content` is the available start. It is cut between two
    /// fields: half a field could mean something else. It ends at the first line that is not part of a field, blank or not:
    /// what follows may be the body.
    fn read(content: &'a [u8], size: u64) -> Self {
        let within = content.get(..HEADER).unwrap_or(content);
        let is_cut = u64::try_from(within.len()).is_ok_and(|length| length < size);
        let mut lines = Vec::new();
        for line in within.split_inclusive(|octet| *octet == b'\n') {
            let may_go_on = is_cut && !line.ends_with(b"\n");
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let continues = is_continuation(line) && !lines.is_empty() && !line.trim_ascii().is_empty();
            if !may_go_on && !continues && !begins_field(line) {
                return Self { lines, is_cut: false };
            }
            lines.push(line);
        }
        if is_cut {
            while lines.pop().is_some_and(is_continuation) {}
        }
        Self { lines, is_cut }
    }

    fn characters(&self) -> Characters {
        if self.lines.iter().all(|line| line.is_ascii()) {
            Characters::Ascii
        } else if self.lines.iter().all(|line| std::str::from_utf8(line).is_ok()) {
            Characters::Utf8
        } else {
            Characters::Other
        }
    }
}

/// Whether a field begins here: its name and a colon (RFC 5322 §2.2), with nothing but blanks between them (§4.5.8).
fn begins_field(line: &[u8]) -> bool {
    let mut parts = line.splitn(2, |octet| *octet == b':');
    let name = parts.next().unwrap_or_default().trim_ascii_end();
    parts.next().is_some() && !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
}

fn is_continuation(line: &[u8]) -> bool {
    line.starts_with(b" ") || line.starts_with(b"\t")
}

/// The message-id that the report refers to (RFC 3834 §3.1.5). Only a valid one, because it goes into our own header.
fn message_id(lines: &[&[u8]]) -> Option<String> {
    let mut lines = lines.iter().skip_while(|line| !is_message_id(line));
    let first = lines.next()?.splitn(2, |octet| *octet == b':').nth(1)?;
    // The field may be folded in front of its value.
    let folded = lines.next().filter(|line| is_continuation(line));
    let value = match (first.trim_ascii(), folded) {
        (b"", Some(line)) => line.trim_ascii(),
        (value, _) => value,
    };
    let id = std::str::from_utf8(value).ok()?;
    let id = id.strip_prefix('<')?.strip_suffix('>')?;
    let is_sound = id.len() <= MESSAGE_ID
        && id.contains('@')
        && id
            .chars()
            .all(|c| c.is_ascii_graphic() && !"<>()\\\"".contains(c));
    is_sound.then(|| id.to_owned())
}

fn is_message_id(line: &[u8]) -> bool {
    line.splitn(2, |octet| *octet == b':')
        .next()
        .is_some_and(|name| name.trim_ascii_end().eq_ignore_ascii_case(b"Message-ID"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The lines, joined by `|`, and whether fields are missing.
    fn read(content: &[u8]) -> (String, bool) {
        let header = Header::read(content, content.len().try_into().unwrap());
        let lines = header.lines.join(&b'|');
        (String::from_utf8(lines).unwrap(), header.is_cut)
    }

    #[test]
    fn the_header_ends_at_the_blank_line() {
        for (content, lines) in [
            (
                &b"Subject: a\r\n\tb\r\nTo: c\n\r\nSecret body\r\n"[..],
                "Subject: a|\tb|To: c",
            ),
            (b"Subject: a", "Subject: a"),
            (b"", ""),
            (b"\r\nbody", ""),
            // Without a blank line the header ends where the fields end.
            (b"Subject: x\r\nSecret body\r\nTo: c\r\n", "Subject: x"),
            (b"Subject: x\r\nS\xe9cret: body\r\n", "Subject: x"),
            (b"Subject: x\r\n: secret\r\n", "Subject: x"),
            (b"Subject: x\r\n \t\r\n Secret body\r\n", "Subject: x"),
            (b" Secret body\r\nSubject: x\r\n", ""),
            (b"Subject : x\r\n y\r\nX-Y_z!:\r\n\r\n", "Subject : x| y|X-Y_z!:"),
        ] {
            assert_eq!(read(content), (lines.to_owned(), false));
        }
    }

    #[test]
    fn a_long_header_is_cut_between_fields() {
        let field = format!("X: {}\r\n\tfolded {}\r\n", "y".repeat(95), "z".repeat(40));
        let content = field.repeat(1000);
        let (lines, is_cut) = read(content.as_bytes());
        assert!(is_cut);
        assert!(lines.ends_with(&format!("folded {}", "z".repeat(40))));
        assert_eq!(lines.matches("X: ").count(), HEADER / field.len());
        let one_field = format!("X: y\r\n{}", " z\r\n".repeat(HEADER / 4));
        assert_eq!(read(one_field.as_bytes()), (String::new(), true));
    }

    #[test]
    fn a_header_that_was_not_read_to_its_end_is_cut() {
        let header = Header::read(b"A: b\r\nC: d\r\n", 100);
        assert_eq!((header.lines, header.is_cut), (vec![&b"A: b"[..]], true));
        // Nobody knows how the next octets would continue the last line.
        let header = Header::read(b"A: b\r\nC", 100);
        assert_eq!((header.lines, header.is_cut), (vec![&b"A: b"[..]], true));
    }

    #[test]
    fn message_ids() {
        for (field, id) in [
            ("Message-ID: <a.b@c>", Some("a.b@c")),
            (
                "X: y\r\nmessage-id :\r\n <a@b> \r\nMessage-ID: <second@x>",
                Some("a@b"),
            ),
            ("Message-ID: <a@b> (comment)", None),
            ("Message-ID: <a@b>>", None),
            ("Message-ID: <no-at>", None),
            ("Message-ID: <a\u{e9}@b>", None),
            ("Message-ID: <a @b>", None),
            ("X-Message-ID: <a@b>", None),
        ] {
            let header = Header::read(field.as_bytes(), 0);
            assert_eq!(message_id(&header.lines).as_deref(), id, "{field}");
        }
    }
}
