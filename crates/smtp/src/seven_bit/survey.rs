//! The first reading: which parts there are, and what is to be done with each.

use super::header::Encoding;
use super::lines::{Lines, without_end};
use super::plan::{Body, Plan, Treatment, Unconvertible};
use super::structure::{Entity, Line, Shape, Structure};

/// The longest line that may be sent, in octets without its CRLF (RFC 5321 §4.5.3.1.6).
const SENT_LINE: usize = 998;

/// Finds the parts of content and decides what is to be done with each.
#[derive(Debug)]
pub struct Survey {
    lines: Lines,
    reading: Reading,
}

#[derive(Debug)]
struct Reading {
    structure: Structure,
    parts: Vec<Treatment>,
    /// The part whose body is being read.
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    entity: Entity,
    /// Octets of the body, and those of them above 127.
    octets: u64,
    high: u64,
    /// The longest line with each octet above 127 as three.
    longest: usize,
}

impl Default for Survey {
    fn default() -> Self {
        Self::new()
    }
}

impl Survey {
    /// A survey at the start of a message.
    pub fn new() -> Self {
        Self {
            lines: Lines::default(),
            reading: Reading {
                structure: Structure::new(),
                parts: Vec::new(),
                current: None,
            },
        }
    }

    /// Reads on. Content may be cut anywhere.
    pub fn push(&mut self, content: &[u8]) -> Result<(), Unconvertible> {
        let Self { lines, reading } = self;
        lines.push(content, |line| reading.line(line))
    }

    /// The content has ended: what is to be done with it.
    pub fn finish(self) -> Result<Plan, Unconvertible> {
        let Self { lines, mut reading } = self;
        lines.finish(|line| reading.line(line))?;
        reading.end_part()?;
        if let Some(entity) = reading.structure.finish()? {
            reading.begin_part(entity)?;
            reading.end_part()?;
        }
        Ok(Plan { parts: reading.parts })
    }
}

impl Reading {
    fn line(&mut self, line: &[u8]) -> Result<(), Unconvertible> {
        match self.structure.line(line)? {
            Line::Header(_) if !line.is_ascii() => Err(Unconvertible::Header),
            Line::Margin { is_signed: true } if !line.is_ascii() => Err(Unconvertible::Signed),
            Line::Header(_) | Line::Margin { .. } => Ok(()),
            Line::HeaderEnd(entity) => self.begin_part(entity),
            Line::Body => {
                if let Some(current) = &mut self.current {
                    current.line(line);
                }
                Ok(())
            }
            Line::Delimiter(ended) => {
                self.end_part()?;
                match ended {
                    Some(entity) => {
                        self.begin_part(entity)?;
                        self.end_part()
                    }
                    None => Ok(()),
                }
            }
        }
    }

    fn begin_part(&mut self, entity: Entity) -> Result<(), Unconvertible> {
        self.end_part()?;
        self.current = Some(Current {
            entity,
            octets: 0,
            high: 0,
            longest: 0,
        });
        Ok(())
    }

    fn end_part(&mut self) -> Result<(), Unconvertible> {
        if let Some(current) = self.current.take() {
            self.parts.push(current.treatment()?);
        }
        Ok(())
    }
}

impl Current {
    fn line(&mut self, line: &[u8]) {
        let high = line.iter().filter(|octet| !octet.is_ascii()).count();
        let (text, _) = without_end(line);
        self.octets += line.len() as u64;
        self.high += high as u64;
        self.longest = self.longest.max(text.len() + 2 * high);
    }

    fn treatment(&self) -> Result<Treatment, Unconvertible> {
        let Entity {
            shape,
            encoding,
            is_signed,
            ..
        } = self.entity;
        if self.high == 0 {
            let is_labelled = encoding == Encoding::Octets && !is_signed && shape != Shape::Unclear;
            return Ok(Treatment {
                body: if is_labelled { Body::Labelled } else { Body::Kept },
                version: self.entity.lacks_version && is_labelled,
                content_type: false,
            });
        }
        if is_signed {
            return Err(Unconvertible::Signed);
        }
        let body = match (shape, encoding) {
            (Shape::Bare, _) => return Err(Unconvertible::Type),
            (Shape::Unclear | Shape::Composite, _) => return Err(Unconvertible::Unclear),
            (Shape::Text | Shape::Other, Encoding::Other) => return Err(Unconvertible::Encoded),
            (Shape::Text | Shape::Other, Encoding::QuotedPrintable) if self.longest <= SENT_LINE => {
                Body::Mended
            }
            (Shape::Text | Shape::Other, Encoding::QuotedPrintable) => return Err(Unconvertible::Line),
            (Shape::Text, Encoding::SevenBit | Encoding::Octets) if self.is_mostly_ascii() => Body::Quoted,
            (Shape::Text | Shape::Other, Encoding::SevenBit | Encoding::Octets) => Body::Base64,
        };
        Ok(Treatment {
            body,
            version: self.entity.lacks_version,
            content_type: self.entity.lacks_type,
        })
    }

    /// Whether people can read it in quoted-printable, too; then base64 would hardly be shorter.
    fn is_mostly_ascii(&self) -> bool {
        self.high.saturating_mul(3) <= self.octets
    }
}
