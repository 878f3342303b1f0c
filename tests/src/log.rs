//! The relay's log in text form: its lines, and the fields of a line.

use crate::wait;
use std::fs;
use std::path::{Path, PathBuf};

/// The log of a running relay.
pub struct Log(PathBuf);

impl Log {
    /// The log in this file, which may not be there yet.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The first delivery line for this recipient with this status.
    pub fn delivery(&self, recipient: &str, status: &str) -> LogLine {
        let what = format!("a log line with to={recipient} and status={status}");
        wait::until(&what, || {
            self.deliveries(recipient)
                .into_iter()
                .find(|line| line.get("status") == status)
        })
    }

    /// All delivery lines for this recipient so far.
    pub fn deliveries(&self, recipient: &str) -> Vec<LogLine> {
        self.lines(&format!(" to={recipient}, mode="))
    }

    /// The delivery lines of all recipients so far.
    pub fn all_deliveries(&self) -> Vec<LogLine> {
        self.lines(", mode=dane ")
    }

    /// The first line of this event with this status.
    pub fn event(&self, event: &str, status: &str) -> LogLine {
        wait::until(&format!("event={event} with status={status}"), || {
            self.events(event, status).into_iter().next()
        })
    }

    /// All lines of this event with this status so far.
    pub fn events(&self, event: &str, status: &str) -> Vec<LogLine> {
        let mut lines = self.lines(&format!(", event={event}\n"));
        lines.retain(|line| line.has("status", status));
        lines
    }

    /// The last line of this event so far.
    pub fn last(&self, event: &str) -> Option<LogLine> {
        self.lines(&format!(", event={event}\n")).pop()
    }

    /// All complete lines so far that contain this; their newlines can be matched too.
    fn lines(&self, text: &str) -> Vec<LogLine> {
        let log = fs::read_to_string(&self.0).unwrap_or_default();
        let complete = log
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n') && line.contains(text));
        complete
            .map(|line| LogLine {
                text: line.trim_end().to_owned(),
            })
            .collect()
    }
}

/// One line of the log in text form.
#[derive(Debug)]
pub struct LogLine {
    text: String,
}

impl LogLine {
    /// Whether the line has this field with this value, which is given as it is written there.
    pub fn has(&self, name: &str, value: &str) -> bool {
        self.text.contains(&format!(" {name}={value},"))
    }

    /// The value of a field, without its quotes; panics where the line has none of this name.
    pub fn get(&self, name: &str) -> &str {
        let start = format!(" {name}=");
        let (_, rest) = self
            .text
            .split_once(&start)
            .unwrap_or_else(|| panic!("no {name} in {}", self.text));
        match rest.strip_prefix('"') {
            Some(quoted) => &quoted[..closing_quote(quoted)],
            None => rest.split(", ").next().unwrap_or_default(),
        }
    }
}

/// Where the quoted value ends: at the first quote without a backslash before it.
fn closing_quote(quoted: &str) -> usize {
    let mut escaped = false;
    let end = quoted.find(|character| {
        let ends = character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        ends
    });
    end.unwrap_or(quoted.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_from_a_line() {
        let line = LogLine {
            text: "2026-11-22T10:00:00Z danerelay[7]: id=01JDB3, from=<a@example.org>, to=b@example.test, mode=dane strict, \
                   dane=\"Fail (No matching TLSA RRs)\", tls=-, dsn=250, reply=\"250 2.0.0 \\\"Ok\\\", queued\", size=1"
                .to_owned(),
        };
        assert_eq!(line.get("id"), "01JDB3");
        assert_eq!(line.get("mode"), "dane strict");
        assert_eq!(line.get("dane"), "Fail (No matching TLSA RRs)");
        assert_eq!(line.get("reply"), r#"250 2.0.0 \"Ok\", queued"#);
        assert_eq!(line.get("size"), "1");
    }

    #[test]
    #[should_panic(expected = "no tlsa in")]
    fn a_missing_field_fails_the_test() {
        LogLine {
            text: " id=1, mx=secure".to_owned(),
        }
        .get("tlsa");
    }
}
