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
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReplyError {
    /// Not three digits, or followed by something other than `-`, a space or the end of the line.
    #[error("not an SMTP reply")]
    Malformed,
    /// The first digit is not 2 to 5 (RFC 5321 §4.2).
    #[error("a reply code outside 200-599")]
    Code,
    /// The lines of one reply have different codes (RFC 5321 §4.2.1). It was read to its last line: this is all of it in one
    /// line, each line with its own code, at most [`KEPT`] octets; the server's own text, to be escaped where it is shown.
    #[error("the lines of one reply have different codes")]
    MixedCodes(String),
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
    /// From which of the kept lines on each has its own code in front, because the codes differ.
    mixed: Option<usize>,
    blank_lines: BlankLines,
    /// Lines and octets seen.
    seen: usize,
    length: usize,
    kept: Kept,
}

/// What a blank line in place of a reply means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlankLines {
    /// Nothing: some servers send one between two replies.
    Skip,
    /// That the server does not speak SMTP. Where several replies are awaited, the blank line could stand for one of them.
    Refuse,
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
            mixed: None,
            blank_lines: BlankLines::Skip,
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

    /// What a blank line before the next reply means; at first, nothing.
    pub fn blank_lines(&mut self, meaning: BlankLines) {
        self.blank_lines = meaning;
    }

    /// Removes blank lines at the beginning of `input`, if no reply has begun.
    pub fn skip_blank_lines(&self, input: &mut BytesMut) {
        while self.code.is_none() && self.blank_lines == BlankLines::Skip {
            match &**input {
                [b'\r', b'\n', ..] => input.advance(2),
                [b'\n', ..] => input.advance(1),
                _ => return,
            }
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
        if line.is_empty() && self.code.is_none() && self.blank_lines == BlankLines::Skip {
            return Ok(None);
        }
        let (code, rest) = split_code(line)?;
        let (last, text) = match rest {
            [] => (true, rest),
            [b' ', text @ ..] => (true, text),
            [b'-', text @ ..] => (false, text),
            _ => return Err(ReplyError::Malformed),
        };
        if *self.code.get_or_insert(code) != code {
            self.mixed.get_or_insert(self.kept.lines.len());
        }
        let text = match self.mixed {
            None => String::from_utf8_lossy(text),
            Some(_) => String::from_utf8_lossy(line),
        };
        if last {
            self.kept.last_line(&text);
            return self.end().map(Some);
        }
        self.kept.line(&text);
        Ok(None)
    }

    /// The reply that is complete now; the next line begins another.
    fn end(&mut self) -> Result<Reply, ReplyError> {
        let next = Self {
            kept: Kept::new(self.kept.most),
            blank_lines: self.blank_lines,
            ..Self::default()
        };
        let Self {
            code, mixed, kept, ..
        } = std::mem::replace(self, next);
        // There is a code, because there was a line.
        let code = code.ok_or(ReplyError::Malformed)?;
        match mixed {
            None => Ok(Reply {
                code,
                lines: kept.lines.into(),
                cut: kept.cut,
            }),
            Some(from) => Err(ReplyError::MixedCodes(kept.in_one_line(code, from))),
        }
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

impl Kept {
    /// The lines of a reply with different codes; those from `from` on already have theirs in front.
    fn in_one_line(&self, first: ReplyCode, from: usize) -> String {
        let mut text = String::new();
        // Lines before the last one may have been dropped to make room for it.
        let from = from.min(self.lines.len().saturating_sub(1));
        for (position, line) in self.lines.iter().enumerate() {
            let gap = if position == 0 { "" } else { " " };
            let code = if position < from {
                format!("{first}-")
            } else {
                String::new()
            };
            text.extend([gap, &code, line]);
            if self.cut == Cut::BeforeLast && position + 2 == self.lines.len() {
                text.push_str("...");
            }
        }
        text.truncate(text.floor_char_boundary(KEPT));
        text
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
    /// The enhanced status code (RFC 2034 §4) at the start of the first line that has one whose class is that of the code.
    pub fn enhanced(&self) -> Option<EnhancedStatus> {
        self.lines.iter().find_map(|line| {
            let token = line.split(' ').next().unwrap_or_default();
            let status: EnhancedStatus = token.parse().ok()?;
            (status.class() == self.code.class()).then_some(status)
        })
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
mod tests;
