//! The output of commands: text that is safe for a terminal, to a standard output that may be closed early.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

use mail::printable::{Printable, PrintableLines};
use serde::Serialize;

use crate::failure::Failure;
use crate::json;
use crate::replace_file::{self, Replacement};

/// Writes a command's complete answer to standard output, without anything that a terminal would interpret.
pub(super) fn write(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    match write!(output, "{}", PrintableLines(text)).and_then(|()| output.flush()) {
        Ok(()) => Ok(()),
        // The reader has seen enough, as `head` has.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::Output(error)),
    }
}

/// Writes an answer that is safe for a terminal already, with colours if it is for one.
pub(super) fn write_painted(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::Output(error)),
    }
}

/// Writes a command's answer as one JSON object on one line.
pub(super) fn write_json(answer: &impl Serialize) -> Result<(), Failure> {
    let mut text = json::line(answer).map_err(|error| Failure::Output(error.into()))?;
    text.push('\n');
    write(&text)
}

/// A file that everybody may read, to take the place of another when it is complete.
pub(super) fn replacement(path: &Path) -> Result<Replacement, Failure> {
    Replacement::begin(path, 0o644).map_err(|cause| unwritten(path, cause))
}

/// Writes a file that everybody may read, whole or not at all.
pub(super) fn write_file(path: &Path, text: &str) -> Result<(), Failure> {
    replace_file::write(path, 0o644, text.as_bytes()).map_err(|cause| unwritten(path, cause))
}

fn unwritten(path: &Path, cause: io::Error) -> Failure {
    Failure::File {
        path: path.to_owned(),
        cause,
    }
}

/// Tells the user something that is not part of the answer. If standard error is closed, nobody wants to know.
pub(super) fn notice(text: &str) {
    let _ = writeln!(io::stderr(), "danerelay: {}", PrintableLines(text));
}

/// The text on one line, without anything that a terminal would interpret.
pub(super) fn printable(text: &str) -> String {
    Printable(text).to_string()
}

/// Octets of a message in a form that is safe for a terminal: line by line, without anything that it would interpret.
pub(super) fn for_terminal(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    for chunk in octets.utf8_chunks() {
        let lines = chunk.valid().replace("\r\n", "\n");
        // Writing to a string does not fail.
        let _ = write!(text, "{}", PrintableLines(&lines));
        for octet in chunk.invalid() {
            let _ = write!(text, "\\x{octet:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::for_terminal;

    #[test]
    fn a_terminal_obeys_no_message() {
        assert_eq!(
            for_terminal(b"To: \xc3\xbc\r\n\tx\r\n\r\n\x1b]0;title\x07\xff\xe2\x80\xae\n"),
            "To: \u{fc}\n\tx\n\n\\x1B]0;title\\x07\\xFF\\xE2\\x80\\xAE\n"
        );
    }
}
