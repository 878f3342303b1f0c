//! Wire to content: strict end of data, dots taken off, faults noted, long lines folded.

use bytes::BytesMut;

/// The longest line of text, in octets without its CRLF and without a stuffed dot (RFC 5321 §4.5.3.1.6,
/// RFC 5322 §2.1.1).
pub const TEXT_LINE_LENGTH: u64 = 998;

/// Why content is refused once its end has come. One fault is kept, the first that was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentFault {
    /// A CR without LF or a LF without CR (RFC 5321 §2.3.8).
    LoneLineEnding,
    /// A NUL octet. Neither 7-bit nor 8-bit content has one (RFC 2045 §2.7, §2.8), and a server that drops them
    /// could be made to see an end of data that is none.
    Nul,
    /// A line longer than [`TEXT_LINE_LENGTH`], where such lines are not folded.
    LineTooLong,
    /// More octets than the limit.
    TooLarge,
}

/// What becomes of a line longer than [`TEXT_LINE_LENGTH`]. It cannot be passed on as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LongLines {
    /// It is broken by CRLF and a blank, as Postfix does. That breaks a signature over it.
    Fold,
    /// The content is refused.
    Refuse,
}

/// How content stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// Behind DATA: with stuffed dots, up to CRLF.CRLF (RFC 5321 §4.5.2).
    Dots,
    /// In chunks of announced lengths, as it is (RFC 3030 §2).
    Chunks,
}

/// Reads content from the wire, piece by piece, until the one true end of data, CRLF.CRLF, or in chunks.
///
/// Whatever is wrong with the content, it is read to that end: what follows is then the next command and nothing
/// else ever is. From the first fault on nothing is stored.
#[derive(Debug)]
pub struct DataDecoder {
    framing: Framing,
    long_lines: LongLines,
    place: Place,
    limit: u64,
    size: u64,
    line: u64,
    eight_bit: bool,
    fault: Option<ContentFault>,
}

/// Where in the grammar the next octet stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Behind CRLF (or DATA's own).
    LineStart,
    /// Behind a dot at the start of a line, not yet stored.
    Dot,
    /// Behind such a dot and CR.
    DotCr,
    /// Anywhere else.
    InLine,
    /// Behind a CR within a line, already stored.
    AfterCr,
}

impl DataDecoder {
    /// A decoder behind the 354 reply; `limit` is the largest content in octets.
    pub fn new(limit: u64, long_lines: LongLines) -> Self {
        Self {
            framing: Framing::Dots,
            long_lines,
            place: Place::LineStart,
            limit,
            size: 0,
            line: 0,
            eight_bit: false,
            fault: None,
        }
    }

    /// A decoder for what chunks hold: whoever reads them knows where each ends, and calls [`DataDecoder::end`] at the last.
    pub fn for_chunks(limit: u64, long_lines: LongLines) -> Self {
        Self {
            framing: Framing::Chunks,
            ..Self::new(limit, long_lines)
        }
    }

    /// The last chunk is over. Its last line is ended where the client did not (RFC 5321 §4.1.1.4 has it ended).
    pub fn end(&mut self, content: &mut BytesMut) {
        match self.place {
            Place::LineStart => {}
            Place::AfterCr => self.refuse(ContentFault::LoneLineEnding),
            Place::Dot | Place::DotCr | Place::InLine => self.store(b"\r\n", content),
        }
        self.place = Place::LineStart;
    }

