//! The second reading: the content in its new form.

use bytes::BytesMut;

use super::encoding::{Base64, mended, quoted};
use super::header::Field;
use super::lines::Lines;
use super::plan::{Body, Plan, Treatment, Unconvertible};
use super::structure::{Entity, Line, Structure};

/// Writes content in its new form, by the plan that a [`super::Survey`] of the same content has made.
#[derive(Debug)]
pub struct Converter<'p> {
    lines: Lines,
    writing: Writing<'p>,
}

#[derive(Debug)]
struct Writing<'p> {
    plan: &'p Plan,
    structure: Structure,
    /// The body that is being encoded in base64.
    base64: Option<Base64>,
}

impl<'p> Converter<'p> {
    /// A converter at the start of a message.
    pub fn new(plan: &'p Plan) -> Self {
        Self {
            lines: Lines::default(),
            writing: Writing {
                plan,
                structure: Structure::new(),
                base64: None,
            },
        }
    }

    /// Appends the new form of `content` to `out`: at most about four times its length. Content may be cut anywhere. It fails
    /// only if the content is not the one that was surveyed.
    pub fn push(&mut self, content: &[u8], out: &mut BytesMut) -> Result<(), Unconvertible> {
        let Self { lines, writing } = self;
        lines.push(content, |line| writing.line(line, out))
    }

    /// The content has ended.
    pub fn finish(self, out: &mut BytesMut) -> Result<(), Unconvertible> {
        let Self { lines, mut writing } = self;
        lines.finish(|line| writing.line(line, out))?;
        if let Some(base64) = writing.base64.take() {
            base64.finish(out);
        }
        if let Some(entity) = writing.structure.finish()? {
            writing.fields(&entity, out);
        }
        Ok(())
    }
}

impl Writing<'_> {
    fn treatment(&self, number: usize) -> Treatment {
        self.plan.parts.get(number).copied().unwrap_or_default()
    }

    fn line(&mut self, line: &[u8], out: &mut BytesMut) -> Result<(), Unconvertible> {
        let number = self.structure.number();
        match self.structure.line(line)? {
            Line::Header(Field::Encoding) if self.treatment(number).body.encoding().is_some() => {}
            Line::Header(_) => out.extend_from_slice(line),
            Line::HeaderEnd(entity) => {
                self.fields(&entity, out);
                out.extend_from_slice(line);
            }
            Line::Body => self.body(line, out),
            // These octets belong to no part; readers do not show them.
            Line::Margin { .. } => out.extend(
                line.iter()
                    .map(|octet| if octet.is_ascii() { *octet } else { b'?' }),
            ),
            Line::Delimiter(ended) => {
                if let Some(base64) = self.base64.take() {
                    base64.end(out);
                }
                if let Some(entity) = ended {
                    self.fields(&entity, out);
                }
                out.extend_from_slice(line);
            }
        }
        Ok(())
    }

    /// The fields that are added to a header. A message without MIME has a character set that nobody knows (RFC 1428 §3).
    fn fields(&self, entity: &Entity, out: &mut BytesMut) {
        let treatment = self.treatment(entity.number);
        if treatment.version {
            out.extend_from_slice(b"MIME-Version: 1.0\r\n");
        }
        if treatment.content_type {
            out.extend_from_slice(b"Content-Type: text/plain; charset=unknown-8bit\r\n");
        }
        if let Some(encoding) = treatment.body.encoding() {
            out.extend_from_slice(b"Content-Transfer-Encoding: ");
            out.extend_from_slice(encoding.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }

    fn body(&mut self, line: &[u8], out: &mut BytesMut) {
        match self.treatment(self.structure.number()).body {
            Body::Kept | Body::Labelled => out.extend_from_slice(line),
            Body::Quoted => quoted(line, out),
            Body::Mended => mended(line, out),
            Body::Base64 => self.base64.get_or_insert_default().line(line, out),
        }
    }
}
