//! Messages before and after.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use bytes::BytesMut;
use proptest::prelude::*;

use super::*;

/// The new form, with the content pushed in pieces of this size.
fn convert_by(content: &[u8], size: usize) -> Result<Vec<u8>, Unconvertible> {
    let mut survey = Survey::new();
    for piece in content.chunks(size) {
        survey.push(piece)?;
    }
    let plan = survey.finish()?;
    let mut converter = Converter::new(&plan);
    let mut out = BytesMut::new();
    for piece in content.chunks(size) {
        converter.push(piece, &mut out)?;
    }
    converter.finish(&mut out)?;
    Ok(out.to_vec())
}

/// A text with `\n` for line ends, and its new form in the same way.
fn convert(text: &str) -> Result<String, Unconvertible> {
    let content = text.replace('\n', "\r\n").into_bytes();
    let whole = convert_by(&content, content.len());
    for size in [1, 7, 64] {
        assert_eq!(convert_by(&content, size), whole, "by {size}");
    }
    whole.map(|content| {
        assert!(content.is_ascii());
        String::from_utf8(content).unwrap().replace("\r\n", "\n")
    })
}

fn assert_converted(before: &str, after: &str) {
    assert_eq!(convert(before).as_deref(), Ok(after));
    // What is 7-bit is left alone.
    assert_eq!(convert(after).as_deref(), Ok(after));
}

#[test]
fn text_becomes_quoted_printable_and_mostly_foreign_text_base64() {
    assert_converted(
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding:\n 8bit\nSubject: x\n\ngr\u{fc}n = 1 \n.\n\n",
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nSubject: x\nContent-Transfer-Encoding: quoted-printable\n\ngr=C3=BCn =3D 1=20\n.\n\n",
    );
    assert_converted(
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n\u{43f}\u{440}\u{438}\u{432}\u{435}\u{442}\n",
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n0L/RgNC40LLQtdGCDQo=\n",
    );
    assert_converted(
        "MIME-Version: 1.0\nContent-Type: application/xml\n\n<a>\u{e9}</a>\nlast without an end",
        "MIME-Version: 1.0\nContent-Type: application/xml\nContent-Transfer-Encoding: base64\n\nPGE+w6k8L2E+DQpsYXN0IHdpdGhvdXQgYW4gZW5k\n",
    );
}

#[test]
fn a_field_may_have_blanks_before_its_colon() {
    assert_converted(
        "Subject: x\nMIME-Version : 1.0\nContent-Type\t: text/plain; charset=utf-8\nContent-Transfer-Encoding : 8bit\n\ngr\u{fc}n\n",
        "Subject: x\nMIME-Version : 1.0\nContent-Type\t: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\ngr=C3=BCn\n",
    );
}

#[test]
fn long_lines_get_soft_ends_and_no_line_that_looks_like_a_delimiter() {
    let words = format!("{}--x\u{e9}{}", "a".repeat(75), "b".repeat(200));
    let after = convert(&format!("Subject: x\n\n{words}\n")).unwrap();
    let body = after.split_once("\n\n").unwrap().1;
    assert!(
        body.lines()
            .all(|line| line.len() <= 76 && !line.starts_with('-')),
        "{body}"
    );
    assert_eq!(
        body.replace("=\n", ""),
        format!("{}=2D-x=C3=A9{}\n", "a".repeat(75), "b".repeat(200))
    );
}

#[test]
fn a_message_without_mime_gets_what_it_needs() {
    assert_converted(
        "Subject: x\n\ngr\u{fc}n\n",
        "Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=unknown-8bit\nContent-Transfer-Encoding: quoted-printable\n\ngr=C3=BCn\n",
    );
}

#[test]
fn each_part_is_converted_by_itself() {
    assert_converted(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed;\n boundary=\"a b\"\nContent-Transfer-Encoding: 8bit\n\nf\u{fc}r alte Programme\n--a b\n\nplain\n--a b \nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: binary\n\n<p>\u{e9}</p>\n--a b\nContent-Type: text/plain\nContent-Transfer-Encoding: 8BIT\n\nascii\n--a b\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\nAAAA\n--a b--\n\u{e4}\n",
        "MIME-Version: 1.0\nContent-Type: multipart/mixed;\n boundary=\"a b\"\nContent-Transfer-Encoding: 7bit\n\nf??r alte Programme\n--a b\n\nplain\n--a b \nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n<p>=C3=A9</p>\n--a b\nContent-Type: text/plain\nContent-Transfer-Encoding: 7bit\n\nascii\n--a b\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\nAAAA\n--a b--\n??\n",
    );
}

