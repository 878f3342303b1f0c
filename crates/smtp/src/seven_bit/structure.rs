//! Where the parts of a message begin and end (RFC 2046 §5.1).

use super::header::{Encoding, Field, Header, Kind, Parts, field};
use super::lines::without_end;
use super::plan::{DEPTH, PARTS, Unconvertible};

/// What a line is.
#[derive(Debug)]
pub(super) enum Line {
    /// A line of a header.
    Header(Field),
    /// The blank line at the end of a header.
    HeaderEnd(Entity),
    /// A line of the body of a part that has no parts itself.
    Body,
    /// A line before the first part or behind the last one, which belongs to none (RFC 2046 §5.1.1).
    Margin {
        /// Whether a signature is over it all the same.
        is_signed: bool,
    },
    /// The line before a part or behind the last one. A header that came before it without a blank line has ended.
    Delimiter(Option<Entity>),
}

/// A part, or a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entity {
    /// Its number, in the order of the headers.
    pub(super) number: usize,
    pub(super) shape: Shape,
    pub(super) encoding: Encoding,
    /// Whether it is a message and has no `MIME-Version`.
    pub(super) lacks_version: bool,
    /// Whether it has no `Content-Type`.
    pub(super) lacks_type: bool,
    /// Whether a signature is over it.
    pub(super) is_signed: bool,
}

/// What can be done with the body of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    Other,
    /// It has parts, or is a message.
    Composite,
    Bare,
    Unclear,
}

/// Follows the lines of a message.
#[derive(Debug)]
pub(super) struct Structure {
    place: Place,
    levels: Vec<Level>,
    /// The number of the part whose header or body is being read.
    number: usize,
}

#[derive(Debug)]
enum Place {
    Header(Box<Reading>),
    Body,
    Margin { is_signed: bool, side: Side },
}

/// Which lines of a multipart belong to no part (RFC 2046 §5.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// Those before the first part.
    Before,
    /// Those behind the last one.
    Behind,
}

/// A header that is being read.
#[derive(Debug)]
struct Reading {
    header: Header,
    field: Option<Field>,
    role: Role,
}

/// Whose header it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Message,
    Part(Parts),
}

/// An entity that has others in it.
#[derive(Debug)]
struct Level {
    /// None: a message.
    boundary: Option<Vec<u8>>,
    of: Parts,
    /// Whether a signature is over it as a whole.
    is_signed: bool,
    /// Whether it has octets above 127 before its first part: if no part follows, readers show them.
    is_open: bool,
}

impl Structure {
    pub(super) fn new() -> Self {
        Self {
            place: Place::header(Role::Message),
            levels: Vec::new(),
            number: 0,
        }
    }

    /// The number of the part whose header or body the last line was in.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// What the next line is.
    pub(super) fn line(&mut self, line: &[u8]) -> Result<Line, Unconvertible> {
        let (text, _) = without_end(line);
        if let Some((level, is_last)) = self.delimiter(text)? {
            let ended = self.end_open_header()?;
            self.delimit(level, is_last)?;
            return Ok(Line::Delimiter(ended));
        }
        let reading = match &mut self.place {
            Place::Body => return Ok(Line::Body),
            Place::Margin { is_signed, side } => {
                if *side == Side::Before
                    && !text.is_ascii()
                    && let Some(level) = self.levels.last_mut()
                {
                    level.is_open = true;
                }
                return Ok(Line::Margin {
                    is_signed: *is_signed,
                });
            }
            Place::Header(reading) => reading,
        };
        if text.is_empty() {
            return self.end_header(true).map(Line::HeaderEnd);
        }
        reading.line(text).map(Line::Header)
    }

    /// The content has ended. What the last header says, if that was before its blank line.
    pub(super) fn finish(&mut self) -> Result<Option<Entity>, Unconvertible> {
        let last = self.end_open_header()?;
        self.leave(0)?;
        Ok(last)
    }

    fn end_open_header(&mut self) -> Result<Option<Entity>, Unconvertible> {
        match self.place {
            Place::Header(_) => self.end_header(false).map(Some),
            Place::Body | Place::Margin { .. } => Ok(None),
        }
    }

    /// Which multipart's delimiter a line is, and whether it is its last one. A line that only begins like one is a delimiter
    /// to some readers (RFC 2046 §5.1.1) and not to others.
    fn delimiter(&self, text: &[u8]) -> Result<Option<(usize, bool)>, Unconvertible> {
        let Some(text) = text.strip_prefix(b"--") else {
            return Ok(None);
        };
        let text = without_blanks(text);
        let mut is_similar = false;
        for (at, level) in self.levels.iter().enumerate().rev() {
            let boundary = level.boundary.as_deref();
            let Some(rest) = boundary.and_then(|boundary| text.strip_prefix(boundary)) else {
                continue;
            };
            match rest {
                [] => return Ok(Some((at, false))),
                b"--" => return Ok(Some((at, true))),
                _ => is_similar = true,
            }
        }
        if is_similar {
            Err(Unconvertible::Unclear)
        } else {
            Ok(None)
        }
    }

