//! The part for people: what happened, to whom, why, and who can fix it.

use jiff::Timestamp;
use mail::Action;
use mail::words::header_date;

use crate::Diagnostic;
use crate::address::readable;
use crate::explain::{Mender, rule_of};
use crate::report::{RecipientReport, Report, rank};
use crate::returned::Extent;
use crate::text::Prose;

/// The indentation of the lines about one recipient.
const INDENT: usize = 4;
/// The indentation of the words that decided.
const QUOTE: usize = 8;
/// Beyond this many octets of the letter recipients are only named: whoever wants to know more has the machine-readable
/// part.
const FULL_STORIES: usize = 64 * 1024;

/// The letter, with CRLF line ends; only addresses may have characters beyond ASCII.
pub(crate) fn letter(
    report: &Report,
    recipients: &[&RecipientReport],
    extent: Extent,
    now: Timestamp,
) -> String {
    let mut prose = Prose::default();
    prose.paragraph(
        0,
        &format!("This is the mail system at {}.", report.reporting_mta),
    );
    let about = format!(
        "It has a report for you about the message that it took over on {} (queue id {}).",
        header_date(report.arrived),
        report.queue_id
    );
    prose.paragraph(0, &format!("{about}{}", what_is_attached(extent)));
    for alike in recipients.chunk_by(|one, other| rank(one.action) == rank(other.action)) {
        add_group(&mut prose, report, alike, now);
    }
    prose.paragraph(
        0,
        &format!("Questions about this mail system go to {}.", report.postmaster()),
    );
    prose.into_string()
}

fn what_is_attached(extent: Extent) -> &'static str {
    match extent {
        Extent::Message => " The message is attached.",
        Extent::Header => " The header of that message is attached.",
        Extent::HeaderBeginning => {
            " The first fields of that message's header are attached; there are too many to return all of them."
        }
        Extent::Nothing => "",
    }
}

/// Recipients with the same outcome: it is told once, followed by the details of each recipient.
fn add_group(prose: &mut Prose, report: &Report, recipients: &[&RecipientReport], now: Timestamp) {
    let Some(first) = recipients.first() else {
        return;
    };
    let recipients_are = if recipients.len() == 1 {
        "this recipient"
    } else {
        "these recipients"
    };
    prose.paragraph(0, &fate(report, first.action, recipients_are, now));
    let mut unexplained = Vec::new();
    for alike in by_story(recipients) {
        if prose.len() < FULL_STORIES {
            add_story(prose, report, &alike);
        } else {
            unexplained.extend(alike);
        }
    }
    if !unexplained.is_empty() {
        prose.paragraph(
            0,
            "What there is to tell of the following recipients is in the attached delivery status:",
        );
        prose.addresses(unexplained.into_iter().map(addressee));
    }
}

/// The recipients grouped by their details, so that many at one failing server are told together.
fn by_story<'a>(recipients: &[&'a RecipientReport]) -> Vec<Vec<&'a RecipientReport>> {
    let mut stories: Vec<Vec<&RecipientReport>> = Vec::new();
    for recipient in recipients {
        let known = stories
            .iter_mut()
            .find(|story| story.first().is_some_and(|first| is_same(first, recipient)));
        match known {
            Some(story) => story.push(recipient),
            None => stories.push(vec![recipient]),
        }
    }
    stories
}

fn is_same(one: &RecipientReport, other: &RecipientReport) -> bool {
    one.action == other.action
        && one.remote_mta == other.remote_mta
        && one.address.domain() == other.address.domain()
        && one.verdict == other.verdict
        && one.cause == other.cause
        && one.tlsa_base == other.tlsa_base
        && one.diagnostic == other.diagnostic
}

fn fate(report: &Report, action: Action, recipients: &str, now: Timestamp) -> String {
    match action {
        Action::Failed => format!(
            "Your message could not be delivered to {recipients}. It will not be tried again: this is final."
        ),
        Action::Expired => format!(
            "Your message could not be delivered to {recipients}. It was tried for {} and has now been given up: \
             this is final.",
            span(report.arrived, now)
        ),
        Action::Delayed { .. } => format!(
            "Your message has not been delivered to {recipients} yet, for {} now. It will be tried again. You need \
             not do anything, and need not send it again.",
            span(report.arrived, now)
        ),
        Action::Relayed => format!(
            "Your message to {recipients} was handed over to the next mail system, which does not confirm delivery. \
             You need not do anything: unless it fails there, you will hear no more of it."
        ),
    }
}

