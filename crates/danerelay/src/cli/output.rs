//! What commands write: text that a terminal can be trusted with, to a standard output that may end early.

use std::io::{self, Write};

use mail::printable::{Printable, PrintableLines};
use serde::Serialize;

use crate::failure::Failure;
use crate::json;

/// Writes a command's whole answer to standard output: lines, in which nothing is left that a terminal would obey.
pub(super) fn write(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    match write!(output, "{}", PrintableLines(text)).and_then(|()| output.flush()) {
        Ok(()) => Ok(()),
        // Whoever reads has seen enough, as `head` has.
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

/// Tells the user something that is no part of the answer. Where standard error is closed, nobody wants to know.
pub(super) fn notice(text: &str) {
    let _ = writeln!(io::stderr(), "danerelay: {}", PrintableLines(text));
}

/// The text on one line, without anything that a terminal would obey.
pub(super) fn printable(text: &str) -> String {
    Printable(text).to_string()
}
