//! Paths, in angle brackets (RFC 5321 §4.1.2) or as some appliances write them.

use mail::{AddressError, DomainError, DomainPart, Mailbox};

/// The path between angle brackets, or in their place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// Nothing.
    Null,
    /// `Postmaster`, in any case, without a domain.
    Postmaster,
    /// A mailbox.
    Mailbox(Mailbox),
}

/// Splits `FROM:<path> parameters` into the path without its brackets and the rest. Blanks after the colon are accepted,
/// though RFC 5321 §3.3 warns against them: many scripts write them, and nothing becomes ambiguous. A missing pair of
/// brackets is accepted too: such a path ends at a blank, and cannot be empty.
pub(crate) fn split<'a>(argument: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let (head, rest) = argument.split_at_checked(keyword.len())?;
    if !head.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let rest = rest.trim_start_matches(' ');
    let Some(inner) = rest.strip_prefix('<') else {
        let end = unquoted(rest, ' ').unwrap_or(rest.len());
        let (path, parameters) = rest.split_at_checked(end)?;
        let is_bare = !path.is_empty() && unquoted(path, '<').or(unquoted(path, '>')).is_none();
        return is_bare.then_some((path, parameters));
    };
    let end = unquoted(inner, '>')?;
    let path = inner.get(..end)?;
    let parameters = inner.get(end + 1..)?;
    (parameters.is_empty() || parameters.starts_with(' ')).then_some((path, parameters))
}

/// The first of these characters outside a quoted string.
fn unquoted(text: &str, wanted: char) -> Option<usize> {
    let mut characters = text.char_indices();
    let mut quoted = false;
    while let Some((offset, c)) = characters.next() {
        match c {
            '\\' if quoted => {
                characters.next();
            }
            '"' => quoted = !quoted,
            c if c == wanted && !quoted => return Some(offset),
            _ => {}
        }
    }
    None
}

/// Parses the path between the brackets, or in their place.
pub(crate) fn parse(path: &str) -> Result<Path, AddressError> {
    if path.is_empty() {
        return Ok(Path::Null);
    }
    if path.eq_ignore_ascii_case("postmaster") {
        return Ok(Path::Postmaster);
    }
    Mailbox::from_client(without_route(path)?).map(Path::Mailbox)
}

/// Removes a source route, `@a,@b:`, whose domains must be well formed but are ignored (RFC 5321 §3.6.1, appendix C). They
/// are ASCII: source routes were obsolete before non-ASCII domains existed.
fn without_route(path: &str) -> Result<&str, AddressError> {
    if !path.starts_with('@') {
        return Ok(path);
    }
    // The only domain in a route that can contain a colon is an address literal, which ends in a bracket.
    let mut rest = path;
    loop {
        let hop = rest.strip_prefix('@').ok_or(AddressError::NoDomain)?;
        let end = if hop.starts_with('[') {
            hop.find(']').map(|end| end + 1)
        } else {
            hop.find([',', ':'])
        };
        let (domain, tail) = end
            .and_then(|end| hop.split_at_checked(end))
            .ok_or(AddressError::NoDomain)?;
        if !domain.is_ascii() {
            return Err(AddressError::Domain(DomainError::Forbidden));
        }
        DomainPart::parse(domain)?;
        if let Some(mailbox) = tail.strip_prefix(':') {
            return Ok(mailbox);
        }
        rest = tail.strip_prefix(',').ok_or(AddressError::NoDomain)?;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn routes_are_taken_off() {
        for (path, mailbox) in [
            ("@a:u@d", "u@d"),
            ("@a.example,@b.example:u@d", "u@d"),
            ("@[192.0.2.1],@[IPv6:2001:db8::1]:u@d", "u@d"),
            ("@a:\"x:@y\"@d", "\"x:@y\"@d"),
        ] {
            assert_eq!(
                parse(path),
                Ok(Path::Mailbox(Mailbox::parse(mailbox).unwrap())),
                "{path}"
            );
        }
        for path in [
            "@a",
            "@a:",
            "@:u@d",
            "@a,b:u@d",
            "@a,:u@d",
            "@a b:u@d",
            "@[a:u@d",
            "@",
            "@\u{fc}:u@d",
        ] {
            assert!(parse(path).is_err(), "{path}");
        }
    }

    #[test]
    fn brackets_in_quoted_strings_are_text() {
        assert_eq!(
            split("TO:<\"a>\\\"b\"@c> X", "TO:"),
            Some(("\"a>\\\"b\"@c", " X"))
        );
        assert_eq!(split("to: <a@b>", "TO:"), Some(("a@b", "")));
        for text in ["TO:<a@b", "TO<a@b>", "TO:<a@b>X", "TO :<a@b>", "TO:<\"a>", ""] {
            assert_eq!(split(text, "TO:"), None, "{text}");
        }
    }

    #[test]
    fn brackets_may_be_missing_altogether() {
        for (text, path, parameters) in [
            ("TO:a@b", "a@b", ""),
            ("TO: a@b NOTIFY=NEVER", "a@b", " NOTIFY=NEVER"),
            ("TO:\"a <b>\"@c X", "\"a <b>\"@c", " X"),
            ("TO:postmaster", "postmaster", ""),
        ] {
            assert_eq!(split(text, "TO:"), Some((path, parameters)), "{text}");
        }
        for text in ["TO:", "TO:  ", "TO:a@b>", "TO:a<b@c>"] {
            assert_eq!(split(text, "TO:"), None, "{text}");
        }
    }
}
