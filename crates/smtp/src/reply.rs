//! Replies of a server (RFC 5321 §4.2), read from whatever the peer sends.

use std::fmt;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use mail::{EnhancedStatus, ReplyCode};
use thiserror::Error;

/// The longest reply line, in octets without its line ending. RFC 5321 §4.5.3.1.5 says 512; servers with long
/// explanations go beyond it.
pub const LINE_LENGTH: usize = 2048;
/// The most lines that one reply may have.
pub const LINES: usize = 128;
/// The most octets that one reply may have in all.
pub const REPLY_LENGTH: usize = 64 * 1024;
/// How many octets of one reply are kept unless [`ReplyParser::keep`] says otherwise.
pub const KEPT: usize = 2048;
/// The memory that a line takes beside its text: even a short line counts for this much.
const OF_LINE: usize = 32;

/// One reply: its code and the text of each line without the code. Copies share the lines.
///
/// The texts are the server's own: without line endings, but otherwise whatever it sent; octets that are not UTF-8 became
/// U+FFFD. Whoever shows them must escape them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The code, the same on every line.
    pub code: ReplyCode,
    /// The text of each line; never empty, though a line's text may be.
    pub lines: Arc<[String]>,
    /// What was not kept of a longer reply.
    pub cut: Cut,
}

/// Where a reply that was too long was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Nowhere.
    Nowhere,
    /// Between the last two lines.
    BeforeLast,
    /// At the end.
    AtEnd,
}

/// What a server sent is not a reply. Always the peer's fault; nothing more can be understood on that connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReplyError {
    /// Not three digits, or followed by something other than `-`, a space or the end of the line.
    #[error("not an SMTP reply")]
    Malformed,
    /// The first digit is not 2 to 5 (RFC 5321 §4.2).
    #[error("a reply code outside 200-599")]
    Code,
    /// The lines of one reply have different codes (RFC 5321 §4.2.1).
    #[error("the lines of one reply have different codes")]
    MixedCodes,
    /// A line longer than [`LINE_LENGTH`].
    #[error("a reply line longer than 2048 octets")]
    LineTooLong,
    /// More than [`LINES`] lines or [`REPLY_LENGTH`] octets.
    #[error("an endless reply")]
    TooLong,
}

/// Takes replies out of a connection's read buffer, one by one.
///
/// The caller reads into the buffer and calls [`ReplyParser::parse`] after each read. What is left in the buffer
/// when a reply is complete belongs to the next one; after the reply to STARTTLS it must be empty (RFC 3207 §6).
#[derive(Debug)]
pub struct ReplyParser {
    code: Option<ReplyCode>,
    /// Lines and octets seen.
    seen: usize,
    length: usize,
    kept: Kept,
}

/// What is kept of a reply.
#[derive(Debug)]
struct Kept {
    lines: Vec<String>,
    /// The limit for the whole reply, and what is left of it.
    most: usize,
    room: usize,
    cut: Cut,
}

impl Default for ReplyParser {
    fn default() -> Self {
        Self {
            code: None,
            seen: 0,
            length: 0,
            kept: Kept::new(KEPT),
        }
    }
}

impl ReplyParser {
    /// A parser that expects the first line of a reply.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps at most so many octets of each reply that has not begun yet. Of a longer one the beginning and the last line
    /// are kept, because many servers give the actual reason in the last line.
    pub fn keep(&mut self, octets: usize) {
        if self.code.is_none() {
            self.kept = Kept::new(octets);
        }
    }

