//! The content of a message on the wire, between DATA and the final dot (RFC 5321 §4.1.1.4, §4.5.2) or in chunks
//! (RFC 3030).
//!
//! [`DotStuffer`] writes it, [`DataDecoder`] reads it. They know only one line ending, CRLF. A lone CR or LF is neither read
//! as a line ending nor ever written: servers that disagree about it can be made to see a second message in the content of
//! the first.

mod decoder;
mod stuffer;

pub use decoder::{ContentFault, DataDecoder, LoneLf, LongLines, TEXT_LINE_LENGTH};
pub use stuffer::{DotStuffer, LoneLineEnding};

#[cfg(test)]
mod tests;