#[test]
fn a_message_within_a_message_stays_readable() {
    assert_converted(
        "MIME-Version: 1.0\nContent-Type: multipart/digest; boundary=o\n\n--o\n\nSubject: inner\nContent-Type: multipart/alternative; boundary=i\n\n--i\n\n\u{e9}\n--o\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nSubject: second\n\n\u{fc}ber alles=\n--o--\n",
        "MIME-Version: 1.0\nContent-Type: multipart/digest; boundary=o\n\n--o\n\nSubject: inner\nContent-Type: multipart/alternative; boundary=i\n\n--i\nContent-Type: text/plain; charset=unknown-8bit\nContent-Transfer-Encoding: base64\n\nw6k=\n--o\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 7bit\n\nSubject: second\nMIME-Version: 1.0\nContent-Type: text/plain; charset=unknown-8bit\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BCber alles=3D\n--o--\n",
    );
}

#[test]
fn octets_that_quoted_printable_should_not_have_are_escaped() {
    assert_converted(
        "MIME-Version: 1.0\nContent-Transfer-Encoding: Quoted-Printable\nContent-Type: text/plain\n\na=\nb=3D\u{e9}\n",
        "MIME-Version: 1.0\nContent-Transfer-Encoding: Quoted-Printable\nContent-Type: text/plain\n\na=\nb=3D=C3=A9\n",
    );
}

/// The parts of a signed message, one of them with the octets.
fn signed(inner: &str, outer: &str) -> String {
    format!(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/signed; boundary=s\n\n--s\nContent-Transfer-Encoding: 8bit\n\n{inner}\n--s\nContent-Type: application/pgp-signature\n\nx\n--s--\n--o\n\n{outer}\n--o--\n"
    )
}

#[test]
fn what_is_signed_is_not_changed() {
    assert_eq!(convert(&signed("\u{e9}", "x")), Err(Unconvertible::Signed));
    let converted = convert(&signed("x", "gr\u{fc}n und blau und rot")).unwrap();
    let (before, after) = (signed("x", ""), &converted);
    let part = |text: &str| text.split("--s").nth(1).unwrap().to_owned();
    assert_eq!(part(&before), part(after));
    assert!(converted.contains("gr=C3=BCn"), "{converted}");
    for name in ["DKIM-Signature", "arc-message-signature"] {
        for text in [
            format!("{name}: v=1; b=x\nSubject: x\n\n\u{e9}\n"),
            format!(
                "{name}: v=1; b=x\nContent-Type: multipart/mixed; boundary=b\n\n\u{e9}\n--b\n\nx\n--b--\n"
            ),
            format!(
                "Content-Type: message/rfc822\n\n{name}: v=1\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n\u{e9}\n"
            ),
        ] {
            assert_eq!(convert(&text), Err(Unconvertible::Signed), "{text}");
        }
    }
}

/// A message of parts, with these parameters after its type.
fn mixed(parameters: &str, rest: &str) -> String {
    format!("Content-Type: multipart/mixed{parameters}\n\n--b\n{rest}")
}

fn assert_refused(text: &str, why: Unconvertible) {
    assert_eq!(convert(text), Err(why), "{text}");
}

#[test]
fn headers_and_encodings_that_cannot_be_converted_are_not() {
    for (text, why) in [
        ("Subject: \u{e9}\n\nx\n".to_owned(), Unconvertible::Header),
        (
            mixed("; boundary=b", "Content-Description: \u{e9}\n\nx\n--b--\n"),
            Unconvertible::Header,
        ),
        (
            "Content-Transfer-Encoding: base64\n\n\u{e9}\n".to_owned(),
            Unconvertible::Encoded,
        ),
        (
            "Content-Transfer-Encoding: x-uuencode\n\n\u{e9}\n".to_owned(),
            Unconvertible::Encoded,
        ),
        (
            "Content-Type: message/delivery-status\n\n\u{e9}\n".to_owned(),
            Unconvertible::Type,
        ),
    ] {
        assert_refused(&text, why);
    }
}