    /// Consumes complete lines from `input`; `None` as long as the reply is not complete.
    ///
    /// A line ends in CRLF; a lone LF is accepted too, because a reply's end decides nothing about content.
    pub fn parse(&mut self, input: &mut BytesMut) -> Result<Option<Reply>, ReplyError> {
        while let Some(end) = memchr::memchr(b'\n', input) {
            let line = input.split_to(end);
            input.advance(1);
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            if let Some(reply) = self.line(line)? {
                return Ok(Some(reply));
            }
        }
        if input.len() > LINE_LENGTH + 1 {
            return Err(ReplyError::LineTooLong);
        }
        Ok(None)
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<Reply>, ReplyError> {
        if line.len() > LINE_LENGTH {
            return Err(ReplyError::LineTooLong);
        }
        self.length = self.length.saturating_add(line.len());
        if self.length > REPLY_LENGTH || self.seen >= LINES {
            return Err(ReplyError::TooLong);
        }
        self.seen += 1;
        let (code, rest) = split_code(line)?;
        if self.code.is_some_and(|first| first != code) {
            return Err(ReplyError::MixedCodes);
        }
        self.code = Some(code);
        let (last, text) = match rest {
            [] => (true, rest),
            [b' ', text @ ..] => (true, text),
            [b'-', text @ ..] => (false, text),
            _ => return Err(ReplyError::Malformed),
        };
        let text = String::from_utf8_lossy(text);
        if !last {
            self.kept.line(&text);
            return Ok(None);
        }
        self.kept.last_line(&text);
        let most = self.kept.most;
        let kept = std::mem::replace(&mut self.kept, Kept::new(most));
        (self.code, self.seen, self.length) = (None, 0, 0);
        Ok(Some(Reply {
            code,
            lines: kept.lines.into(),
            cut: kept.cut,
        }))
    }
}

impl Kept {
    fn new(most: usize) -> Self {
        Self {
            lines: Vec::new(),
            most,
            room: most,
            cut: Cut::Nowhere,
        }
    }

    /// Keeps a line while there is room; of the first line that does not fit, only the beginning.
    fn line(&mut self, text: &str) {
        if self.cut != Cut::Nowhere {
            return;
        }
        let cost = text.len() + OF_LINE;
        if cost <= self.room {
            self.room -= cost;
            self.lines.push(text.to_owned());
            return;
        }
        self.cut = Cut::AtEnd;
        let fits = text.floor_char_boundary(self.room.saturating_sub(OF_LINE));
        if fits > 0 || self.lines.is_empty() {
            self.lines.push(text.get(..fits).unwrap_or_default().to_owned());
        }
        self.room = 0;
    }

    /// Keeps the last line unless it is very long, in place of what precedes it.
    fn last_line(&mut self, text: &str) {
        let cost = text.len() + OF_LINE;
        let fits = self.cut == Cut::Nowhere && cost <= self.room;
        if fits || self.lines.is_empty() || cost > self.most / 2 {
            return self.line(text);
        }
        self.cut = Cut::BeforeLast;
        while self.room < cost {
            let Some(before) = self.lines.last_mut() else {
                break;
            };
            let excess = cost - self.room;
            if before.len() > excess {
                before.truncate(before.floor_char_boundary(before.len() - excess));
                before.shrink_to_fit();
                break;
            }
            self.room += before.len() + OF_LINE;
            self.lines.pop();
        }
        self.lines.push(text.to_owned());
    }
}

fn split_code(line: &[u8]) -> Result<(ReplyCode, &[u8]), ReplyError> {
    let (digits, rest) = line.split_first_chunk::<3>().ok_or(ReplyError::Malformed)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(ReplyError::Malformed);
    }
    let number = digits
        .iter()
        .fold(0, |number, digit| number * 10 + u16::from(digit - b'0'));
    let code = ReplyCode::new(number).ok_or(ReplyError::Code)?;
    Ok((code, rest))
}

impl Reply {
    /// The enhanced status code (RFC 2034 §4) at the start of the first line. `None` if there is none or its class differs
    /// from the code's. Meaningful only if ENHANCEDSTATUSCODES was offered.
    pub fn enhanced(&self) -> Option<EnhancedStatus> {
        let first = self.lines.first()?;
        let (status, _) = split_enhanced(first, self.code)?;
        Some(status)
    }

    /// The whole reply in one line, as Postfix logs it: `550-5.7.1 first 550 5.7.1 second`. `...` marks missing lines.
    pub fn to_log(&self) -> String {
        self.to_string()
    }

    /// 2yz or 3yz.
    pub fn is_positive(&self) -> bool {
        self.code.is_positive()
    }
}

