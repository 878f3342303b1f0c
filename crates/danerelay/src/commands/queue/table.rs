//! The queue for people, in the form of `mailq`: a line for each message, and below it one for each recipient, with the result
//! of the last attempt in parentheses above those who share it.

use std::fmt::Write as _;
use std::io::{self, Write};

use jiff::Timestamp;
use mail::words::span;
use spool::{QueuedMessage, QueuedRecipient, RecipientState};

use crate::admin::selectors::{result, told};
use crate::commands::output::printable;

/// The columns of a message's line.
const HEAD: &str = "-------- Queue ID --------- --- Size -- --- Arrival Time --- -Sender/Recipient------";
/// Where the sender and the recipients stand.
const ADDRESSES: usize = 61;

/// Writes the line above the first message.
pub(super) fn write_head(output: &mut dyn Write) -> io::Result<()> {
    writeln!(output, "{HEAD}")
}

/// Writes a message and its recipients, and an empty line.
pub(super) fn write(message: &QueuedMessage, output: &mut dyn Write) -> io::Result<()> {
    writeln!(
        output,
        "{}{} {:>11} {:.0} <{}>",
        message.id,
        mark(message),
        message.size,
        message.created,
        printable(&message.sender)
    )?;
    let mut shown = String::new();
    for recipient in &message.recipients {
        let result = result(recipient);
        if result != shown {
            if !result.is_empty() {
                writeln!(output, "  ({})", printable(&result))?;
            }
            shown = result;
        }
        let state = format!("{}{}", word(recipient.state), attempts(recipient));
        let width = ADDRESSES.saturating_sub(3);
        writeln!(output, "  {state:width$} <{}>", printable(&recipient.address))?;
    }
    writeln!(output)
}

/// The mark behind the id, as in `mailq`: whether something of the message is being delivered, or held.
fn mark(message: &QueuedMessage) -> char {
    let has = |state| message.recipients.iter().any(|one| one.state == state);
    if has(RecipientState::Leased) {
        '*'
    } else if has(RecipientState::Held) {
        '!'
    } else {
        ' '
    }
}

/// Writes a recipient.
pub(super) fn write_recipient(recipient: &QueuedRecipient, output: &mut dyn Write) -> io::Result<()> {
    writeln!(
        output,
        "  {:<8}  <{}>{}",
        word(recipient.state),
        printable(&recipient.address),
        history(recipient)
    )
}

/// A time in the past, and how long ago it was.
pub(super) fn since(time: Timestamp, now: Timestamp) -> String {
    format!("{time:.0} ({} ago)", span(now.duration_since(time).as_secs()))
}

/// A time in the future, and how long until then.
pub(super) fn until(time: Timestamp, now: Timestamp) -> String {
    let left = time.duration_since(now);
    if left.is_positive() {
        format!("{time:.0} (in {})", span(left.as_secs()))
    } else {
        format!("{time:.0} (now)")
    }
}

fn word(state: RecipientState) -> &'static str {
    match state {
        RecipientState::Queued => "queued",
        RecipientState::Leased => "leased",
        RecipientState::Deferred => "deferred",
        RecipientState::Held => "held",
        RecipientState::Sent => "sent",
        RecipientState::Failed => "failed",
    }
}

/// The last attempt and the next one, if there are any.
fn history(recipient: &QueuedRecipient) -> String {
    let mut text = attempts(recipient);
    let told = told(recipient);
    if !told.is_empty() {
        let _ = write!(text, ": {}", printable(&told));
    }
    text
}

/// How often it was tried, and when it is tried again.
fn attempts(recipient: &QueuedRecipient) -> String {
    let mut text = String::new();
    if recipient.attempts > 0 {
        let _ = write!(text, ", attempts={}", recipient.attempts);
    }
    if let Some(next) = recipient.next_attempt {
        let _ = write!(text, ", next={next:.0}");
    }
    text
}

#[cfg(test)]
mod tests {
    use mail::CauseKind;
    use spool::RecipientIndex;

    use super::*;

    #[test]
    fn a_reply_is_told_once() {
        let refused = Some(CauseKind::RefusedForNow);
        for (cause, reply_code, enhanced, reason, told) in [
            (
                refused,
                Some(451),
                Some("4.3.0"),
                Some("451 4.3.0 later"),
                "451 4.3.0 later",
            ),
            (
                refused,
                Some(451),
                Some("4.3.0"),
                Some("451-4.3.0 a b"),
                "451-4.3.0 a b",
            ),
            // The codes are somebody else's.
            (
                refused,
                None,
                Some("4.3.0"),
                Some("451 4.3.0 later; tried a minute ago"),
                "4.3.0 451 4.3.0 later; tried a minute ago",
            ),
            (
                Some(CauseKind::StarttlsRefused),
                Some(451),
                Some("4.7.5"),
                Some("451 is what it said"),
                "451 4.7.5 451 is what it said",
            ),
            (
                Some(CauseKind::TimedOut),
                None,
                Some("4.4.1"),
                Some("451 is no code here"),
                "4.4.1 451 is no code here",
            ),
            (None, Some(250), None, None, "250"),
            (None, None, None, None, ""),
        ] {
            let recipient = QueuedRecipient {
                index: RecipientIndex(0),
                address: String::new(),
                state: RecipientState::Deferred,
                next_hop: String::new(),
                attempts: 1,
                host: None,
                cause,
                next_attempt: None,
                reply_code,
                enhanced: enhanced.map(str::to_owned),
                dane: None,
                reason: reason.map(str::to_owned),
            };
            assert_eq!(super::told(&recipient), told);
        }
    }

    #[test]
    fn a_span_has_its_two_largest_units() {
        for (seconds, text) in [
            (-5, "0s"),
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3_661, "1h 1m"),
            (3_601, "1h"),
            (90_000, "1d 1h"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }
}
