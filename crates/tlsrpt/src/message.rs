//! A report as mail (RFC 8460 §5.3): a `multipart/report` with a part for people and the packed report.

use data_encoding::BASE64;
use jiff::Timestamp;
use mail::{Mailbox, QueueId, TlsPolicy, TlsTally};
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::date::Date;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::{BodyPart, MimePart};

use crate::dkim::{SignFault, Signer};
use crate::report::{Packed, Report};

/// The length of a line of base64 (RFC 2045 §6.8).
const BASE64_LINE: usize = 76;
/// The most policies that are named to people.
const NAMED: usize = 20;

/// A report on its way to one mailbox.
#[derive(Debug, Clone, Copy)]
pub struct ReportMail<'a> {
    /// What is reported.
    pub report: &'a Report<'a>,
    /// The same, packed.
    pub packed: &'a Packed,
    /// Where it is wanted.
    pub to: &'a Mailbox,
    /// By which this message is known, of which its Message-ID is made.
    pub id: QueueId,
    /// When it is written.
    pub now: Timestamp,
}

impl ReportMail<'_> {
    /// The whole message in 7-bit lines with CRLF ends, signed.
    pub fn signed(&self, signer: &Signer) -> Result<Vec<u8>, SignFault> {
        let message = self.unsigned();
        let mut content = signer.sign(&message)?.into_bytes();
        content.extend_from_slice(&message);
        Ok(content)
    }

    /// The same without a signature. Receivers must ignore such a report (RFC 8460 §3).
    pub fn unsigned(&self) -> Vec<u8> {
        let (report, reporter) = (self.report, self.report.reporter);
        let text = text(report);
        let mut content = Vec::new();
        MessageBuilder::new()
            .from(Address::new_address(None::<&str>, reporter.sender().as_str()))
            .to(Address::new_address(None::<&str>, self.to.as_str()))
            .header("Subject", Raw::new(subject(report)))
            .date(Date::new(self.now.as_second()))
            .message_id(format!("{}@{}", self.id, reporter.submitter()))
            .header("TLS-Report-Domain", Raw::new(report.domain.as_str()))
            .header("TLS-Report-Submitter", Raw::new(reporter.submitter().as_str()))
            // What it reports must not stop it, at this relay or behind it (RFC 8460 §3; RFC 8689 §3).
            .header("TLS-Required", Raw::new("No"))
            // Nobody sent it by hand, and nothing automatic should answer (RFC 3834 §5).
            .header("Auto-Submitted", Raw::new("auto-generated"))
            .body(self.parts(text))
            .serialize(&mut content);
        content
    }

    fn parts(&self, text: String) -> MimePart<'static> {
        let name = &self.packed.file_name;
        let for_people = MimePart::new(
            ContentType::new("text/plain").attribute("charset", "us-ascii"),
            BodyPart::Binary(text.into_bytes().into()),
        )
        .transfer_encoding("7bit");
        let for_machines = MimePart::new(
            ContentType::new(Packed::MEDIA_TYPE),
            BodyPart::Binary(base64_lines(&self.packed.octets).into()),
        )
        .transfer_encoding("base64")
        .header(
            "Content-Disposition",
            // Its characters need no quoting but the quotes; receivers look for the name as a whole, not in sections.
            Raw::new(format!("attachment; filename=\"{name}\"")),
        );
        let content_type = ContentType::new("multipart/report")
            .attribute("report-type", "tlsrpt")
            // Neither the text, which has no such lines, nor base64 has it.
            .attribute("boundary", format!("=_{}", self.id));
        MimePart::new(content_type, vec![for_people, for_machines])
    }
}

/// The form by which receivers recognise a report that they have already (RFC 8460 §5.3). Every space may be folded at.
fn subject(report: &Report<'_>) -> String {
    format!(
        "Report Domain: {} Submitter: {} Report-ID: <{}>",
        report.domain,
        report.reporter.submitter(),
        report.report_id()
    )
}

/// What it says to people. All of it is ASCII: names of domains, numbers and words of ours.
fn text(report: &Report<'_>) -> String {
    let (met, failed) = report.sessions();
    let mut lines = vec![
        format!(
            "This is an aggregate TLS report (RFC 8460) of {}",
            report.reporter.submitter()
        ),
        format!("about mail to {}", report.domain),
        format!("on {} (UTC).", report.day),
        String::new(),
        format!("Sessions that met the policy: {met}"),
        format!("Sessions that did not:        {failed}"),
        String::new(),
    ];
    lines.extend(report.tallies.iter().take(NAMED).map(line_about));
    if report.tallies.len() > NAMED {
        lines.push(format!("and {} more", report.tallies.len() - NAMED));
    }
    lines.extend([
        String::new(),
        "The attachment has the details, for machines. `danerelay tlsrpt read`".to_owned(),
        "says in words what they mean.".to_owned(),
        String::new(),
        format!("Questions: {}", report.reporter.contact()),
        String::new(),
    ]);
    lines.join("\r\n")
}

fn line_about(tally: &TlsTally) -> String {
    let kind = match tally.policy {
        TlsPolicy::Tlsa { .. } => "DANE",
        TlsPolicy::Sts { .. } => "MTA-STS",
        TlsPolicy::None { .. } => "no policy",
    };
    let domain = tally.policy.domain();
    format!(
        "{kind} of {domain}: {} met, {} failed",
        tally.successes, tally.failures
    )
}

fn base64_lines(octets: &[u8]) -> Vec<u8> {
    let text = BASE64.encode(octets);
    let mut lines = Vec::with_capacity(text.len() + text.len() / BASE64_LINE * 2 + 2);
    for line in text.as_bytes().chunks(BASE64_LINE) {
        lines.extend_from_slice(line);
        lines.extend_from_slice(b"\r\n");
    }
    lines
}

#[cfg(test)]
mod tests;
