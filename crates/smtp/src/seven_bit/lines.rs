//! Content line by line.

use super::plan::Unconvertible;

/// The longest line that is read, in octets; no line that may be sent is longer (RFC 5321 §4.5.3.1.6).
pub const LINE: usize = 4096;

/// Splits what is pushed into lines. Each has its CRLF, but for the last one if the content does not end with one.
#[derive(Debug, Default)]
pub(super) struct Lines {
    unfinished: Vec<u8>,
}

impl Lines {
    /// Calls `line` with each line that is complete.
    pub(super) fn push(
        &mut self,
        mut content: &[u8],
        mut line: impl FnMut(&[u8]) -> Result<(), Unconvertible>,
    ) -> Result<(), Unconvertible> {
        while let Some(end) = memchr::memchr(b'\n', content) {
            let (head, rest) = content.split_at_checked(end + 1).unwrap_or((content, &[]));
            content = rest;
            if self.unfinished.is_empty() {
                line(checked(head)?)?;
            } else {
                self.unfinished.extend_from_slice(head);
                line(checked(&self.unfinished)?)?;
                self.unfinished.clear();
            }
        }
        self.unfinished.extend_from_slice(content);
        if self.unfinished.len() > LINE {
            return Err(Unconvertible::Line);
        }
        Ok(())
    }

    /// Calls `line` with what is left, if there is something.
    pub(super) fn finish(
        self,
        line: impl FnOnce(&[u8]) -> Result<(), Unconvertible>,
    ) -> Result<(), Unconvertible> {
        match &*self.unfinished {
            [] => Ok(()),
            [.., b'\r'] => Err(Unconvertible::Line),
            rest => line(rest),
        }
    }
}

fn checked(line: &[u8]) -> Result<&[u8], Unconvertible> {
    match line {
        [text @ .., b'\r', b'\n'] if line.len() <= LINE && !text.contains(&b'\r') => Ok(line),
        _ => Err(Unconvertible::Line),
    }
}

/// The line without its CRLF, and whether it has one.
pub(super) fn without_end(line: &[u8]) -> (&[u8], bool) {
    match line {
        [text @ .., b'\r', b'\n'] => (text, true),
        text => (text, false),
    }
}
