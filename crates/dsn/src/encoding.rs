//! Octets encoded for the way they take: unchanged, or as quoted-printable text (RFC 2045 §6).

use std::fmt::Write as _;

/// The longest line that may be sent as it is, in octets without its end (RFC 5322 §2.1.1).
const LINE: usize = 998;
/// The longest line of quoted-printable text, in octets (RFC 2045 §6.7).
const ENCODED_LINE: usize = 76;

/// What the way back to the sender can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Seven bits; nothing more is known about it.
    SevenBit,
    /// SMTPUTF8, and with it 8BITMIME (RFC 6531 §3.1).
    International,
}

/// A body in its transfer encoding, of lines with CRLF ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Encoded {
    /// The value of Content-Transfer-Encoding.
    pub(crate) name: &'static str,
    /// The body.
    pub(crate) octets: Vec<u8>,
}

/// Lines, given without their ends, in the simplest encoding with which they get through. Control characters are never sent
/// as they are.
pub(crate) fn encode<L: AsRef<[u8]>>(lines: &[L], way: Way) -> Encoded {
    let all = |test: fn(&[u8]) -> bool| lines.iter().all(|line| test(line.as_ref()));
    let name = match way {
        Way::SevenBit | Way::International if all(is_plain) => "7bit",
        Way::International if all(is_plain_8bit) => "8bit",
        Way::SevenBit | Way::International => "quoted-printable",
    };
    let mut octets = Vec::new();
    for line in lines {
        if name == "quoted-printable" {
            octets.extend_from_slice(quoted_printable(line.as_ref()).as_bytes());
        } else {
            octets.extend_from_slice(line.as_ref());
        }
        octets.extend_from_slice(b"\r\n");
    }
    Encoded { name, octets }
}

/// Text with CRLF ends, encoded as [`encode`] does.
pub(crate) fn encode_text(text: &str, way: Way) -> Encoded {
    let text = text.strip_suffix("\r\n").unwrap_or(text);
    encode(&text.split("\r\n").collect::<Vec<_>>(), way)
}

/// The name of the encoding for content that must not be encoded, such as a whole message within a message (RFC 2046
/// §5.2.1): `None` if it cannot be sent as it is.
pub(crate) fn identity(content: &[u8], way: Way) -> Option<&'static str> {
    let mut name = "7bit";
    for line in content.split_inclusive(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\r\n")?;
        if line.len() > LINE || line.iter().any(|octet| matches!(octet, b'\0' | b'\r' | b'\n')) {
            return None;
        }
        if !line.is_ascii() {
            name = "8bit";
        }
    }
    match way {
        Way::SevenBit if name == "8bit" => None,
        Way::SevenBit | Way::International => Some(name),
    }
}

/// Whether a line can be sent anywhere as it is.
fn is_plain(line: &[u8]) -> bool {
    line.is_ascii() && is_plain_8bit(line)
}

/// Whether it can be sent as it is over an 8-bit way.
fn is_plain_8bit(line: &[u8]) -> bool {
    let is_plain = |octet: &u8| matches!(octet, b' '..=b'~' | b'\t' | 0x80..);
    line.len() <= LINE && line.iter().all(is_plain)
}

/// One line as quoted-printable text (RFC 2045 §6.7), strict about control characters.
fn quoted_printable(line: &[u8]) -> String {
    let mut encoded = String::with_capacity(line.len());
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
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(line: &[u8], way: Way) -> (&'static str, String) {
        let Encoded { name, octets } = encode(&[line], way);
        (name, String::from_utf8_lossy(&octets).into_owned())
    }

    #[test]
    fn what_fits_goes_as_it_is() {
        for way in [Way::SevenBit, Way::International] {
            assert_eq!(encoded(b"a\t= b", way), ("7bit", "a\t= b\r\n".to_owned()));
            assert_eq!(encoded(&[b'x'; LINE], way).0, "7bit");
        }
        let text = "caf\u{e9}".as_bytes();
        assert_eq!(
            encoded(text, Way::International),
            ("8bit", "caf\u{e9}\r\n".to_owned())
        );
    }

    #[test]
    fn what_does_not_is_quoted() {
        for (original, quoted) in [
            (&b"Subject: caf\xe9 = x"[..], "Subject: caf=E9 =3D x\r\n"),
            (b"X: a\0b ", "X: a=00b=20\r\n"),
            (b"X: a\rb\x1b", "X: a=0Db=1B\r\n"),
        ] {
            assert_eq!(
                encoded(original, Way::SevenBit),
                ("quoted-printable", quoted.to_owned())
            );
        }
        assert_eq!(
            encoded("\u{e9}\u{1b}".as_bytes(), Way::International).0,
            "quoted-printable"
        );
        assert_eq!(
            encoded(&[b'x'; LINE + 1], Way::International).0,
            "quoted-printable"
        );
    }

    #[test]
    fn long_lines_are_broken_softly() {
        let line = "\u{e9}y".repeat(600);
        let (name, text) = encoded(line.as_bytes(), Way::SevenBit);
        assert_eq!(name, "quoted-printable");
        assert!(text.lines().all(|line| line.len() <= ENCODED_LINE));
        assert_eq!(
            text.replace("=\r\n", ""),
            format!("{}\r\n", "=C3=A9y".repeat(600))
        );
    }

    #[test]
    fn a_whole_message_passes_as_it_is_or_not_at_all() {
        let longest = [&[b'x'; LINE][..], b"\r\n"].concat();
        let long = [&b"x"[..], &longest].concat();
        for (content, seven, eight) in [
            (&b"a\x1b\r\n\r\n"[..], Some("7bit"), Some("7bit")),
            (b"caf\xe9\r\n", None, Some("8bit")),
            (b"", Some("7bit"), Some("7bit")),
            (b"a\nb\r\n", None, None),
            (b"a\rb\r\n", None, None),
            (b"a\0\r\n", None, None),
            (b"no end", None, None),
            (&long, None, None),
            (&longest, Some("7bit"), Some("7bit")),
        ] {
            assert_eq!(identity(content, Way::SevenBit), seven, "{content:?}");
            assert_eq!(identity(content, Way::International), eight, "{content:?}");
        }
    }

    #[test]
    fn text_keeps_its_lines() {
        let encoded = encode_text("a\r\n\r\nb\r\n", Way::SevenBit);
        assert_eq!(encoded.octets, b"a\r\n\r\nb\r\n");
    }
}
