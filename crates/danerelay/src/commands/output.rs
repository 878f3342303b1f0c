//! The output of commands: text that is safe for a terminal, to a standard output that may be closed early.

use std::fmt::Write as _;
use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use mail::printable::{Printable, PrintableLines};
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::failure::Failure;
use crate::json;

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

/// A new file in the directory of another, which everybody may read once it takes that one's place.
pub(super) fn beside(path: &Path) -> Result<NamedTempFile, Failure> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(directory.unwrap_or(Path::new(".")))
        .map_err(|cause| unwritten(path, cause))
}

/// Writes a file that readers see whole or not at all.
pub(super) fn replace_file(path: &Path, text: &str) -> Result<(), Failure> {
    let mut file = beside(path)?;
    file.write_all(text.as_bytes())
        .map_err(|cause| unwritten(path, cause))?;
    file.persist(path).map_err(|error| unwritten(path, error.error))?;
    Ok(())
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