/// Recipients with the same details.
fn add_story(prose: &mut Prose, report: &Report, alike: &[&RecipientReport]) {
    let Some(recipient) = alike.first() else {
        return;
    };
    prose.addresses(alike.iter().map(|recipient| addressee(recipient)));
    let host = recipient
        .remote_mta
        .as_ref()
        .map(|host| format!(" {host}"))
        .unwrap_or_default();
    match &recipient.diagnostic {
        Diagnostic::Smtp(_) => {
            prose.paragraph(INDENT, &format!("The receiving server{host} said:"));
            // A reply keeps its lines.
            prose.verbatim(QUOTE, recipient.diagnostic.lines());
        }
        Diagnostic::Relay(reason) if reason.trim().is_empty() => {}
        Diagnostic::Relay(reason) => {
            let place = if host.is_empty() {
                host
            } else {
                format!(" with the receiving server{host}")
            };
            prose.paragraph(INDENT, &format!("What went wrong{place}:"));
            prose.paragraph(QUOTE, reason);
        }
    }
    add_rule(prose, report, recipient);
    if let Action::Delayed { will_retry_until } = recipient.action {
        let until = format!("It will be tried until {}.", header_date(will_retry_until));
        prose.paragraph(INDENT, &until);
    }
}

/// The address, and the one that the sender knows, if that is another (RFC 3461 §4.2).
fn addressee(recipient: &RecipientReport) -> String {
    let address = recipient.address.as_str();
    let known = recipient
        .original_recipient
        .as_ref()
        .and_then(|original| original.decoded().split_once(';'))
        .map(|(_, known)| known.trim())
        .filter(|known| !known.is_empty() && !known.eq_ignore_ascii_case(address));
    match known {
        Some(known) => format!(
            "<{}>, to whom you wrote as <{}>",
            readable(address),
            readable(known)
        ),
        None => format!("<{}>", readable(address)),
    }
}

/// The security rule, and who can fix the problem.
fn add_rule(prose: &mut Prose, report: &Report, recipient: &RecipientReport) {
    let Some(rule) = rule_of(recipient) else {
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
        Mender::OurSystem => format!(
            "This is a fault of this mail system and of nothing at the receiving side. {} can mend it.",
            report.postmaster()
        ),
        Mender::ResolverOrReceiver => format!(
            "This is a fault of the resolver of this mail system, of the receiving side's name servers or of the \
             network between them. {} can tell, and is to be asked first; the receiving side is reached at \
             {receiver}, though mail to that address may meet the same fault.",
            report.postmaster()
        ),
        Mender::ReceiverOrPolicy => format!(
            "The receiving side can mend it, by offering encryption (STARTTLS) with a certificate valid for the \
             server's name; it is reached at {receiver}, though mail to that address may meet the same fault. {} \
             can tell whose rule it is, and change it if it is ours.",
            report.postmaster()
        ),
        Mender::PolicyOrMx => format!(
            "The receiving side can mend it, by correcting its policy or its MX records; it is reached at {receiver}, \
             though mail to that address may meet the same fault."
        ),
        Mender::PolicyHost => format!(
            "The receiving side can mend it, by making its policy available or by signing its DNS records; it is reached \
             at {receiver}, though mail to that address may meet the same fault. If others can fetch the policy, the \
             fault is here, and {} can mend it.",
            report.postmaster()
        ),
        Mender::Sender => {
            "You can send the message without this demand, or to an address at a domain that is protected."
                .to_owned()
        }
        Mender::OurPolicy => format!(
            "The rule is one of this mail system, and {} can change it. The receiving side, {receiver}, meets it by \
             publishing TLSA records in signed zones.",
            report.postmaster()
        ),
    };
    prose.paragraph(INDENT, &advice);
}

/// A duration in the largest unit of which it has at least two.
fn span(from: Timestamp, until: Timestamp) -> String {
    let seconds = until.as_second().saturating_sub(from.as_second()).max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600, seconds / 60);
    match (days, hours, minutes) {
        (2.., _, _) => format!("{days} days"),
        (_, 2.., _) => format!("{hours} hours"),
        (_, _, 2..) => format!("{minutes} minutes"),
        _ if seconds == 1 => "1 second".to_owned(),
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
            ("2026-11-20T10:00:01Z", "1 second"),
            ("2026-11-20T09:00:00Z", "0 seconds"),
        ] {
            assert_eq!(span(from, until.parse().unwrap()), words);
        }
    }
}
