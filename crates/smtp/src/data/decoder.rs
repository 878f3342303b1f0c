//! From the wire to content: strict end of data, stuffed dots removed, faults noted, long lines folded, lone LFs rewritten
//! where that is asked for.

use bytes::BytesMut;

/// The longest line of text, in octets without its CRLF and without a stuffed dot (RFC 5321 §4.5.3.1.6,
/// RFC 5322 §2.1.1).
pub const TEXT_LINE_LENGTH: u64 = 998;

/// Why content is refused after its end. Only the first fault is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentFault {
    /// A CR without LF or a LF without CR (RFC 5321 §2.3.8).
    LoneLineEnding,
    /// A NUL octet. Neither 7-bit nor 8-bit content may contain one (RFC 2045 §2.7, §2.8), and a server that drops them
    /// could be made to see a false end of data.
    Nul,
    /// A line longer than [`TEXT_LINE_LENGTH`], if such lines are not folded.
    LineTooLong,
    /// More octets than the limit.
    TooLarge,
}

/// What is done with a line longer than [`TEXT_LINE_LENGTH`]. It cannot be passed on as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LongLines {
    /// It is broken with CRLF and a blank, as Postfix does. That breaks a signature over it.
    Fold,
    /// The content is refused.
    Refuse,
}

/// What is done with a LF that is not part of a CRLF. A CR alone is refused in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoneLf {
    /// The content is refused.
    Refuse,
    /// It becomes CRLF. The end of data is still CRLF.CRLF and nothing else: a line with a single dot behind it is
    /// content, whose dot is stuffed again when it is passed on.
    Rewrite,
}

/// How content stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// After DATA: with stuffed dots, up to CRLF.CRLF (RFC 5321 §4.5.2).
    Dots,
    /// In chunks of announced lengths, unchanged (RFC 3030 §2).
    Chunks,
}

/// Reads content from the wire, piece by piece, until the one true end of data, CRLF.CRLF, or in chunks.
///
/// Whatever is wrong with the content, it is read to that end: only what follows it is the next command. After the first
/// fault nothing more is stored.
#[derive(Debug)]
pub struct DataDecoder {
    framing: Framing,
    long_lines: LongLines,
    lone_lf: LoneLf,
    place: Place,
    limit: u64,
    size: u64,
    line: u64,
    eight_bit: bool,
    fault: Option<ContentFault>,
}

/// The position of the next octet in the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Behind CRLF (or DATA's own).
    LineStart,
    /// After a dot at the start of a line, not yet stored.
    Dot,
    /// Behind such a dot and CR.
    DotCr,
    /// After a LF without CR that was rewritten: the start of a line, but the end of data cannot stand there.
    AfterLf,
    /// After a dot there, not yet stored.
    LfDot,
    /// Anywhere else.
    InLine,
    /// After a CR within a line, already stored.
    AfterCr,
}

impl DataDecoder {
    /// A decoder for what follows the 354 reply; `limit` is the largest content in octets.
    pub fn new(limit: u64, long_lines: LongLines) -> Self {
        Self {
            framing: Framing::Dots,
            long_lines,
            lone_lf: LoneLf::Refuse,
            place: Place::LineStart,
            limit,
            size: 0,
            line: 0,
            eight_bit: false,
            fault: None,
        }
    }

    /// A decoder for the contents of chunks: the caller knows where each chunk ends, and calls [`DataDecoder::end`] after
    /// the last.
    pub fn for_chunks(limit: u64, long_lines: LongLines) -> Self {
        Self {
            framing: Framing::Chunks,
            ..Self::new(limit, long_lines)
        }
    }

    /// Treats a LF that is not part of a CRLF in this way; without this it is refused.
    #[must_use]
    pub fn with_lone_lf(self, lone_lf: LoneLf) -> Self {
        Self { lone_lf, ..self }
    }

    /// Call this after the last chunk. Its last line is ended if the client did not do so (RFC 5321 §4.1.1.4 has it ended).
    pub fn end(&mut self, content: &mut BytesMut) {
        match self.place {
            Place::LineStart | Place::AfterLf => {}
            Place::AfterCr => self.refuse(ContentFault::LoneLineEnding),
            Place::Dot | Place::DotCr | Place::LfDot | Place::InLine => self.store(b"\r\n", content),
        }
        self.place = Place::LineStart;
    }

