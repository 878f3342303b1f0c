//! Foreign text shown on a terminal, in a log line or in JSON.
//!
//! Text from a peer, a name server or a message may contain characters that control a terminal, change the direction of
//! writing, or are invisible. Wherever such text is shown, these characters are escaped: as `\xHH`, octet by octet, in plain
//! text ([`Printable`], [`PrintableLines`]), and as `\uHHHH` in JSON ([`json_escape`]).

use std::fmt::{self, Write};

/// What must not be shown to a reader as it is: control characters of both sets, line and paragraph separators, and whatever
/// is invisible or changes the direction of writing (in Unicode's terms: the general categories Cc, Cf, Zl and Zp, and what
/// is ignorable by default).
pub fn is_unprintable(c: char) -> bool {
    // Most text is ASCII.
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control()
        || matches!(
            c,
            '\u{00AD}' | '\u{034F}' | '\u{0600}'..='\u{0605}' | '\u{061C}' | '\u{06DD}' | '\u{070F}'
        )
        || matches!(
            c,
            '\u{0890}' | '\u{0891}' | '\u{08E2}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        )
        || matches!(c, '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}')
        || matches!(c, '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}')
        || matches!(c, '\u{FFF0}'..='\u{FFFB}' | '\u{110BD}' | '\u{110CD}' | '\u{13430}'..='\u{1343F}')
        || matches!(c, '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// A text on one line, with `\xHH` for each octet of a character that must not be shown.
#[derive(Debug, Clone, Copy)]
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_runs(f, self.0, is_unprintable, escape_octets)
    }
}

/// Like [`Printable`], for a text of several lines: newlines and tabs are kept.
#[derive(Debug, Clone, Copy)]
pub struct PrintableLines<'a>(pub &'a str);

impl fmt::Display for PrintableLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |c| !matches!(c, '\n' | '\t') && is_unprintable(c);
        write_runs(f, self.0, hidden, escape_octets)
    }
}

/// The text as the inside of a JSON string (RFC 8259 §7), with a UTF-16 escape for each character that must not be shown.
pub fn json_escape(output: &mut impl Write, text: &str) -> fmt::Result {
    write_runs(
        output,
        text,
        |c| matches!(c, '"' | '\\') || is_unprintable(c),
        json_character,
    )
}

/// `\xHH` for each octet.
pub(crate) fn escape_octets(output: &mut impl Write, c: char) -> fmt::Result {
    let mut octets = [0; 4];
    for octet in c.encode_utf8(&mut octets).bytes() {
        write!(output, "\\x{octet:02X}")?;
    }
    Ok(())
}

/// A character of a JSON string that must be escaped.
pub(crate) fn json_character(output: &mut impl Write, c: char) -> fmt::Result {
    if matches!(c, '"' | '\\') {
        output.write_char('\\')?;
        return output.write_char(c);
    }
    let mut units = [0; 2];
    for unit in c.encode_utf16(&mut units) {
        write!(output, "\\u{unit:04x}")?;
    }
    Ok(())
}

/// Writes what is not `special` unchanged, in runs, and each special character with `escape`.
fn write_runs<W: Write>(
    output: &mut W,
    text: &str,
    special: impl Fn(char) -> bool,
    escape: impl Fn(&mut W, char) -> fmt::Result,
) -> fmt::Result {
    let mut rest = text;
    while let Some((at, c)) = rest.char_indices().find(|(_, c)| special(*c)) {
        let (plain, after) = rest.split_at(at);
        output.write_str(plain)?;
        escape(output, c)?;
        rest = after.get(c.len_utf8()..).unwrap_or_default();
    }
    output.write_str(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// C0, C1, bidi, separators, zero-width, tags and a soft hyphen.
    const HOSTILE: &str = "a\u{1b}[2J\n\u{7f}\u{9b}31m\u{61c}\u{200e}\u{202e}\u{2028}\u{200d}\u{2060}\u{feff}\u{e0041}\u{ad}ü\"\\";

    #[test]
    fn nothing_that_a_terminal_obeys_or_nobody_sees_is_left() {
        let shown = Printable(HOSTILE).to_string();
        assert!(!shown.contains(is_unprintable), "{shown:?}");
        assert!(
            shown.starts_with("a\\x1B[2J\\x0A\\x7F\\xC2\\x9B31m\\xD8\\x9C"),
            "{shown}"
        );
        assert!(shown.ends_with("\\xC2\\xADü\"\\"), "{shown}");
        assert_eq!(
            PrintableLines("a\n\tb\r\u{2029}c\n").to_string(),
            "a\n\tb\\x0D\\xE2\\x80\\xA9c\n"
        );
    }

    #[test]
    fn json_escapes_are_units_of_utf_16() {
        let mut json = String::new();
        assert!(json_escape(&mut json, "\u{1b}\u{9b}\u{202e}\u{e0041}\"\\é").is_ok());
        assert_eq!(json, "\\u001b\\u009b\\u202e\\udb40\\udc41\\\"\\\\é");
    }
}
