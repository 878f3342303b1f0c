//! The header fields that say what a part is (RFC 2045 §5, §6).

use super::plan::FIELD;

/// What a header says about its part.
#[derive(Debug, Default)]
pub(super) struct Header {
    content_type: Option<Vec<u8>>,
    encoding: Option<Vec<u8>>,
    pub(super) has_version: bool,
    /// A field that matters is there twice, or is too long.
    is_unclear: bool,
    /// The whole entity is signed: DKIM or ARC (RFC 6376, RFC 8617).
    pub(super) is_signed: bool,
}

/// Which field a line begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    ContentType,
    Encoding,
    Version,
    Signature,
    Other,
}

/// The encoding that a header names (RFC 2045 §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// `7bit`, or none named.
    SevenBit,
    /// `8bit` or `binary`.
    Octets,
    QuotedPrintable,
    Other,
}

/// What kind of entity a part is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// `text/…`.
    Text,
    /// Another type without parts.
    Other,
    /// `message/rfc822`.
    Message,
    /// Another `message/…`: read as it is, so that it must not be encoded.
    Bare,
    /// `multipart/…` with its boundary.
    Multipart { boundary: Vec<u8>, of: Parts },
    /// Readers may disagree.
    Unclear,
}

/// Which multipart it is, as far as that matters to its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    Ordinary,
    /// `multipart/digest`: without `Content-Type`, they are messages (RFC 2046 §5.1.5).
    Messages,
    /// `multipart/signed` (RFC 1847 §2.1).
    Signed,
}

/// The field that this line begins, if it begins one: a name of printable characters, and a colon. Blanks between them are
/// obsolete (RFC 5322 §4.5.8).
pub(super) fn field(line: &[u8]) -> Option<Field> {
    let colon = memchr::memchr(b':', line)?;
    let name = line.get(..colon)?.trim_ascii_end();
    if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    Some(if is("Content-Type") {
        Field::ContentType
    } else if is("Content-Transfer-Encoding") {
        Field::Encoding
    } else if is("MIME-Version") {
        Field::Version
    } else if is("DKIM-Signature") || is("ARC-Message-Signature") {
        Field::Signature
    } else {
        Field::Other
    })
}

impl Header {
    /// A line that begins this field.
    pub(super) fn begin(&mut self, field: Field, line: &[u8]) {
        let colon = memchr::memchr(b':', line).unwrap_or_default();
        let value = line.get(colon + 1..).unwrap_or_default().to_vec();
        let place = match field {
            Field::ContentType => &mut self.content_type,
            Field::Encoding => &mut self.encoding,
            Field::Version => {
                self.has_version = true;
                return;
            }
            Field::Signature => {
                self.is_signed = true;
                return;
            }
            Field::Other => return,
        };
        if place.is_some() {
            self.is_unclear = true;
        }
        *place = Some(value);
    }

    /// A line that goes on with this field.
    pub(super) fn go_on(&mut self, field: Field, line: &[u8]) {
        let value = match field {
            Field::ContentType => self.content_type.as_mut(),
            Field::Encoding => self.encoding.as_mut(),
            Field::Version | Field::Signature | Field::Other => None,
        };
        let Some(value) = value else { return };
        if value.len() + line.len() > FIELD {
            self.is_unclear = true;
        } else {
            value.extend_from_slice(line);
        }
    }

    pub(super) fn has_content_type(&self) -> bool {
        self.content_type.is_some()
    }

    pub(super) fn encoding(&self) -> Encoding {
        let Some(value) = &self.encoding else {
            return Encoding::SevenBit;
        };
        let is = |known: &str| value.trim_ascii().eq_ignore_ascii_case(known.as_bytes());
        if is("7bit") {
            Encoding::SevenBit
        } else if is("8bit") || is("binary") {
            Encoding::Octets
        } else if is("quoted-printable") {
            Encoding::QuotedPrintable
        } else {
            Encoding::Other
        }
    }

    /// The kind of the entity; within `parts`, without `Content-Type`.
    pub(super) fn kind(&self, within: Parts) -> Kind {
        if self.is_unclear {
            return Kind::Unclear;
        }
        let Some(value) = &self.content_type else {
            return match within {
                Parts::Messages => Kind::Message,
                Parts::Ordinary | Parts::Signed => Kind::Text,
            };
        };
        let mut words = Words { rest: value };
        let (Some(kind), Some(b'/'), Some(subtype)) = (words.word(), words.octet(), words.word()) else {
            // Not a type: as if there were none (RFC 2045 §5.2).
            return Kind::Text;
        };
        let is = |word: &[u8], known: &str| word.eq_ignore_ascii_case(known.as_bytes());
        if is(&kind, "multipart") {
            let of = if is(&subtype, "digest") {
                Parts::Messages
            } else if is(&subtype, "signed") {
                Parts::Signed
            } else {
                Parts::Ordinary
            };
            return match words.boundary() {
                Some(boundary) => Kind::Multipart { boundary, of },
                None => Kind::Unclear,
            };
        }
        match () {
            () if is(&kind, "text") => Kind::Text,
            () if is(&kind, "message") && is(&subtype, "rfc822") => Kind::Message,
            () if is(&kind, "message") => Kind::Bare,
            () => Kind::Other,
        }
    }
}

/// Reads a structured field (RFC 2045 §5.1). Comments make it unclear: few readers know them there.
struct Words<'a> {
    rest: &'a [u8],
}

impl Words<'_> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    /// The next octet that is no blank.
    fn octet(&mut self) -> Option<u8> {
        self.skip_blanks();
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// A token.
    fn word(&mut self) -> Option<Vec<u8>> {
        self.skip_blanks();
        let is_token = |octet: &u8| octet.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(octet);
        let end = self.rest.iter().position(|octet| !is_token(octet));
        let (word, rest) = self.rest.split_at_checked(end.unwrap_or(self.rest.len()))?;
        self.rest = rest;
        (!word.is_empty()).then(|| word.to_vec())
    }

    /// A token or a quoted string without quoted pairs.
    fn value(&mut self) -> Option<Vec<u8>> {
        self.skip_blanks();
        let Some(quoted) = self.rest.strip_prefix(b"\"") else {
            return self.word();
        };
        let end = memchr::memchr2(b'"', b'\\', quoted)?;
        let (value, rest) = quoted.split_at_checked(end)?;
        self.rest = rest.strip_prefix(b"\"")?;
        Some(value.to_vec())
    }

    /// The one `boundary` among the parameters, if all of them can be read: 1 to 70 characters, the last of them no blank
    /// (RFC 2046 §5.1.1).
    fn boundary(&mut self) -> Option<Vec<u8>> {
        let mut boundary = None;
        while let Some(octet) = self.octet() {
            if octet != b';' {
                return None;
            }
            self.skip_blanks();
            if self.rest.is_empty() {
                break;
            }
            let name = self.word()?;
            if self.octet()? != b'=' {
                return None;
            }
            let value = self.value()?;
            let name = name.to_ascii_lowercase();
            match &*name {
                b"boundary" if boundary.is_none() => boundary = Some(value),
                // Given twice, or in the pieces of RFC 2231.
                name if name.starts_with(b"boundary") => return None,
                _ => {}
            }
        }
        boundary.filter(|value| {
            (1..=70).contains(&value.len())
                && value.iter().all(|octet| (b' '..=b'~').contains(octet))
                && value.trim_ascii_end().len() == value.len()
        })
    }
}