#[test]
fn parts_that_readers_could_find_in_other_places_are_not_converted() {
    for (parameters, rest) in [
        ("", "\n\u{e9}\n--b--\n"),
        ("; boundary=c", "\n\u{e9}\n"),
        ("; boundary=c", "\n\u{e9}\n--c--\n"),
        (
            "; boundary=b",
            "Content-Type: multipart/mixed; boundary=c\n\n\u{e9}\n--b--\n",
        ),
        ("; boundary=b; boundary=c", "\n\u{e9}\n--b--\n"),
        ("; boundary*0=b", "\n\u{e9}\n--b--\n"),
        ("; (a) boundary=b", "\n\u{e9}\n--b--\n"),
        ("; boundary=b", "\n\u{e9}\n--bc\n--b--\n"),
        (
            "; boundary=b",
            "Content-Type: multipart/mixed; boundary=b--\n\n\u{e9}\n--b--\n",
        ),
    ] {
        assert_refused(&mixed(parameters, rest), Unconvertible::Unclear);
    }
    for text in [
        "Content-Type: text/plain\nContent-Type: text/html\n\n\u{e9}\n",
        "Subject: x\nno field\n\u{e9}\n",
        "Subject: x\n \n\n\u{e9}\n",
    ] {
        assert_refused(text, Unconvertible::Unclear);
    }
}

#[test]
fn beyond_the_limits_nothing_is_converted() {
    let within = "Content-Type: message/rfc822\n\n".repeat(DEPTH + 1);
    for (text, why) in [
        (
            mixed("; boundary=b", &"\nx\n--b\n".repeat(PARTS)),
            Unconvertible::TooManyParts,
        ),
        (within, Unconvertible::TooManyParts),
        (
            format!("S: x\n\n{}\n", "\u{e9}".repeat(LINE)),
            Unconvertible::Line,
        ),
        (
            format!(
                "Content-Transfer-Encoding: quoted-printable\n\n{}\n",
                "\u{e9}".repeat(200)
            ),
            Unconvertible::Line,
        ),
    ] {
        assert_refused(&text, why);
    }
    for content in [
        &b"S: x\r\n\r\na\nb\r\n"[..],
        b"S: x\r\n\r\na\rb\r\n",
        b"S: x\r\n\r\na\r",
    ] {
        assert_eq!(convert_by(content, 1), Err(Unconvertible::Line));
    }
}

#[test]
fn a_part_that_ends_within_its_header_has_no_body() {
    let before = "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nSubject: header alone\n--b\n\n\u{e9} und viel Deutsch\n--b\nContent-Type: text/plain\n";
    let after = convert(before).unwrap();
    assert!(after.contains("Subject: header alone\n--b\n"), "{after}");
    assert!(
        after.ends_with("=C3=A9 und viel Deutsch\n--b\nContent-Type: text/plain\n"),
        "{after}"
    );
}

proptest! {
    /// Text of any octets, alone and as a part, comes back.
    #[test]
    fn bodies_come_back(text in proptest::collection::vec(any::<u8>(), 0..300), part in any::<bool>()) {
        let text: Vec<u8> = text.into_iter().filter(|octet| !matches!(octet, b'\r' | 0)).collect();
        let text = text.split(|octet| *octet == b'\n').collect::<Vec<_>>().join(&b"\r\n"[..]);
        let (head, tail) = if part {
            ("Content-Type: multipart/mixed; boundary=\"-\"\r\n\r\n---\r\nX: y\r\n\r\n", "\r\n-----\r\n")
        } else {
            ("X: y\r\n\r\n", "\r\n")
        };
        let content = [head.as_bytes(), &text, tail.as_bytes()].concat();
        if let Ok(converted) = convert_by(&content, 50) {
            prop_assert!(converted.is_ascii());
            let text = if part { text } else { [&text[..], b"\r\n"].concat() };
            if !text.is_ascii() {
                prop_assert_eq!(decoded(&converted, tail, part), text);
            }
        }
    }
}

/// The body of the one part, read back.
fn decoded(content: &[u8], tail: &str, part: bool) -> Vec<u8> {
    let content = String::from_utf8(content.to_vec()).unwrap();
    let at = content.find("Content-Transfer-Encoding: ").unwrap();
    let (name, rest) = content[at..].split_once("\r\n\r\n").unwrap();
    let rest = if part {
        rest.strip_suffix(tail).unwrap()
    } else {
        rest
    };
    if name.ends_with("base64") {
        return data_encoding::BASE64
            .decode(rest.replace("\r\n", "").as_bytes())
            .unwrap();
    }
    let mut text = Vec::new();
    let mut octets = rest.as_bytes().iter();
    while let Some(octet) = octets.next() {
        if *octet != b'=' {
            text.push(*octet);
            continue;
        }
        let pair = [*octets.next().unwrap(), *octets.next().unwrap()];
        if pair != *b"\r\n" {
            text.push(u8::from_str_radix(std::str::from_utf8(&pair).unwrap(), 16).unwrap());
        }
    }
    text
}
