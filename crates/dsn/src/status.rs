//! The part for machines: `message/delivery-status` (RFC 3464 §2).

use jiff::Timestamp;
use mail::DaneVerdict;

use crate::Diagnostic;
use crate::report::{Action, RecipientReport, Report};
use crate::text::{Fields, ascii, date};

/// The type of a diagnostic of ours. Names that begin with `X-` are nobody's to register (RFC 3464 §2.1.2).
const OWN_DIAGNOSTIC: &str = "X-danerelay";

/// The group about the message, then one for each recipient, with a blank line between groups.
pub(crate) fn delivery_status(report: &Report) -> String {
    let mut fields = Fields::default();
    if let Some(envelope_id) = &report.envelope_id {
        fields.add("Original-Envelope-Id", envelope_id);
    }
    fields.add("Reporting-MTA", &format!("dns; {}", report.reporting_mta));
    fields.add("Arrival-Date", &date(report.arrived));
    fields.add("X-Queue-Id", &report.queue_id.to_string());
    for recipient in &report.recipients {
        fields.end_group();
        add_recipient(&mut fields, recipient);
    }
    fields.into_string()
}

/// One group, in the order of the grammar in RFC 3464 §2.3.
fn add_recipient(fields: &mut Fields, recipient: &RecipientReport) {
    if let Some(original) = &recipient.original_recipient {
        fields.add("Original-Recipient", original);
    }
    let address_type = if recipient.address.is_ascii() {
        "rfc822"
    } else {
        "utf-8"
    };
    let address = ascii(&recipient.address);
    fields.add("Final-Recipient", &format!("{address_type}; {address}"));
    fields.add("Action", recipient.action.word());
    fields.add("Status", &recipient.status.to_string());
    if let Some(remote_mta) = &recipient.remote_mta {
        fields.add("Remote-MTA", &format!("dns; {remote_mta}"));
    }
    add_diagnostic(fields, &recipient.diagnostic);
    if let Some(last_attempt) = recipient.last_attempt {
        fields.add("Last-Attempt-Date", &date(last_attempt));
    }
    if let Some(until) = will_retry_until(recipient.action) {
        fields.add("Will-Retry-Until", &date(until));
    }
    if recipient.verdict != DaneVerdict::NotReached {
        fields.add("X-DANE", &recipient.verdict.to_string());
    }
    if let Some(base) = &recipient.tlsa_base {
        fields.add("X-TLSA-Base", base.as_str());
    }
}

/// The type stands before the first line; the lines of a reply follow one another as RFC 3461 §9.2 shows.
fn add_diagnostic(fields: &mut Fields, diagnostic: &Diagnostic) {
    let diagnostic_type = match diagnostic {
        Diagnostic::Smtp(_) => "smtp",
        Diagnostic::Relay(_) => OWN_DIAGNOSTIC,
    };
    let first = format!(
        "{diagnostic_type}; {}",
        diagnostic.lines().next().unwrap_or_default()
    );
    let others = diagnostic.lines().skip(1);
    fields.add_lines("Diagnostic-Code", std::iter::once(first.as_str()).chain(others));
}

/// Only a delayed recipient will be tried again (RFC 3464 §2.3.9).
fn will_retry_until(action: Action) -> Option<Timestamp> {
    match action {
        Action::Delayed { will_retry_until } => Some(will_retry_until),
        Action::Failed | Action::Expired | Action::Relayed => None,
    }
}
