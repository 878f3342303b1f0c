//! Text that cannot break the structure around it: printable, folded and wrapped.

use mail::wrap;

/// The longest line of a field, in octets; below the 998 of RFC 5322 §2.1.1 with room for a name in front.
const FIELD_LINE: usize = 900;
/// The length, in characters, to which text for people is wrapped where its words allow.
const PROSE_LINE: usize = 74;

/// The text with everything except printable ASCII replaced by `?`, and tabs by spaces: no line ends, no escape sequences,
/// no 8-bit octets.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            ' '..='~' => c,
            '\t' => ' ',
            _ => '?',
        })
        .collect()
}

/// A block of fields, each on lines of its own (RFC 5322 §2.2).
#[derive(Debug, Default)]
pub(crate) struct Fields(String);

impl Fields {
    /// Adds a field with a value of one line.
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        self.add_lines(name, [value]);
    }

    /// Adds a field whose value is an address in one of the forms of [`crate::address`], which may contain printable
    /// characters beyond ASCII. A value too long for a line is folded, though no envelope address is that long.
    pub(crate) fn add_address(&mut self, name: &str, address: &str) {
        self.0.push_str(name);
        self.0.push(':');
        self.push_folded(address);
    }

    /// Adds a field whose value has several lines; all but the first are indented.
    pub(crate) fn add_lines<'a>(&mut self, name: &str, lines: impl IntoIterator<Item = &'a str>) {
        self.0.push_str(name);
        self.0.push(':');
        for line in lines {
            self.push_folded(&printable(line));
        }
        // A field without any line must still be ended.
        if !self.0.ends_with("\r\n") {
            self.0.push_str("\r\n");
        }
    }

    /// Writes one line, in pieces if it is too long. A piece of only spaces is left out, because a reader might take it for
    /// the blank line that ends a group of fields.
    fn push_folded(&mut self, line: &str) {
        let mut rest = line;
        while !rest.is_empty() {
            let end = rest.floor_char_boundary(FIELD_LINE);
            let (piece, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            if !piece.trim().is_empty() {
                self.0.push(' ');
                self.0.push_str(piece);
                self.0.push_str("\r\n");
            }
            rest = after;
        }
    }

    /// Ends the group: what follows belongs to the next one.
    pub(crate) fn end_group(&mut self) {
        self.0.push_str("\r\n");
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

/// Text for people, in paragraphs with CRLF line ends.
#[derive(Debug, Default)]
pub(crate) struct Prose(String);

impl Prose {
    /// Adds a paragraph, wrapped at spaces and indented by `indent` spaces, followed by a blank line.
    pub(crate) fn paragraph(&mut self, indent: usize, words: &str) {
        let indent = " ".repeat(indent);
        let lines = wrap(&printable(words), PROSE_LINE, &indent, &indent);
        self.0.push_str(&lines.join("\r\n"));
        self.0.push_str("\r\n\r\n");
    }

    /// Adds lines with addresses in their [readable](crate::address::readable) form, followed by a blank line.
    pub(crate) fn addresses(&mut self, lines: impl IntoIterator<Item = String>) {
        for line in lines {
            self.0.push_str(&line);
            self.0.push_str("\r\n");
        }
        self.0.push_str("\r\n");
    }

    /// Adds lines unchanged, indented by `indent` spaces, followed by a blank line.
    pub(crate) fn verbatim<'a>(&mut self, indent: usize, lines: impl IntoIterator<Item = &'a str>) {
        for line in lines {
            self.0.extend(std::iter::repeat_n(' ', indent));
            self.0.push_str(&printable(line));
            self.0.push_str("\r\n");
        }
        self.0.push_str("\r\n");
    }

    /// Its octets so far.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_folded_and_blank_pieces_left_out() {
        let mut fields = Fields::default();
        fields.add("X", &format!("{}{}end", "a".repeat(900), " ".repeat(1800)));
        fields.add("Y", "");
        let text = fields.into_string();
        assert_eq!(text, format!("X: {}\r\n end\r\nY:\r\n", "a".repeat(900)));
    }

    #[test]
    fn continuation_lines_are_indented() {
        let mut fields = Fields::default();
        fields.add_lines("D", ["smtp; 550-a", "550 b\r\nZ: forged"]);
        assert_eq!(fields.into_string(), "D: smtp; 550-a\r\n 550 b??Z: forged\r\n");
    }

    #[test]
    fn characters_are_not_torn_apart() {
        let mut fields = Fields::default();
        fields.add_address("X", &"\u{e9}".repeat(451));
        let lines = ["X: ", &"\u{e9}".repeat(450), "\r\n \u{e9}\r\n"];
        assert_eq!(fields.into_string(), lines.concat());
        let mut fields = Fields::default();
        fields.add_address("X", &format!("a{}", "\u{e9}".repeat(450)));
        assert_eq!(fields.into_string().matches("\r\n").count(), 2);
    }

    #[test]
    fn prose_is_wrapped() {
        let mut prose = Prose::default();
        prose.paragraph(4, &"word ".repeat(40));
        let text = prose.into_string();
        assert!(text.lines().all(|line| line.len() <= PROSE_LINE), "{text}");
        assert!(text.lines().take(2).all(|line| line.starts_with("    word")));
        assert_eq!(text.matches("word").count(), 40);
    }
}