    /// Appends the content found in `input` to `content`. `Some(n)`: the end of data is the last of the first `n` octets;
    /// what follows is not ours. `None`: everything was consumed and the end is still to come.
    pub fn push(&mut self, input: &[u8], content: &mut BytesMut) -> Option<usize> {
        content.reserve(input.len());
        let mut rest = input;
        while let Some(first) = rest.first() {
            let step = match (self.place, *first) {
                (Place::LineStart, b'.') if self.framing == Framing::Dots => self.hold(Place::Dot),
                (Place::AfterLf, b'.') if self.framing == Framing::Dots => self.hold(Place::LfDot),
                (Place::Dot, b'\r') => self.hold(Place::DotCr),
                (Place::Dot | Place::LfDot, b'\n') | (Place::LfDot, b'\r') => self.keep_dot(content),
                (Place::DotCr, b'\n') => return Some(input.len() - rest.len() + 1),
                (Place::DotCr, _) => {
                    // The dot is dropped; its CR is content again, and a lone one.
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
                (Place::LineStart | Place::Dot | Place::AfterLf | Place::LfDot | Place::InLine, _) => {
                    self.text(rest, content)
                }
            };
            rest = rest.get(step..).unwrap_or_default();
        }
        None
    }

    /// A line with a single dot that is not the end of data: the dot was not stuffed, so it stays.
    fn keep_dot(&mut self, content: &mut BytesMut) -> usize {
        self.grow_line(1);
        self.store(b".", content);
        self.place = Place::InLine;
        0
    }

    fn hold(&mut self, place: Place) -> usize {
        self.place = place;
        1
    }

    /// Stores text up to and including the next CR or LF; what follows decides about that one.
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
            // The whole line at once: the usual case.
            self.store(rest.get(..end + 2).unwrap_or_default(), content);
            self.place = Place::LineStart;
            self.line = 0;
            return end + 2;
        }
        if rest.get(end) == Some(&b'\r') {
            self.store(rest.get(..=end).unwrap_or_default(), content);
            self.place = Place::AfterCr;
        } else {
            self.lone_lf(rest.get(..end).unwrap_or_default(), content);
        }
        end + 1
    }

    /// A LF behind this text, which has no CR at its end.
    fn lone_lf(&mut self, text: &[u8], content: &mut BytesMut) {
        self.store(text, content);
        match self.lone_lf {
            LoneLf::Refuse => {
                self.store(b"\n", content);
                self.refuse(ContentFault::LoneLineEnding);
            }
            LoneLf::Rewrite => {
                self.store(b"\r\n", content);
                self.place = Place::AfterLf;
                self.line = 0;
            }
        }
    }

    fn end_line(&mut self, rest: &[u8], content: &mut BytesMut) -> usize {
        self.store(rest.get(..1).unwrap_or_default(), content);
        self.place = Place::LineStart;
        self.line = 0;
        1
    }

    /// Breaks a line that is too long. Returns how much of the text is used; `None` if it fits, or if nothing is folded.
    fn fold(&mut self, text: &[u8], content: &mut BytesMut) -> Option<usize> {
        let room = usize::try_from(TEXT_LINE_LENGTH.saturating_sub(self.line)).unwrap_or_default();
        if self.long_lines == LongLines::Refuse || text.len() <= room {
            return None;
        }
        let end = break_at(text, room);
        self.store(text.get(..end).unwrap_or_default(), content);
        self.store(b"\r\n ", content);
        self.line = 1;
        Some(end)
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

    /// Whether there was an octet above 127.
    pub fn is_eight_bit(&self) -> bool {
        self.eight_bit
    }
}

/// Where to break a line of which so many octets of this text have room: not within a character of UTF-8, nor so that blanks
/// alone may follow, because in a header such a line looks like its end. What was stored before cannot be taken back, so
/// where the text begins shortly before that place the break may fall within a character.
fn break_at(text: &[u8], room: usize) -> usize {
    let is_blank = |octet: &u8| matches!(octet, b' ' | b'\t');
    let is_inside = |octet: &u8| octet & 0b1100_0000 == 0b1000_0000;
    let before = text.get(..room).unwrap_or_default();
    let solid = match text.get(room) {
        Some(next) if is_blank(next) => before.iter().rposition(|octet| !is_blank(octet)),
        Some(_) | None => None,
    };
    let wanted = solid.unwrap_or(room);
    // A character has at most four octets.
    let mut starts = (wanted.saturating_sub(3)..=wanted).rev();
    let start = starts.find(|at| text.get(*at).is_some_and(|octet| !is_inside(octet)));
    start.filter(|at| *at > 0).unwrap_or(room)
}
