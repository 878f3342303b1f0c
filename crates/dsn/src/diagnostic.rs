//! The words that decided the outcome for a recipient.

use mail::{Outcome, ReplyCode};

use crate::text::printable;

/// The most octets that are kept of a reply or a reason. RFC 5321 §4.5.3.1.5 gives a reply line 512; a report must
/// not become large because a server is talkative.
const LENGTH: usize = 2048;
/// The most lines that are kept of a reply.
const LINES: usize = 32;

/// The words that decided: a server's, or our own (RFC 3464 §2.3.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Diagnostic {
    /// The reply of the server that was last tried.
    Smtp(ReplyLines),
    /// No reply decided; our reason in plain words.
    Relay(String),
}

/// A reply, line by line with the code in front as on the wire, in printable ASCII and of bounded length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyLines(Vec<String>);

impl Diagnostic {
    /// A server's reply, given by its code and the texts of its lines without the code.
    pub fn reply<T: AsRef<str>>(code: ReplyCode, texts: &[T]) -> Self {
        let last = texts.len().saturating_sub(1);
        let lines = texts.iter().enumerate().map(|(position, text)| {
            let separator = if position == last { ' ' } else { '-' };
            format!("{code}{separator}{}", text.as_ref())
        });
        Self::Smtp(ReplyLines::new(lines))
    }

    /// The words of an outcome. Its reason is taken for a reply if it begins with the reply code; then it is the reply in
    /// one line, `550-first 550 second`, and is split into lines again where the code separates them.
    pub fn from_outcome(outcome: &Outcome) -> Self {
        outcome
            .reply_code
            .and_then(|code| split_reply(code, &outcome.reason))
            .map_or_else(
                || Self::Relay(bounded(&outcome.reason, LENGTH)),
                |lines| Self::Smtp(ReplyLines::new(lines)),
            )
    }

    /// The same in at most so many octets, not counting the marks where something was cut off.
    pub(crate) fn within(&self, length: usize) -> Self {
        match self {
            Self::Smtp(reply) => Self::Smtp(ReplyLines::within(reply.0.iter().cloned(), length)),
            Self::Relay(reason) => Self::Relay(bounded(reason, length)),
        }
    }

    /// The words, line for line.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::Smtp(reply) => reply.0.iter().map(String::as_str),
            Self::Relay(reason) => std::slice::from_ref(reason).iter().map(String::as_str),
        }
    }
}

impl ReplyLines {
    fn new(lines: impl IntoIterator<Item = String>) -> Self {
        Self::within(lines, LENGTH)
    }

    /// The first lines, and the last one, in which many servers give the actual reason.
    fn within(lines: impl IntoIterator<Item = String>, length: usize) -> Self {
        let mut lines: Vec<String> = lines.into_iter().collect();
        let last = lines.pop().map(|last| {
            let most = if lines.is_empty() { length } else { length / 2 };
            bounded(&last, most)
        });
        let mut room = length.saturating_sub(last.as_ref().map_or(0, String::len));
        let mut kept = Vec::new();
        for line in lines {
            if kept.len() >= LINES - 1 || room == 0 {
                kept.push("...".to_owned());
                break;
            }
            let line = bounded(&line, room);
            room = room.saturating_sub(line.len());
            kept.push(line);
        }
        kept.extend(last);
        Self(kept)
    }
}

/// The beginning of a text in printable ASCII, with `...` where something was cut off.
fn bounded(text: &str, limit: usize) -> String {
    let mut line = printable(text);
    if line.len() > limit {
        line.truncate(limit);
        line.push_str("...");
    }
    line
}

/// The lines of a reply that was written in one line; `None` if it is not such a reply.
fn split_reply(code: ReplyCode, text: &str) -> Option<Vec<String>> {
    let code = code.to_string();
    let is_line = |text: &str| {
        text.strip_prefix(code.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '-']))
    };
    if !is_line(text) {
        return None;
    }
    let mut lines = Vec::new();
    let mut rest = text;
    // Only a line with a hyphen after its code is followed by another one (RFC 5321 §4.2.1).
    while rest.get(code.len()..).is_some_and(|rest| rest.starts_with('-')) {
        let next = rest
            .match_indices(' ')
            .map(|(space, _)| space)
            .find(|space| rest.get(space + 1..).is_some_and(is_line));
        let Some((line, after)) = next.and_then(|space| rest.split_at_checked(space)) else {
            break;
        };
        lines.push(line.to_owned());
        rest = after.strip_prefix(' ').unwrap_or(after);
    }
    lines.push(rest.to_owned());
    Some(lines)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mail::{EnhancedStatus, Status};

    fn code(code: u16) -> ReplyCode {
        ReplyCode::new(code).unwrap()
    }

    fn of(reply_code: Option<u16>, reason: &str) -> Diagnostic {
        Diagnostic::from_outcome(&Outcome {
            status: Status::Bounced,
            reply_code: reply_code.map(code),
            enhanced: EnhancedStatus::new(5, 0, 0),
            reason: reason.into(),
        })
    }

    #[test]
    fn a_reply_in_one_line_is_taken_apart() {
        for (text, lines) in [
            ("550 no", &["550 no"][..]),
            ("550", &["550"]),
            ("550-a 550-b 550 c", &["550-a", "550-b", "550 c"]),
            ("550-a 550", &["550-a", "550"]),
            ("550- 550 c 550-d", &["550-", "550 c 550-d"]),
            ("550-5.1.1 see 5501 550 end", &["550-5.1.1 see 5501", "550 end"]),
            ("550-never ends", &["550-never ends"]),
        ] {
            assert!(matches!(of(Some(550), text), Diagnostic::Smtp(_)), "{text}");
            assert!(of(Some(550), text).lines().eq(lines.iter().copied()), "{text}");
        }
    }

    #[test]
    fn a_reason_that_only_quotes_a_reply_stays_a_reason() {
        let reason = "TLS is required, and the server refused STARTTLS: 454 later";
        assert_eq!(of(Some(454), reason), Diagnostic::Relay(reason.to_owned()));
        assert_eq!(
            of(None, "550 looks like one"),
            Diagnostic::Relay("550 looks like one".to_owned())
        );
        assert!(matches!(
            of(Some(550), "5501 is another number"),
            Diagnostic::Relay(_)
        ));
    }

    #[test]
    fn codes_are_put_in_front() {
        let reply = Diagnostic::reply(code(550), &["5.1.1 a", "", "b"]);
        assert!(reply.lines().eq(["550-5.1.1 a", "550-", "550 b"]));
    }

    #[test]
    fn replies_are_bounded_and_printable() {
        let long = Diagnostic::reply(code(550), &vec!["x".repeat(1000); 100]);
        assert!(long.lines().map(str::len).sum::<usize>() < LENGTH + 10);
        assert!(long.lines().any(|line| line == "..."));
        let end = [vec!["x".repeat(60); 50], vec!["the point".to_owned()]].concat();
        assert_eq!(
            Diagnostic::reply(code(550), &end).lines().last(),
            Some("550 the point")
        );
        let many = Diagnostic::reply(code(550), &vec![""; 100]);
        assert_eq!(many.lines().count(), LINES + 1);
        let hostile = Diagnostic::reply(code(550), &["a\r\nX: y\u{1b}[2J\0\u{e9}"]);
        assert!(hostile.lines().eq(["550 a??X: y?[2J??"]));
        assert_eq!(of(None, "a\nb"), Diagnostic::Relay("a?b".to_owned()));
    }
}