    /// A delimiter also ends whatever is within the part before it (RFC 2046 §5.1.2).
    fn delimit(&mut self, level: usize, is_last: bool) -> Result<(), Unconvertible> {
        self.leave(level + 1)?;
        let Some(Level {
            of,
            is_signed,
            is_open,
            ..
        }) = self.levels.last_mut()
        else {
            return Err(Unconvertible::Unclear);
        };
        let (of, is_signed) = (*of, *is_signed);
        if is_last {
            self.leave(level)?;
            self.place = Place::Margin {
                is_signed,
                side: Side::Behind,
            };
            return Ok(());
        }
        *is_open = false;
        self.begin(Role::Part(of))
    }

    /// Leaves all but so many levels.
    fn leave(&mut self, levels: usize) -> Result<(), Unconvertible> {
        if self.levels.drain(levels..).any(|level| level.is_open) {
            return Err(Unconvertible::Unclear);
        }
        Ok(())
    }

    fn begin(&mut self, role: Role) -> Result<(), Unconvertible> {
        self.number += 1;
        if self.number >= PARTS {
            return Err(Unconvertible::TooManyParts);
        }
        self.place = Place::header(role);
        Ok(())
    }

    fn end_header(&mut self, is_blank: bool) -> Result<Entity, Unconvertible> {
        let Place::Header(reading) = std::mem::replace(&mut self.place, Place::Body) else {
            return Err(Unconvertible::Unclear);
        };
        let Reading { header, role, .. } = *reading;
        let (is_message, within) = match role {
            Role::Message => (true, Parts::Ordinary),
            Role::Part(of) => (false, of),
        };
        let is_around = self
            .levels
            .last()
            .is_some_and(|level| level.is_signed || level.of == Parts::Signed);
        let mut entity = Entity {
            number: self.number,
            shape: Shape::Unclear,
            encoding: header.encoding(),
            lacks_version: is_message && !header.has_version,
            lacks_type: !header.has_content_type(),
            is_signed: is_around || is_message && header.is_signed,
        };
        let is_open = is_blank && matches!(entity.encoding, Encoding::SevenBit | Encoding::Octets);
        match header.kind(within) {
            Kind::Text => entity.shape = Shape::Text,
            Kind::Other => entity.shape = Shape::Other,
            Kind::Bare => entity.shape = Shape::Bare,
            Kind::Message if is_open => {
                entity.shape = Shape::Composite;
                self.open(None, Parts::Ordinary, entity.is_signed)?;
                self.begin(Role::Message)?;
            }
            Kind::Multipart { boundary, of } if is_open && self.is_new(&boundary) => {
                entity.shape = Shape::Composite;
                self.open(Some(boundary), of, entity.is_signed)?;
                self.place = Place::Margin {
                    is_signed: entity.is_signed,
                    side: Side::Before,
                };
            }
            Kind::Message | Kind::Multipart { .. } | Kind::Unclear => {}
        }
        Ok(entity)
    }

    fn open(&mut self, boundary: Option<Vec<u8>>, of: Parts, is_signed: bool) -> Result<(), Unconvertible> {
        if self.levels.len() >= DEPTH {
            return Err(Unconvertible::TooManyParts);
        }
        self.levels.push(Level {
            boundary,
            of,
            is_signed,
            is_open: false,
        });
        Ok(())
    }

    /// Whether no delimiter of an open multipart could be taken for one with this boundary.
    fn is_new(&self, boundary: &[u8]) -> bool {
        let plain = |boundary: &[u8]| boundary.strip_suffix(b"--").unwrap_or(boundary).to_vec();
        let open = self.levels.iter().filter_map(|level| level.boundary.as_deref());
        !open.map(plain).any(|known| known == plain(boundary))
    }
}

impl Place {
    fn header(role: Role) -> Self {
        Self::Header(Box::new(Reading {
            header: Header::default(),
            field: None,
            role,
        }))
    }
}

impl Reading {
    /// The field that a line which is not blank begins or continues.
    fn line(&mut self, text: &[u8]) -> Result<Field, Unconvertible> {
        match (text, self.field) {
            // A line of blanks alone ends the header to some readers and not to others.
            ([b' ' | b'\t', ..], Some(current)) if !without_blanks(text).is_empty() => {
                self.header.go_on(current, text);
                Ok(current)
            }
            _ => {
                let begun = field(text).ok_or(Unconvertible::Unclear)?;
                self.header.begin(begun, text);
                self.field = Some(begun);
                Ok(begun)
            }
        }
    }
}

/// Without spaces and tabs at the end.
fn without_blanks(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}
