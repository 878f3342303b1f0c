//! What is done with each part of content, or why nothing is.

use thiserror::Error;

/// The longest header field whose value matters.
pub const FIELD: usize = 4096;
/// The most parts, and how deep they may be nested.
pub const PARTS: usize = 1000;
/// The most parts within each other.
pub const DEPTH: usize = 50;

/// Why content cannot be converted. The message is at fault, or would suffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unconvertible {
    /// Encoding is for bodies (RFC 2045 §6); a header with such octets needs SMTPUTF8.
    #[error("its header has octets above 127")]
    Header,
    /// A signature over it would no longer hold (RFC 1847 §2.1, RFC 6376 §5.3).
    #[error("it is signed, and the signature would not survive a conversion")]
    Signed,
    /// A part with another encoding has octets that cannot occur in it; encodings are not nested (RFC 2045 §6.4).
    #[error("a part has octets above 127 in spite of its encoding")]
    Encoded,
    /// A part has a type that must not be encoded (RFC 2046 §5.2).
    #[error("a part has octets above 127 and a type that must not be encoded")]
    Type,
    /// Readers would disagree about its parts.
    #[error("it is not clear where its parts begin and what they are")]
    Unclear,
    /// More parts than [`PARTS`], or deeper than [`DEPTH`].
    #[error("it has too many parts")]
    TooManyParts,
    /// A line beyond [`LINE`], or one that would be beyond what may be sent; or a lone CR or LF.
    #[error("it has a line that cannot be sent")]
    Line,
}

/// What is to be done with each part, in the order of their headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub(super) parts: Vec<Treatment>,
}

/// What is done with one part: with its header, and with its body if it has no parts itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Treatment {
    pub(super) body: Body,
    /// `MIME-Version` is missing.
    pub(super) version: bool,
    /// `Content-Type` is missing.
    pub(super) content_type: bool,
}

/// What is done with a body, and which encoding its header then names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Body {
    /// Nothing.
    #[default]
    Kept,
    /// It is 7-bit, or has only such parts now, and is labelled so.
    Labelled,
    Quoted,
    /// It is in quoted-printable already, but for the octets above 127.
    Mended,
    Base64,
}

impl Body {
    /// What the header says from then on, if that changes.
    pub(super) fn encoding(self) -> Option<&'static str> {
        match self {
            Self::Kept | Self::Mended => None,
            Self::Labelled => Some("7bit"),
            Self::Quoted => Some("quoted-printable"),
            Self::Base64 => Some("base64"),
        }
    }
}
