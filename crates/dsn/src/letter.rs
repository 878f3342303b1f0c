//! The part for people: what happened, for whom, why, and who can mend it.

use jiff::Timestamp;

use crate::Diagnostic;
use crate::explain::{Mender, broken_rule};
use crate::report::{Action, RecipientReport, Report};
use crate::text::{Prose, ascii, date};

/// How far the lines about one recipient are set in.
const INDENT: usize = 4;
/// How far the words that decided are set in.
const QUOTE: usize = 8;

/// The letter, in ASCII with CRLF line ends.
pub(crate) fn letter(report: &Report, now: Timestamp) -> String {
    let mut prose = Prose::default();
    prose.paragraph(
        0,
        &format!("This is the mail system at {}.", report.reporting_mta),
    );
    prose.paragraph(
        0,
        &format!(
            "It has a report for you about the message that it took over on {} (queue id {}). The header of that \
             message is attached.",
            date(report.arrived),
            report.queue_id
        ),
    );
    for recipient in &report.recipients {
        add_recipient(&mut prose, report, recipient, now);
    }
    prose.paragraph(
        0,
        &format!("Questions about this mail system go to {}.", report.postmaster()),
    );
    prose.into_string()
}

fn add_recipient(prose: &mut Prose, report: &Report, recipient: &RecipientReport, now: Timestamp) {
    prose.verbatim(0, [format!("<{}>", ascii(&recipient.address)).as_str()]);
    prose.paragraph(INDENT, &what_happened(report, recipient.action, now));
    let (heading, shows_words) = match (&recipient.diagnostic, &recipient.remote_mta) {
        (Diagnostic::Smtp(_), Some(host)) => (format!("The server {host} said:"), true),
        (Diagnostic::Smtp(_), None) => ("The receiving server said:".to_owned(), true),
        (Diagnostic::Relay(reason), Some(host)) => (
            format!("What went wrong at the server {host}:"),
            !reason.is_empty(),
        ),
        (Diagnostic::Relay(reason), None) => ("What went wrong:".to_owned(), !reason.is_empty()),
    };
    if shows_words {
        prose.paragraph(INDENT, &heading);
        add_words(prose, &recipient.diagnostic);
    }
    add_rule(prose, report, recipient);
}

/// A reply keeps its lines; our own reason is a sentence and is wrapped.
fn add_words(prose: &mut Prose, diagnostic: &Diagnostic) {
    match diagnostic {
        Diagnostic::Smtp(_) => prose.verbatim(QUOTE, diagnostic.lines()),
        Diagnostic::Relay(reason) => prose.paragraph(QUOTE, reason),
    }
}

fn what_happened(report: &Report, action: Action, now: Timestamp) -> String {
    match action {
        Action::Failed => {
            "Your message could not be delivered. It will not be tried again: this is final.".to_owned()
        }
        Action::Expired => format!(
            "Your message could not be delivered. It was tried for {} and has now been given up: this is final.",
            span(report.arrived, now)
        ),
        Action::Delayed { will_retry_until } => format!(
            "Your message has not been delivered yet, for {} now. You need not send it again: it will be tried until \
             {}.",
            span(report.arrived, now),
            date(will_retry_until)
        ),
        Action::Relayed => {
            "Your message was handed over to the next server, which does not send confirmations. \
             Unless it fails there, you will hear no more of it."
                .to_owned()
        }
    }
}

/// The security rule, and who can mend what is wrong.
fn add_rule(prose: &mut Prose, report: &Report, recipient: &RecipientReport) {
    let Some(rule) = broken_rule(&recipient.verdict) else {
        return;
    };
    prose.paragraph(
        INDENT,
        &format!("The security rule behind it: {}", rule.sentences),
    );
    if let Some(base) = &recipient.tlsa_base {
        prose.paragraph(
            INDENT,
            &format!("The TLSA records in question are those of {base}."),
        );
    }
    let receiver = format!("postmaster@{}", recipient.address.domain());
    let advice = match rule.mender {
        Mender::Receiver => format!(
            "This is a fault at the receiving side, and it can only be mended there. Those who can are reached at \
             {receiver}, though mail to that address may meet the same fault."
        ),
        Mender::ReceiverOrNetwork => format!(
            "This is most likely a fault of the receiving side's name servers or of the network on the way to them. \
             Those who can tell are reached at {receiver}, though mail to that address may meet the same fault."
        ),
        Mender::OurPolicy => format!(
            "The rule is one of this mail system, and {} can change it. The receiving side, {receiver}, meets it by \
             publishing TLSA records in signed zones.",
            report.postmaster()
        ),
    };
    prose.paragraph(INDENT, &advice);
}

/// A length of time in the largest unit of which it has at least two.
fn span(from: Timestamp, until: Timestamp) -> String {
    let seconds = until.as_second().saturating_sub(from.as_second()).max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600, seconds / 60);
    match (days, hours, minutes) {
        (2.., _, _) => format!("{days} days"),
        (_, 2.., _) => format!("{hours} hours"),
        (_, _, 2..) => format!("{minutes} minutes"),
        _ => format!("{seconds} seconds"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn spans() {
        let from: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        for (until, words) in [
            ("2026-11-25T10:00:01Z", "5 days"),
            ("2026-11-22T09:59:59Z", "47 hours"),
            ("2026-11-20T11:59:59Z", "119 minutes"),
            ("2026-11-20T10:01:00Z", "60 seconds"),
            ("2026-11-20T09:00:00Z", "0 seconds"),
        ] {
            assert_eq!(span(from, until.parse().unwrap()), words);
        }
    }
}
