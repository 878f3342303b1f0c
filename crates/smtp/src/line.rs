//! Command lines out of a connection's read buffer.

use bytes::{Buf, BytesMut};

/// The longest command line in octets, including its CRLF. RFC 5321 §4.5.3.1.4 asks for 512, and the extensions for 26
/// (SIZE), 17 (BODY), 10 (SMTPUTF8) and about 125 (RET, ENVID) more at MAIL and for 1036 in all at RCPT (RFC 3461 §5.4); the
/// rest is room for clients that send many blanks.
pub const COMMAND_LINE_LENGTH: usize = 2048;

/// The longest line within an AUTH exchange, including its CRLF (RFC 4954 §4).
pub const AUTH_LINE_LENGTH: usize = 12288;

/// What stood up to the next CRLF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A command, without its CRLF. It may contain any octets except that pair.
    Complete(BytesMut),
    /// More octets than the limit; all of them were discarded (RFC 5321 §4.5.3.1.9).
    TooLong,
}

/// Splits what a client sends into command lines. Only CRLF ends a line (RFC 5321 §2.3.8): what follows a lone LF is the
/// rest of that line and never a new command.
#[derive(Debug, Default)]
pub struct LineReader {
    /// Inside a line that is too long and whose end is still to come.
    skipping: bool,
    /// How much of the buffer is already known to contain no line ending.
    searched: usize,
}

impl LineReader {
    /// A reader at the start of a line.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next line of `input`, which must start where this reader stopped; `None` if more must be read first. Keeps at
    /// most [`COMMAND_LINE_LENGTH`] octets of an unfinished line.
    pub fn next_line(&mut self, input: &mut BytesMut) -> Option<Line> {
        self.next_line_within(input, COMMAND_LINE_LENGTH)
    }

    /// The same with another limit in octets, the CRLF included.
    pub fn next_line_within(&mut self, input: &mut BytesMut, limit: usize) -> Option<Line> {
        let tail = input.get(self.searched..).unwrap_or_default();
        let Some(end) = memchr::memmem::find(tail, b"\r\n") else {
            self.keep_unfinished(input, limit);
            return None;
        };
        let mut line = input.split_to(self.searched + end + 2);
        self.searched = 0;
        if std::mem::take(&mut self.skipping) || line.len() > limit {
            return Some(Line::TooLong);
        }
        line.truncate(line.len() - 2);
        Some(Line::Complete(line))
    }

    fn keep_unfinished(&mut self, input: &mut BytesMut, limit: usize) {
        if self.skipping || input.len() > limit {
            self.skipping = true;
            // A CR at the very end may be half of the line ending.
            let keep = usize::from(input.last() == Some(&b'\r'));
            input.advance(input.len() - keep);
        }
        self.searched = input.len().saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn lines(octets: &[u8], chunk: usize) -> Vec<Line> {
        let mut reader = LineReader::new();
        let mut input = BytesMut::new();
        let mut lines = Vec::new();
        for piece in octets.chunks(chunk.max(1)) {
            input.extend_from_slice(piece);
            while let Some(line) = reader.next_line(&mut input) {
                lines.push(line);
            }
            assert!(input.len() <= COMMAND_LINE_LENGTH.max(1));
        }
        lines
    }

    fn complete(text: &[u8]) -> Line {
        Line::Complete(BytesMut::from(text))
    }

    #[test]
    fn only_crlf_ends_a_line() {
        for chunk in 1..12 {
            assert_eq!(
                lines(b"NOOP\r\na\nb\rc\r\r\n\r\nrest", chunk),
                [complete(b"NOOP"), complete(b"a\nb\rc\r"), complete(b"")]
            );
        }
    }

    #[test]
    fn the_longest_line_passes_and_one_octet_more_does_not() {
        let mut octets = vec![b'x'; COMMAND_LINE_LENGTH - 2];
        octets.extend_from_slice(b"\r\n");
        assert_eq!(
            lines(&octets, 100),
            [complete(octets.strip_suffix(b"\r\n").unwrap())]
        );
        octets.insert(0, b'x');
        assert_eq!(lines(&octets, 100), [Line::TooLong]);
        assert_eq!(lines(&octets, 10_000), [Line::TooLong]);
    }

    #[test]
    fn a_megabyte_is_one_line_and_its_tail_no_command() {
        let mut octets = b"x\nQUIT\n".repeat(150_000);
        octets.extend_from_slice(b"\r\nNOOP\r\n");
        for chunk in [1000, 2048, 65_536] {
            assert_eq!(lines(&octets, chunk), [Line::TooLong, complete(b"NOOP")]);
        }
    }

    proptest! {
        #[test]
        fn chunking_does_not_matter(
            octets in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), any::<u8>()], 0..100),
            chunk in 1_usize..7,
        ) {
            prop_assert_eq!(lines(&octets, chunk), lines(&octets, octets.len()));
        }
    }
}
