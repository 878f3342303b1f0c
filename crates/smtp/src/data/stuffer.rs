//! From content to the wire: dots doubled, CRLF.CRLF at the end.

use bytes::BytesMut;
use thiserror::Error;

/// The content holds a CR without LF or a LF without CR, and so cannot be sent by DATA.
///
/// A message received through [`DataDecoder`](super::DataDecoder) never does; this means a damaged store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the content holds a lone CR or LF")]
pub struct LoneLineEnding;

/// Converts content into what follows a 354 reply, chunk by chunk. Chunks may be cut anywhere.
#[derive(Debug, Default)]
pub struct DotStuffer {
    place: Place,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    LineStart,
    InLine,
    AfterCr,
}

impl DotStuffer {
    /// A stuffer at the start of a message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the wire form of `content` to `out`: at most twice its length. After an error nothing more may be sent and
    /// the connection must be closed, because the server would take what it has for the whole message.
    pub fn push(&mut self, content: &[u8], out: &mut BytesMut) -> Result<(), LoneLineEnding> {
        out.reserve(content.len().saturating_add(content.len() / 64));
        let mut rest = content;
        // What is copied unchanged, up to the next dot to be doubled.
        let mut plain = 0_usize;
        while let Some(first) = rest.first() {
            if self.place == Place::LineStart && *first == b'.' {
                let offset = content.len() - rest.len();
                out.extend_from_slice(content.get(plain..offset).unwrap_or_default());
                out.extend_from_slice(b".");
                plain = offset;
            }
            let line = self.next_line(rest)?;
            rest = rest.get(line..).unwrap_or_default();
        }
        out.extend_from_slice(content.get(plain..).unwrap_or_default());
        Ok(())
    }

    /// The length of what belongs to this line, including its CRLF.
    fn next_line(&mut self, rest: &[u8]) -> Result<usize, LoneLineEnding> {
        if self.place == Place::AfterCr {
            self.place = Place::LineStart;
            return if rest.first() == Some(&b'\n') {
                Ok(1)
            } else {
                Err(LoneLineEnding)
            };
        }
        let Some(end) = memchr::memchr2(b'\r', b'\n', rest) else {
            self.place = Place::InLine;
            return Ok(rest.len());
        };
        match (rest.get(end), rest.get(end + 1)) {
            (Some(b'\r'), Some(b'\n')) => {
                self.place = Place::LineStart;
                Ok(end + 2)
            }
            (Some(b'\r'), None) => {
                self.place = Place::AfterCr;
                Ok(end + 1)
            }
            _ => Err(LoneLineEnding),
        }
    }

    /// Appends the end of data, CRLF.CRLF; the CRLF of a complete last line is the first of the two
    /// (RFC 5321 §4.1.1.4).
    pub fn finish(self, out: &mut BytesMut) -> Result<(), LoneLineEnding> {
        match self.place {
            Place::LineStart => out.extend_from_slice(b".\r\n"),
            Place::InLine => out.extend_from_slice(b"\r\n.\r\n"),
            Place::AfterCr => return Err(LoneLineEnding),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn stuff(content: &[u8], size: usize) -> Result<Vec<u8>, LoneLineEnding> {
        let mut stuffer = DotStuffer::new();
        let mut out = BytesMut::new();
        for chunk in content.chunks(size) {
            stuffer.push(chunk, &mut out)?;
        }
        stuffer.finish(&mut out)?;
        Ok(out.to_vec())
    }

    #[test]
    fn wire_forms() {
        for (content, wire) in [
            (&b""[..], &b".\r\n"[..]),
            (b"a", b"a\r\n.\r\n"),
            (b"a\r\n", b"a\r\n.\r\n"),
            (b"\r\n", b"\r\n.\r\n"),
            (b".", b"..\r\n.\r\n"),
            (b".\r\n", b"..\r\n.\r\n"),
            (b"a\r\n.\r\n..\r\nb.c\r\n", b"a\r\n..\r\n...\r\nb.c\r\n.\r\n"),
            (b".a\r\n.b", b"..a\r\n..b\r\n.\r\n"),
        ] {
            for size in 1..=content.len().max(1) {
                assert_eq!(
                    stuff(content, size).unwrap(),
                    wire,
                    "{} by {size}",
                    content.escape_ascii()
                );
            }
        }
    }

    #[test]
    fn lone_line_endings_never_leave() {
        for content in [
            &b"a\nb"[..],
            b"\n",
            b"a\r",
            b"a\rb",
            b"a\r\r\n",
            b"a\r\n.\n",
            b"\n.\r\n",
        ] {
            for size in 1..=content.len() {
                assert_eq!(
                    stuff(content, size),
                    Err(LoneLineEnding),
                    "{} by {size}",
                    content.escape_ascii()
                );
            }
        }
    }
}
