//! What commands write: text that a terminal can be trusted with, to a standard output that may end early.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;

use crate::failure::Failure;

/// Writes a command's whole answer to standard output.
pub(super) fn write(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Ok(()) => Ok(()),
        // Whoever reads has seen enough, as `head` has.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::Output(error)),
    }
}

/// Writes a command's answer as one JSON object on one line.
pub(super) fn write_json(answer: &impl Serialize) -> Result<(), Failure> {
    let mut text = serde_json::to_string(answer).map_err(|error| Failure::Output(error.into()))?;
    text.push('\n');
    write(&text)
}

/// Tells the user something that is no part of the answer. Where standard error is closed, nobody wants to know.
pub(super) fn notice(text: &str) {
    let _ = writeln!(io::stderr(), "danerelay: {text}");
}

/// The text without anything that a terminal would obey.
pub(super) fn printable(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if mail::event::is_unprintable(c) {
            for octet in c.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(plain, "\\x{octet:02X}");
            }
        } else {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        assert_eq!(
            printable("a\u{1b}[2J\nb\u{202e}ü"),
            "a\\x1B[2J\\x0Ab\\xE2\\x80\\xAEü"
        );
    }
}
