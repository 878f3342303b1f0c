//! The part for machines: `message/delivery-status` (RFC 3464 §2), or, where it has characters beyond ASCII,
//! `message/global-delivery-status` (RFC 6533 §4.1).

use jiff::Timestamp;
use mail::words::header_date;
use mail::{Action, DaneVerdict, DomainPart};

use crate::Diagnostic;
use crate::address::{Form, original, typed};
use crate::encoding::Way;
use crate::report::{RecipientReport, Report};
use crate::text::Fields;

/// The type of our own diagnostics. Names beginning with `X-` are never registered (RFC 3464 §2.1.2); our own fields begin
/// with `X-` and our name (§2.4).
const OWN_DIAGNOSTIC: &str = "X-danerelay";

/// The octets that the diagnostics of all recipients may take together; if they need more, each gets an equal share. A
/// message may have a thousand recipients, and servers must not be able to inflate a report from some KiB to megabytes.
const DIAGNOSTICS: usize = 128 * 1024;

/// The part's type and its text.
#[derive(Debug)]
pub(crate) struct DeliveryStatus {
    pub(crate) content_type: &'static str,
    pub(crate) text: String,
}

/// The group about the message, then one for each recipient, with a blank line between groups.
///
/// On a 7-bit way every address has a 7-bit form, with which the older type loses nothing (RFC 6533 §4.4); so the newer type
/// is needed only on an 8-bit way, and there only for an address that is not ASCII.
pub(crate) fn delivery_status(report: &Report, recipients: &[&RecipientReport]) -> DeliveryStatus {
    let is_ascii = recipients.iter().all(|recipient| is_ascii(recipient));
    let (content_type, form) = match report.way() {
        Way::International if !is_ascii => ("message/global-delivery-status", Form::Utf8),
        Way::SevenBit | Way::International => ("message/delivery-status", Form::Xtext),
    };
    let mut fields = Fields::default();
    if let Some(envelope_id) = &report.parameters.envelope_id {
        fields.add("Original-Envelope-Id", &envelope_id.decoded());
    }
    fields.add("Reporting-MTA", &reporting_mta(&report.reporting_mta));
    fields.add("Arrival-Date", &header_date(report.arrived));
    fields.add("X-Danerelay-Queue-Id", &report.queue_id.to_string());
    let share = diagnostic_share(recipients);
    for recipient in recipients {
        fields.end_group();
        add_recipient(&mut fields, recipient, form, share);
    }
    DeliveryStatus {
        content_type,
        text: fields.into_string(),
    }
}

/// The type `dns` is for a fully qualified domain name or an address; a machine that knows only its short name says so (RFC
/// 3461 §6.3(b), §9.3).
fn reporting_mta(name: &DomainPart) -> String {
    match name {
        DomainPart::Name(domain) if !domain.as_str().contains('.') => format!("x-local-hostname; {name}"),
        DomainPart::Name(_) | DomainPart::Literal(_) => format!("dns; {name}"),
    }
}

fn is_ascii(recipient: &RecipientReport) -> bool {
    let original = recipient.original_recipient.as_ref();
    recipient.address.is_ascii() && original.is_none_or(|original| original.decoded().is_ascii())
}

/// One group, in the order of the grammar in RFC 3464 §2.3.
fn add_recipient(fields: &mut Fields, recipient: &RecipientReport, form: Form, share: usize) {
    if let Some(recipient) = &recipient.original_recipient {
        fields.add_address("Original-Recipient", &original(recipient, form));
    }
    fields.add_address("Final-Recipient", &typed(&recipient.address, form));
    fields.add("Action", word(recipient.action));
    fields.add("Status", &recipient.status.to_string());
    if let Some(remote_mta) = &recipient.remote_mta {
        fields.add("Remote-MTA", &format!("dns; {remote_mta}"));
    }
    add_diagnostic(fields, &recipient.diagnostic.within(share));
    if let Some(last_attempt) = recipient.last_attempt {
        fields.add("Last-Attempt-Date", &header_date(last_attempt));
    }
    if let Some(until) = will_retry_until(recipient.action) {
        fields.add("Will-Retry-Until", &header_date(until));
    }
    if recipient.verdict != DaneVerdict::NotReached {
        fields.add("X-Danerelay-DANE", &recipient.verdict.to_string());
    }
    if let Some(base) = &recipient.tlsa_base {
        fields.add("X-Danerelay-TLSA-Base", base.as_str());
    }
}

/// The octets that the diagnostic of one recipient may take.
fn diagnostic_share(recipients: &[&RecipientReport]) -> usize {
    let lines = recipients
        .iter()
        .flat_map(|recipient| recipient.diagnostic.lines());
    if lines.map(str::len).sum::<usize>() <= DIAGNOSTICS {
        return DIAGNOSTICS;
    }
    DIAGNOSTICS.checked_div(recipients.len()).unwrap_or(DIAGNOSTICS)
}

/// The type comes before the first line; the lines of a reply follow as RFC 3461 §9.2 shows.
fn add_diagnostic(fields: &mut Fields, diagnostic: &Diagnostic) {
    let diagnostic_type = match diagnostic {
        Diagnostic::Smtp(_) => "smtp",
        Diagnostic::Relay(reason) if reason.trim().is_empty() => return,
        Diagnostic::Relay(_) => OWN_DIAGNOSTIC,
    };
    let first = format!(
        "{diagnostic_type}; {}",
        diagnostic.lines().next().unwrap_or_default()
    );
    let others = diagnostic.lines().skip(1);
    fields.add_lines("Diagnostic-Code", std::iter::once(first.as_str()).chain(others));
}

/// The word of RFC 3464 §2.3.3.
fn word(action: Action) -> &'static str {
    match action {
        Action::Failed | Action::Expired => "failed",
        Action::Delayed { .. } => "delayed",
        Action::Relayed => "relayed",
    }
}

/// Only a delayed recipient will be tried again (RFC 3464 §2.3.9).
fn will_retry_until(action: Action) -> Option<Timestamp> {
    match action {
        Action::Delayed { will_retry_until } => Some(will_retry_until),
        Action::Failed | Action::Expired | Action::Relayed => None,
    }
}
