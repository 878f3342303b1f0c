//! Quoted-printable and base64 (RFC 2045 §6.7, §6.8), line by line.

use bytes::BytesMut;
use data_encoding::BASE64;

use super::lines::without_end;

/// The longest encoded line, in octets without its CRLF.
const ENCODED_LINE: usize = 76;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Appends a line in quoted-printable. Line endings stay, longer lines get soft ones.
pub(super) fn quoted(line: &[u8], out: &mut BytesMut) {
    let (text, has_end) = without_end(line);
    let mut length = 0;
    for (at, octet) in text.iter().enumerate() {
        let is_last = at + 1 == text.len();
        let is_plain = match octet {
            b'=' => false,
            // What follows a soft line end must not look like a delimiter.
            b'-' => length < ENCODED_LINE - 1,
            b' ' | b'\t' => !is_last,
            octet => octet.is_ascii_graphic(),
        };
        let needed = if is_plain { 1 } else { 3 };
        // The equals sign of a soft line end needs a place as well.
        let room = ENCODED_LINE - usize::from(!is_last);
        if length + needed > room {
            out.extend_from_slice(b"=\r\n");
            length = 0;
        }
        length += needed;
        if is_plain {
            out.extend_from_slice(&[*octet]);
        } else {
            escape(*octet, out);
        }
    }
    if has_end {
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends a line that is in quoted-printable already, with its octets above 127 escaped.
pub(super) fn mended(line: &[u8], out: &mut BytesMut) {
    for octet in line {
        if octet.is_ascii() {
            out.extend_from_slice(&[*octet]);
        } else {
            escape(*octet, out);
        }
    }
}

fn escape(octet: u8, out: &mut BytesMut) {
    let digit = |value: u8| HEX.get(usize::from(value)).copied().unwrap_or(b'0');
    out.extend_from_slice(&[b'=', digit(octet >> 4), digit(octet & 15)]);
}

/// Base64 of a body, which is given line by line.
#[derive(Debug, Default)]
pub(super) struct Base64 {
    /// Less than what one encoded line holds.
    pending: Vec<u8>,
    /// The last line had a CRLF, which belongs to the body only if something follows that does.
    has_end: bool,
}

/// What one encoded line holds.
const DECODED_LINE: usize = ENCODED_LINE / 4 * 3;

impl Base64 {
    pub(super) fn line(&mut self, line: &[u8], out: &mut BytesMut) {
        let (text, has_end) = without_end(line);
        if std::mem::replace(&mut self.has_end, has_end) {
            self.octets(b"\r\n", out);
        }
        self.octets(text, out);
    }

    fn octets(&mut self, octets: &[u8], out: &mut BytesMut) {
        self.pending.extend_from_slice(octets);
        let whole = self.pending.len() / DECODED_LINE * DECODED_LINE;
        for line in self.pending.drain(..whole).as_slice().chunks(DECODED_LINE) {
            put_line(line, out);
        }
    }

    /// The body has ended at a delimiter, to which the last CRLF belongs.
    pub(super) fn end(self, out: &mut BytesMut) {
        if !self.pending.is_empty() {
            put_line(&self.pending, out);
        }
    }

    /// The body has ended with the content.
    pub(super) fn finish(mut self, out: &mut BytesMut) {
        if self.has_end {
            self.octets(b"\r\n", out);
        }
        self.end(out);
    }
}

fn put_line(octets: &[u8], out: &mut BytesMut) {
    out.extend_from_slice(BASE64.encode(octets).as_bytes());
    out.extend_from_slice(b"\r\n");
}
