//! Tells what happens on standard output.

use std::io::{self, Write as _};

use mail::printable::PrintableLines;

use crate::demo::error::DemoError;
use crate::demo::layout::paragraph;
use crate::exit::Verdict;
use crate::failure::Failure;

/// Tells what happens, and notes what did not go as it should.
pub(super) struct Teller {
    output: io::Stdout,
    checks: usize,
    failed: usize,
}

impl Teller {
    /// Nothing has been told yet.
    pub(super) fn new() -> Self {
        Self {
            output: io::stdout(),
            checks: 0,
            failed: 0,
        }
    }

    /// The heading of an act.
    pub(super) fn act(&self, title: &str) -> Result<(), DemoError> {
        self.write(&format!("\n{title}\n{}\n", "-".repeat(title.chars().count())))
    }

    /// What the operator does or sees.
    pub(super) fn say(&self, text: &str) -> Result<(), DemoError> {
        self.write(&format!("{}\n", paragraph(text)))
    }

    /// What a command or the log prints.
    pub(super) fn show(&self, text: &str) -> Result<(), DemoError> {
        let lines: Vec<String> = text.lines().map(|line| format!("    {line}\n")).collect();
        self.write(&lines.concat())
    }

    /// What must be so at this point.
    pub(super) fn check(&mut self, what: &str, is_so: bool) -> Result<(), DemoError> {
        self.checks += 1;
        let word = if is_so {
            "ok"
        } else {
            self.failed += 1;
            "NOT SO"
        };
        self.write(&format!("  [{word}] {what}\n"))
    }

    pub(super) fn end(&self) -> Result<Verdict, Failure> {
        let (checks, failed) = (self.checks, self.failed);
        self.write(&format!("\n{} of {checks} as it should be.\n", checks - failed))?;
        Ok(if failed == 0 { Verdict::Good } else { Verdict::Bad })
    }

    fn write(&self, text: &str) -> Result<(), DemoError> {
        let mut output = self.output.lock();
        write!(output, "{}", PrintableLines(text))
            .and_then(|()| output.flush())
            .map_err(DemoError::Output)
    }
}
