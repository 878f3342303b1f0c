//! What is returned of the original: its header, as `text/rfc822-headers` (RFC 6522 §4). The body stays here, so that
//! a forged reverse-path does not make us send a stranger other people's mail.

use std::fmt::Write as _;

/// The most octets of the header that are returned.
const LENGTH: usize = 64 * 1024;
/// The longest line that may go out unencoded, in octets (RFC 5322 §2.1.1).
const LINE: usize = 998;
/// The longest line of quoted-printable text, in octets (RFC 2045 §6.7).
const ENCODED_LINE: usize = 76;
/// The longest message-id that is referred to, in octets.
const MESSAGE_ID: usize = 250;

/// The original's header, ready to be a part.
#[derive(Debug)]
pub(crate) struct OriginalHeader {
    /// 7-bit lines with CRLF ends.
    pub(crate) text: String,
    /// The value of Content-Transfer-Encoding.
    pub(crate) encoding: &'static str,
    /// The original's message-id without its brackets, if it has a sound one.
    pub(crate) message_id: Option<String>,
}

impl OriginalHeader {
    /// Reads the header at the beginning of `content`, which need not hold all of it.
    pub(crate) fn read(content: &[u8]) -> Self {
        let lines = header_lines(content);
        let plain = lines.iter().all(|line| is_plain(line));
        Self {
            text: lines.iter().map(|line| encode(line, plain)).collect(),
            encoding: if plain { "7bit" } else { "quoted-printable" },
            message_id: message_id(&lines),
        }
    }
}

/// The lines up to the blank one or to the limit, without their ends. A line that is cut off is not returned, for its
/// rest could change its meaning.
fn header_lines(content: &[u8]) -> Vec<&[u8]> {
    let (within, is_cut) = match content.split_at_checked(LENGTH) {
        Some((within, rest)) => (within, !rest.is_empty()),
        None => (content, false),
    };
    within
        .split_inclusive(|octet| *octet == b'\n')
        .filter(|line| line.ends_with(b"\n") || !is_cut)
        .map(|line| line.strip_suffix(b"\n").unwrap_or(line))
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .take_while(|line| !line.is_empty())
        .collect()
}

/// Whether a line can go out as it is.
fn is_plain(line: &[u8]) -> bool {
    line.len() <= LINE && line.iter().all(|octet| matches!(octet, b' '..=b'~' | b'\t'))
}

fn encode(line: &[u8], plain: bool) -> String {
    let mut encoded = String::with_capacity(line.len().saturating_add(2));
    if plain {
        encoded.extend(line.iter().copied().map(char::from));
    } else {
        quoted_printable(line, &mut encoded);
    }
    encoded.push_str("\r\n");
    encoded
}

/// Quoted-printable (RFC 2045 §6.7), strict about control characters: none of them is sent as it is.
fn quoted_printable(line: &[u8], encoded: &mut String) {
    let mut column = 0_usize;
    let mut octets = line.iter().peekable();
    while let Some(&octet) = octets.next() {
        // White space at the end of a line would be lost on the way.
        let at_end = octets.peek().is_none();
        let literal = match octet {
            b'=' => false,
            b' ' | b'\t' => !at_end,
            b'!'..=b'~' => true,
            _ => false,
        };
        let width = if literal { 1 } else { 3 };
        // The last column belongs to the "=" of a soft line break.
        if column.saturating_add(width) >= ENCODED_LINE {
            encoded.push_str("=\r\n");
            column = 0;
        }
        if literal {
            encoded.push(char::from(octet));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "={octet:02X}");
        }
        column = column.saturating_add(width);
    }
}

/// The message-id, to which the report refers (RFC 3834 §3.1.5). Only a sound one: it goes into our own header.
fn message_id(lines: &[&[u8]]) -> Option<String> {
    let mut lines = lines.iter().skip_while(|line| !is_message_id(line));
    let first = lines.next()?.splitn(2, |octet| *octet == b':').nth(1)?;
    // The field may be folded in front of its value.
    let folded = lines
        .next()
        .filter(|line| line.starts_with(b" ") || line.starts_with(b"\t"));
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

    fn read(content: &[u8]) -> OriginalHeader {
        OriginalHeader::read(content)
    }

    #[test]
    fn the_header_ends_at_the_blank_line() {
        let header = read(b"Subject: a\r\n\tb\r\nTo: c\n\r\nSecret body\r\n");
        assert_eq!(header.text, "Subject: a\r\n\tb\r\nTo: c\r\n");
        assert_eq!(header.encoding, "7bit");
    }

    #[test]
    fn a_message_of_nothing_but_a_header_is_read_to_its_end() {
        assert_eq!(read(b"Subject: a").text, "Subject: a\r\n");
        assert_eq!(read(b"").text, "");
        assert_eq!(read(b"\r\nbody").text, "");
    }

    #[test]
    fn the_header_is_cut_at_a_line_end() {
        let line = format!("X: {}\r\n", "y".repeat(95));
        let header = read(line.repeat(1000).as_bytes());
        assert_eq!(header.text.len(), LENGTH / 100 * 100);
        assert!(header.text.ends_with("y\r\n"));
        assert_eq!(read("x".repeat(LENGTH + 1).as_bytes()).text, "");
    }

    #[test]
    fn what_is_not_seven_bit_is_quoted() {
        for (original, quoted) in [
            (&b"Subject: caf\xe9 = x"[..], "Subject: caf=E9 =3D x\r\n"),
            (b"X: a\0b\r\nY: c \r\n", "X: a=00b\r\nY: c=20\r\n"),
            (b"X: a\rb\x1b\r\n", "X: a=0Db=1B\r\n"),
        ] {
            let header = read(original);
            assert_eq!(header.text, quoted);
            assert_eq!(header.encoding, "quoted-printable");
        }
    }

    #[test]
    fn long_lines_are_quoted_and_broken_softly() {
        let header = read(format!("X: {}\r\n", "\u{e9}y".repeat(600)).as_bytes());
        assert!(header.text.lines().all(|line| line.len() <= ENCODED_LINE));
        let joined = header.text.replace("=\r\n", "");
        assert_eq!(joined, format!("X: {}\r\n", "=C3=A9y".repeat(600)));
        assert_eq!(read("x".repeat(LINE).as_bytes()).encoding, "7bit");
        assert_eq!(read("x".repeat(LINE + 1).as_bytes()).encoding, "quoted-printable");
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
            assert_eq!(read(field.as_bytes()).message_id.as_deref(), id, "{field}");
        }
    }
}
