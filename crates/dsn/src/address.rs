//! The forms of an address in a report (RFC 3464 §2.1.2, RFC 6533 §3).

use std::fmt::Write as _;

use mail::printable::is_unprintable;
use mail::{Mailbox, OriginalRecipient};

/// How non-ASCII characters are written in the machine-readable fields (RFC 6533 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `utf-8-addr-xtext`: the only form for `message/delivery-status` and for seven bits.
    Xtext,
    /// `utf-8-address`: the form for `message/global-delivery-status` (§4.1).
    Utf8,
}

/// An envelope address with its type: `rfc822` (RFC 3461 §6.3), or `utf-8` if it is not ASCII (RFC 6533 §3).
pub(crate) fn typed(mailbox: &Mailbox, form: Form) -> String {
    let address = mailbox.as_str();
    match form {
        Form::Xtext | Form::Utf8 if mailbox.is_ascii() => format!("rfc822; {address}"),
        Form::Xtext => format!("utf-8; {}", xtext(address)),
        Form::Utf8 => format!("utf-8; {}", utf8(address)),
    }
}

/// ORCPT with its type. Addresses of the type `utf-8` are converted to the form that the part requires (RFC 6533 §3, §4.1);
/// all others contain only ASCII.
pub(crate) fn original(recipient: &OriginalRecipient, form: Form) -> String {
    let decoded = recipient.decoded();
    let Some((kind, address)) = decoded.split_once(';') else {
        return decoded.to_owned();
    };
    match form {
        Form::Xtext | Form::Utf8 if !kind.eq_ignore_ascii_case("utf-8") => decoded.to_owned(),
        Form::Xtext => format!("{kind};{}", xtext(address)),
        Form::Utf8 => format!("{kind};{}", utf8(address)),
    }
}

/// An address for people: as it is, except for characters that are invisible or would move the text around them.
pub(crate) fn readable(address: &str) -> String {
    escaped(address, is_unprintable)
}

fn xtext(address: &str) -> String {
    escaped(address, |c| is_special(c) || !c.is_ascii())
}

/// The address itself. If it contains invisible characters, or a backslash, which would look like an escape, it is written
/// as `utf-8-addr-unitext`, which is allowed wherever the address itself is (§3).
fn utf8(address: &str) -> String {
    if address.contains(|c| c == '\\' || is_unprintable(c)) {
        escaped(address, |c| is_special(c) || is_unprintable(c))
    } else {
        address.to_owned()
    }
}

/// ASCII characters that are not a QUCHAR (RFC 6533 §3).
fn is_special(c: char) -> bool {
    matches!(c, '\0'..=' ' | '+' | '=' | '\\' | '\u{7f}')
}

/// With `\x{HEX}` for each character that `kind` selects (RFC 6533 §3, `EmbeddedUnicodeChar`).
fn escaped(text: &str, kind: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if kind(c) {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "\\x{{{:02X}}}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn envelope_addresses() {
        for (address, seven, eight) in [
            ("a+b=c@d.e", "rfc822; a+b=c@d.e", "rfc822; a+b=c@d.e"),
            (
                "re+n\u{e9}@b\u{fc}cher.example",
                r"utf-8; re\x{2B}n\x{E9}@b\x{FC}cher.example",
                "utf-8; re+n\u{e9}@b\u{fc}cher.example",
            ),
            (
                "\"a b\\x{41}\u{1f600}\"@c.example",
                r#"utf-8; "a\x{20}b\x{5C}x{41}\x{1F600}"@c.example"#,
                "utf-8; \"a\\x{20}b\\x{5C}x{41}\u{1f600}\"@c.example",
            ),
            (
                "\u{202e}\u{e9}@c.example",
                r"utf-8; \x{202E}\x{E9}@c.example",
                "utf-8; \\x{202E}\u{e9}@c.example",
            ),
        ] {
            let mailbox = Mailbox::parse(address).unwrap();
            assert_eq!(typed(&mailbox, Form::Xtext), seven);
            assert_eq!(typed(&mailbox, Form::Utf8), eight);
        }
    }

    #[test]
    fn original_recipients() {
        for (parameter, seven, eight) in [
            (
                "rfc822;Bob+2Bx@example.org",
                "rfc822;Bob+x@example.org",
                "rfc822;Bob+x@example.org",
            ),
            (
                r"utf-8;d\x{E9}j\x{2B}@b.example",
                r"utf-8;d\x{E9}j\x{2B}@b.example",
                "utf-8;d\u{e9}j+@b.example",
            ),
            (
                "UTF-8;d\u{e9}@b.example",
                r"UTF-8;d\x{E9}@b.example",
                "UTF-8;d\u{e9}@b.example",
            ),
            ("x400;c+3Dus+3Ba", "x400;c=us;a", "x400;c=us;a"),
        ] {
            let recipient = parameter.parse().unwrap();
            assert_eq!(original(&recipient, Form::Xtext), seven);
            assert_eq!(original(&recipient, Form::Utf8), eight);
        }
    }

    #[test]
    fn people_see_what_there_is() {
        assert_eq!(readable("ren\u{e9}+x@b.example"), "ren\u{e9}+x@b.example");
        assert_eq!(readable("a\u{202e}\u{200b}\u{7f}b"), r"a\x{202E}\x{200B}\x{7F}b");
    }
}
