//! Content with octets above 127, converted for a server without 8BITMIME (RFC 6152 §3).
//!
//! Each part is encoded by itself, in quoted-printable or base64, and labelled so; nothing else is changed. What a reader
//! sees of the message stays the same, octet for octet.
//!
//! Content is read twice, line by line, from wherever it is kept: a [`Survey`] finds its parts and decides about each
//! (`header`: the fields that matter; `structure`: where parts begin and end), and a [`Converter`] writes the new form by
//! the [`Plan`] that came of it (`encoding`). Neither keeps more than a line, a header field and three octets for each part:
//! at most [`LINE`], [`FIELD`] and [`PARTS`].
//!
//! What cannot be converted without doubt or loss is not: see [`Unconvertible`].

mod converter;
mod encoding;
mod header;
mod lines;
mod plan;
mod structure;
mod survey;

pub use converter::Converter;
pub use lines::LINE;
pub use plan::{DEPTH, FIELD, PARTS, Plan, Unconvertible};
pub use survey::Survey;

#[cfg(test)]
mod tests;
