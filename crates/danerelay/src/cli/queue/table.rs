//! The queue for people: a line for each message, and one below it for each recipient.

use std::fmt::Write as _;
use std::io::{self, Write};

use spool::{QueuedMessage, QueuedRecipient, RecipientState};

use crate::cli::output::printable;

/// Writes a message and its recipients.
pub(super) fn write(message: &QueuedMessage, output: &mut dyn Write) -> io::Result<()> {
    writeln!(
        output,
        "{}  {:.0}  {:>10}  from=<{}>",
        message.id,
        message.created,
        message.size,
        printable(&message.sender)
    )?;
    for recipient in &message.recipients {
        writeln!(
            output,
            "  {:<8}  <{}>{}",
            word(recipient.state),
            printable(&recipient.address),
            history(recipient)
        )?;
    }
    Ok(())
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

/// What happened so far and what comes next, as far as something did and does.
fn history(recipient: &QueuedRecipient) -> String {
    let mut text = String::new();
    if recipient.attempts > 0 {
        let _ = write!(text, ", attempts={}", recipient.attempts);
    }
    if let Some(next) = recipient.next_attempt {
        let _ = write!(text, ", next={next:.0}");
    }
    let code = recipient.reply_code.map(|code| code.to_string());
    let words = [
        code,
        recipient.enhanced.clone(),
        recipient.reason.as_deref().map(printable),
    ];
    let reason: Vec<String> = words.into_iter().flatten().collect();
    if !reason.is_empty() {
        let _ = write!(text, ": {}", reason.join(" "));
    }
    text
}