/// The enhanced status and the text after it.
fn split_enhanced(line: &str, code: ReplyCode) -> Option<(EnhancedStatus, &str)> {
    let (token, rest) = line.split_once(' ').unwrap_or((line, ""));
    let status: EnhancedStatus = token.parse().ok()?;
    (status.class() == code.class()).then_some((status, rest))
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.lines.len().saturating_sub(1);
        for (position, line) in self.lines.iter().enumerate() {
            let separator = match (position == last, line.is_empty()) {
                (true, true) => "",
                (true, false) => " ",
                (false, _) => "-",
            };
            let gap = if position == 0 { "" } else { " " };
            write!(f, "{gap}{}{separator}{line}", self.code)?;
            if self.cut == Cut::BeforeLast && position + 1 == last {
                f.write_str("...")?;
            }
        }
        match self.cut {
            Cut::AtEnd => f.write_str("..."),
            Cut::Nowhere | Cut::BeforeLast => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )]
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &[u8]) -> Result<Option<Reply>, ReplyError> {
        ReplyParser::new().parse(&mut BytesMut::from(text))
    }

    fn reply(text: &[u8]) -> Reply {
        parse(text).unwrap().unwrap()
    }

    #[test]
    fn all_forms_of_a_last_line() {
        assert_eq!(*reply(b"250\r\n").lines, [""]);
        assert_eq!(*reply(b"250 \r\n").lines, [""]);
        assert_eq!(*reply(b"250-a\r\n250-b\r\n250\r\n").lines, ["a", "b", ""]);
        assert_eq!(*reply(b"220 mx.example ESMTP\n").lines, ["mx.example ESMTP"]);
    }

    #[test]
    fn unknown_codes_count_by_their_first_digit() {
        for (text, class) in [("259 x\r\n", 2), ("459 x\r\n", 4), ("559 x\r\n", 5)] {
            assert_eq!(reply(text.as_bytes()).code.class(), class);
        }
    }

    #[test]
    fn what_is_no_reply() {
        for (text, error) in [
            (&b"150 hi\r\n"[..], ReplyError::Code),
            (b"650 no\r\n", ReplyError::Code),
            (b"099\r\n", ReplyError::Code),
            (b"25\r\n", ReplyError::Malformed),
            (b"\r\n", ReplyError::Malformed),
            (b"HTTP/1.1 400\r\n", ReplyError::Malformed),
            (b"250x\r\n", ReplyError::Malformed),
            (b"2500 x\r\n", ReplyError::Malformed),
            (b"250-x\r\n550 y\r\n", ReplyError::MixedCodes),
        ] {
            assert_eq!(parse(text), Err(error), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn endless_replies_end_at_the_caps() {
        let mut line = b"250 ".to_vec();
        line.resize(LINE_LENGTH, b'x');
        assert!(parse(&[&line[..], b"\r\n"].concat()).unwrap().is_some());
        line.resize(LINE_LENGTH + 1, b'x');
        assert_eq!(
            parse(&[&line[..], b"\r\n"].concat()),
            Err(ReplyError::LineTooLong)
        );
        assert_eq!(parse(&vec![b'2'; LINE_LENGTH + 2]), Err(ReplyError::LineTooLong));
        assert_eq!(parse(&b"250-x\r\n".repeat(LINES + 1)), Err(ReplyError::TooLong));
        let wide = [&b"250-"[..], &vec![b'x'; 1000], b"\r\n"].concat();
        assert_eq!(parse(&wide.repeat(70)), Err(ReplyError::TooLong));
    }

    /// What a reply takes in memory.
    fn octets(reply: &Reply) -> usize {
        reply
            .lines
            .iter()
            .map(|line| line.capacity() + size_of::<String>())
            .sum()
    }

    #[test]
    fn of_a_long_reply_the_beginning_and_the_last_line_are_kept() {
        let long = |line: &[u8], count: usize, last: &str| {
            let line = [b"550-", line, b"\r\n"].concat();
            reply(&[line.repeat(count), format!("550 {last}\r\n").into_bytes()].concat())
        };
        for (line, count) in [
            (&b"x".repeat(500)[..], 127),
            (&b"\xff".repeat(500), 127),
            (b"", 127),
            (&b"x".repeat(2000), 30),
            (&"\u{e9}".repeat(900).into_bytes(), 2),
        ] {
            let reply = long(line, count, "5.7.1 the point");
            assert!(
                reply.cut == Cut::BeforeLast && octets(&reply) <= KEPT,
                "{} octets",
                octets(&reply)
            );
            assert!(octets(&reply) > KEPT / 2);
            let text = reply.to_log();
            assert!(text.ends_with("... 550 5.7.1 the point"), "{text}");
            assert!(text.starts_with("550-"), "{text}");
        }
        let fits = long(b"5.7.1 a word", 20, "5.7.1 the point");
        assert!(fits.cut == Cut::Nowhere && fits.lines.len() == 21);
        // A last line that is as long as the rest is not kept as the reason.
        let endless = long(b"5.7.1 x", 1, &"y".repeat(2040));
        assert!(
            endless.cut == Cut::AtEnd && endless.to_log().ends_with("yyy..."),
            "{endless}"
        );
        let alone = reply(format!("550 {}\r\n", "z".repeat(2040)).as_bytes());
        assert_eq!((alone.lines.len(), alone.cut), (1, Cut::AtEnd));
        assert!(alone.to_log().ends_with("z...") && octets(&alone) <= KEPT);
    }

    #[test]
    fn more_is_kept_where_that_is_asked_for() {
        let mut parser = ReplyParser::new();
        parser.keep(16 * 1024);
        let mut input = BytesMut::from(&b"250-KEYWORD of many\r\n".repeat(100)[..]);
        input.extend_from_slice(b"250 STARTTLS\r\n");
        let reply = parser.parse(&mut input).unwrap().unwrap();
        assert_eq!((reply.lines.len(), reply.cut), (101, Cut::Nowhere));
    }

    #[test]
    fn pipelined_replies_come_one_by_one() {
        let mut input = BytesMut::from(&b"250 a\r\n550-b\r\n550 c\r\n35"[..]);
        let mut parser = ReplyParser::new();
        assert_eq!(*parser.parse(&mut input).unwrap().unwrap().lines, ["a"]);
        assert_eq!(*parser.parse(&mut input).unwrap().unwrap().lines, ["b", "c"]);
        assert_eq!(parser.parse(&mut input), Ok(None));
        input.extend_from_slice(b"4\r\n");
        assert_eq!(parser.parse(&mut input).unwrap().unwrap().code.get(), 354);
        assert!(input.is_empty());
    }

    #[test]
    fn enhanced_codes_must_agree_with_the_code() {
        let enhanced = |text: &[u8]| reply(text).enhanced().map(|status| status.to_string());
        assert_eq!(enhanced(b"550-5.7.1 no\r\n550 5.7.1 never\r\n").unwrap(), "5.7.1");
        assert_eq!(enhanced(b"550 5.7.999\r\n").unwrap(), "5.7.999");
        assert_eq!(enhanced(b"550 2.1.5 x\r\n"), None);
        assert_eq!(enhanced(b"550 no such user 5.1.1\r\n"), None);
        assert_eq!(enhanced(b"354 3.0.0 go\r\n"), None);
    }

    #[test]
    fn one_line() {
        let reply = reply(b"550-5.7.1 first\r\n550 5.7.1 sec\x1b[ond\xff\r\n");
        assert_eq!(reply.to_log(), "550-5.7.1 first 550 5.7.1 sec\u{1b}[ond\u{fffd}");
    }

    proptest! {
        #[test]
        fn never_panics_and_is_the_same_in_every_chunking(
            input in proptest::collection::vec(
                prop_oneof![Just(b'2'), Just(b'5'), Just(b'0'), Just(b'-'), Just(b' '), Just(b'\r'), Just(b'\n'), any::<u8>()],
                0..200,
            ),
            size in 1_usize..9,
        ) {
            let whole = parse(&input);
            let mut parser = ReplyParser::new();
            let mut buffer = BytesMut::new();
            let mut pieced = Ok(None);
            for chunk in input.chunks(size) {
                buffer.extend_from_slice(chunk);
                pieced = parser.parse(&mut buffer);
                if !matches!(pieced, Ok(None)) {
                    break;
                }
            }
            prop_assert_eq!(whole, pieced);
        }
    }
}