    /// Appends the content found in `input` to `content`. `Some(n)`: the end of data was the last of the first
    /// `n` octets, what follows is not ours. `None`: all was consumed and the end is still to come.
    pub fn push(&mut self, input: &[u8], content: &mut BytesMut) -> Option<usize> {
        content.reserve(input.len());
        let mut rest = input;
        while let Some(first) = rest.first() {
            let step = match (self.place, *first) {
                (Place::LineStart, b'.') if self.framing == Framing::Dots => self.hold(Place::Dot),
                (Place::Dot, b'\r') => self.hold(Place::DotCr),
                (Place::DotCr, b'\n') => return Some(input.len() - rest.len() + 1),
                (Place::DotCr, _) => {
                    // The dot is dropped, its CR is content again, and a lone one.
                    self.refuse(ContentFault::LoneLineEnding);
                    self.place = Place::InLine;
                    0
                }
                (Place::AfterCr, b'\n') => self.end_line(rest, content),
                (Place::AfterCr, _) => {
                    self.refuse(ContentFault::LoneLineEnding);
                    self.place = Place::InLine;
                    0
                }
                (Place::LineStart | Place::Dot | Place::InLine, _) => self.text(rest, content),
            };
            rest = rest.get(step..).unwrap_or_default();
        }
        None
    }

    fn hold(&mut self, place: Place) -> usize {
        self.place = place;
        1
    }

    /// Stores text up to and with the next CR or LF, which leaves the place to be judged by what follows.
    fn text(&mut self, rest: &[u8], content: &mut BytesMut) -> usize {
        self.place = Place::InLine;
        let found = memchr::memchr2(b'\r', b'\n', rest);
        let text = rest.get(..found.unwrap_or(rest.len())).unwrap_or_default();
        if let Some(taken) = self.fold(text, content) {
            return taken;
        }
        self.grow_line(text.len());
        let Some(end) = found else {
            self.store(rest, content);
            return rest.len();
        };
        if rest.get(end..end + 2) == Some(b"\r\n") {
            // The whole line at once: the way of all ordinary content.
            self.store(rest.get(..end + 2).unwrap_or_default(), content);
            self.place = Place::LineStart;
            self.line = 0;
            return end + 2;
        }
        self.store(rest.get(..=end).unwrap_or_default(), content);
        if rest.get(end) == Some(&b'\r') {
            self.place = Place::AfterCr;
        } else {
            self.refuse(ContentFault::LoneLineEnding);
        }
        end + 1
    }

    fn end_line(&mut self, rest: &[u8], content: &mut BytesMut) -> usize {
        self.store(rest.get(..1).unwrap_or_default(), content);
        self.place = Place::LineStart;
        self.line = 0;
        1
    }

    /// Breaks a line that is too long, wherever that is: which octets are one character nobody knows. How much of the text
    /// is used; `None` if it fits, or if nothing is folded.
    fn fold(&mut self, text: &[u8], content: &mut BytesMut) -> Option<usize> {
        let room = usize::try_from(TEXT_LINE_LENGTH.saturating_sub(self.line)).unwrap_or_default();
        if self.long_lines == LongLines::Refuse || text.len() <= room {
            return None;
        }
        self.store(text.get(..room).unwrap_or_default(), content);
        self.store(b"\r\n ", content);
        self.line = 1;
        Some(room)
    }

    fn grow_line(&mut self, octets: usize) {
        self.line = self.line.saturating_add(octets as u64);
        if self.line > TEXT_LINE_LENGTH {
            self.refuse(ContentFault::LineTooLong);
        }
    }

    fn store(&mut self, octets: &[u8], content: &mut BytesMut) {
        self.size = self.size.saturating_add(octets.len() as u64);
        if self.size > self.limit {
            self.refuse(ContentFault::TooLarge);
        }
        if !self.eight_bit && !octets.is_ascii() {
            self.eight_bit = true;
        }
        if self.fault.is_none() {
            if memchr::memchr(0, octets).is_some() {
                self.refuse(ContentFault::Nul);
                return;
            }
            content.extend_from_slice(octets);
        }
    }

    fn refuse(&mut self, fault: ContentFault) {
        self.fault.get_or_insert(fault);
    }

    /// What is wrong with the content so far, if anything.
    pub fn fault(&self) -> Option<ContentFault> {
        self.fault
    }

    /// The octets of content so far, without stuffed dots, faulty ones included.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether an octet above 127 was met.
    pub fn is_eight_bit(&self) -> bool {
        self.eight_bit
    }
}
