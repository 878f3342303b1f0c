//! A message that transport likes to spoil, and the comparison on arrival.

use std::fs;
use std::path::Path;

/// Header fields that mail servers put on top of a message on its way.
const TRACE: [&str; 4] = ["Received", "Return-Path", "Delivered-To", "X-Original-To"];

/// A message with a token of its own, lines ended by LF as `sendmail` takes them.
pub struct Letter {
    token: String,
    /// The envelope's only recipient.
    pub recipient: String,
    text: Vec<u8>,
}

impl Letter {
    /// A letter for this recipient; `token` must be unique within a test.
    pub fn new(token: &str, recipient: &str) -> Self {
        let head = format!(
            "From: Alice <{SENDER}>\nTo: {recipient}\nSubject: {token}\n\twith a folded line\n\
             Date: Sun, 22 Nov 2026 10:00:00 +0000\nMessage-ID: <{token}@front.test>\nMIME-Version: 1.0\n\
             Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
        );
        let long = "x".repeat(990);
        let body = format!(
            ".\n..\n.leading dot\nFrom the start of a line\ntrailing blanks  \t \nGr\u{fc}\u{df}e, \u{1f4ee}\n\
             \n{long}\n\x01\x7f control characters\n\n\n"
        );
        let text = [head, body].concat().into_bytes();
        Self {
            token: token.to_owned(),
            recipient: recipient.to_owned(),
            text,
        }
    }

    /// The message as given to `sendmail`.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Looks for this letter in a Maildir; reports on it, which return its header, are passed over.
    pub fn find_in(&self, maildir: &Path) -> Option<Vec<u8>> {
        let subject = format!("\nSubject: {}\n", self.token);
        let entries = fs::read_dir(maildir.join("new")).ok()?;
        entries
            .map(|entry| fs::read(entry.unwrap().path()).unwrap())
            .find(|text| {
                let text = String::from_utf8_lossy(text);
                text.contains(&subject) && !text.contains("report-type=")
            })
    }

    /// Panics unless `arrived` is this letter byte for byte below trace fields.
    pub fn assert_same(&self, arrived: &[u8]) {
        let readable = String::from_utf8_lossy(arrived);
        let Some(trace) = arrived.strip_suffix(self.text.as_slice()) else {
            panic!(
                "sent:\n{}\narrived:\n{readable}",
                String::from_utf8_lossy(&self.text)
            );
        };
        for line in String::from_utf8_lossy(trace).lines() {
            let name = line.split_once(':').map_or("", |(name, _)| name);
            let folded = line.starts_with([' ', '\t']);
            assert!(
                folded || TRACE.contains(&name),
                "no trace field: {line:?} in\n{readable}"
            );
        }
    }
}

/// The envelope sender of every letter.
pub const SENDER: &str = "alice@front.test";

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE_LINES: &[u8] = b"Return-Path: <a@b.test>\nReceived: from x\n\tby y; today\n";

    fn letter() -> Letter {
        Letter::new("token", "bob@example.test")
    }

    #[test]
    fn trace_fields_may_be_added_on_top() {
        letter().assert_same(&[TRACE_LINES, letter().text()].concat());
    }

    #[test]
    #[should_panic(expected = "no trace field")]
    fn other_fields_may_not() {
        letter().assert_same(&[b"X-Seen: yes\n", letter().text()].concat());
    }

    #[test]
    #[should_panic(expected = "arrived")]
    fn a_changed_octet_is_seen() {
        let mut text = letter().text().to_vec();
        *text.last_mut().unwrap() = b' ';
        letter().assert_same(&text);
    }
}
