//! Wire to content: strict end of data, dots taken off, faults noted.

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
    /// A line longer than [`TEXT_LINE_LENGTH`]: we could only pass it on by breaking it, and with it signatures.
    LineTooLong,
    /// More octets than the limit.
    TooLarge,
}

/// Reads content from the wire, chunk by chunk, until the one true end of data, CRLF.CRLF.
///
/// Whatever is wrong with the content, it is read to that end: what follows is then the next command and nothing
/// else ever is. From the first fault on nothing is stored.
#[derive(Debug)]
pub struct DataDecoder {
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
    pub fn new(limit: u64) -> Self {
        Self {
            place: Place::LineStart,
            limit,
            size: 0,
            line: 0,
            eight_bit: false,
            fault: None,
        }
    }

    /// Appends the content found in `input` to `content`. `Some(n)`: the end of data was the last of the first
    /// `n` octets, what follows is not ours. `None`: all was consumed and the end is still to come.
    pub fn push(&mut self, input: &[u8], content: &mut BytesMut) -> Option<usize> {
        content.reserve(input.len());
        let mut rest = input;
        while let Some(first) = rest.first() {
            let step = match (self.place, *first) {
                (Place::LineStart, b'.') => self.hold(Place::Dot),
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
        let Some(end) = memchr::memchr2(b'\r', b'\n', rest) else {
            self.grow_line(rest.len());
            self.store(rest, content);
            return rest.len();
        };
        self.grow_line(end);
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
