//! A report for people: a verdict, what was seen, and what to do about it, in 80 columns.

use std::fmt::Write as _;

use mail::printable::Printable;
use mail::{count, wrap};

use super::findings::{Finding, Severity};
use super::marks::{Mark, mark};
use super::observation::{
    AddressSeen, HostSeen, KeySeen, MxKind, OfferResult, RecordSeen, StsKind, TlsrptKind, VersionSeen, short,
};
use super::outcome::Outcome;
use super::report::{Host, Report};
use super::verdict::Verdict;
use crate::explain::{AddressStatus, StepType, TlsaStatus};
use crate::terminal::{Palette, Style};

/// The columns of a terminal.
const WIDTH: usize = 80;

/// The whole report.
pub(crate) fn write(report: &Report, palette: Palette) -> String {
    let mut text = Text {
        out: String::new(),
        palette,
    };
    text.line(&format!(
        "{}: {}",
        palette.style(&plain(&report.domain), Style::Bold),
        coloured(report.verdict, palette)
    ));
    if report.manner.connected {
        text.wrapped(2, "", report.verdict.words());
    } else {
        text.wrapped(2, "", "by DNS alone: no server was asked");
    }
    text.line("");
    text.mx(report);
    for host in &report.hosts {
        text.host(host);
    }
    if !report.hosts.is_empty() {
        text.policies(report);
    }
    if !report.hosts.is_empty() && !report.not_probed.is_empty() {
        text.wrapped(2, "untested ", &report.not_probed.join(", "));
    }
    if !report.findings.is_empty() {
        text.line("");
    }
    for finding in &report.findings {
        text.finding(finding);
    }
    text.out
}

/// The verdict alone, with the finding that matters most where there is something to mend.
pub(crate) fn line(report: &Report, palette: Palette) -> String {
    let gravest = report.gravest();
    let words = gravest.map_or_else(String::new, |finding| {
        let about = finding
            .host
            .as_ref()
            .map_or_else(String::new, |host| format!("{host}: "));
        format!("  {}", plain(&format!("{about}{}", finding.text)))
    });
    format!(
        "{}{}  {}{words}\n",
        coloured(report.verdict, palette),
        " ".repeat(12_usize.saturating_sub(report.verdict.as_str().len())),
        plain(&report.domain)
    )
}

fn coloured(verdict: Verdict, palette: Palette) -> String {
    let style = match verdict {
        Verdict::Secure => Style::Green,
        Verdict::Broken => Style::Red,
        Verdict::Insecure | Verdict::Unreachable => Style::Yellow,
        Verdict::NoMail => Style::Plain,
    };
    palette.style(verdict.as_str(), style)
}

/// On one line, without anything that a terminal would interpret.
fn plain(text: &str) -> String {
    Printable(text).to_string()
}

struct Text {
    out: String,
    palette: Palette,
}

impl Text {
    fn line(&mut self, line: &str) {
        let _ = writeln!(self.out, "{}", line.trim_end());
    }

    /// Words after a label, wrapped; further lines are indented as far as the words of the first.
    fn wrapped(&mut self, indent: usize, label: &str, words: &str) {
        let gap = if label.is_empty() { "" } else { "  " };
        let first = format!("{:indent$}{label}{gap}", "");
        let rest = " ".repeat(first.chars().count());
        for line in wrap(&plain(words), WIDTH, &first, &rest) {
            self.line(&line);
        }
    }

    fn mx(&mut self, report: &Report) {
        let mx = &report.mx;
        let status = mx.lookup.status.as_str();
        let what = match mx.kind {
            MxKind::Hosts => format!("{status}, {}", count(report.hosts.len(), "host")),
            MxKind::Implicit => format!("none ({status}): the domain itself is the host"),
            MxKind::NullMx => format!("null MX ({status}): no mail is taken"),
            MxKind::NoSuchDomain => format!("no such domain ({status})"),
            MxKind::Failed => format!("{status}: nothing is known"),
        };
        self.wrapped(2, "MX       ", &what);
        if let Some(zone) = &mx.zone {
            let servers: Vec<&str> = zone.servers.iter().map(|server| server.name.as_str()).collect();
            let words = format!("{}, served by {}", zone.name, servers.join(", "));
            self.wrapped(2, "zone     ", &words);
        }
        if let Some(until) = mx.signatures.iter().map(|signature| signature.until).min() {
            self.wrapped(2, "signed   ", &format!("until {until}"));
        }
    }

    fn host(&mut self, host: &Host) {
        let seen = &host.seen;
        let preference = seen.preference.map_or_else(String::new, |one| format!("{one} "));
        let head = format!(
            "  {preference}{}: {}",
            self.palette.style(&plain(&seen.name), Style::Bold),
            coloured(host.verdict, self.palette)
        );
        self.line("");
        self.line(&head);
        let status = match seen.address_status {
            AddressStatus::Secure => "secure",
            AddressStatus::Insecure => "insecure",
            AddressStatus::SecureAlias => "insecure behind a secure alias",
            AddressStatus::None => "there are none",
            AddressStatus::Ignored => "none that can be connected to",
            AddressStatus::Failed => "the look-up failed",
            AddressStatus::Literal => "an address in place of a name",
        };
        self.wrapped(4, "addresses", status);
        self.tlsa(host);
        let shown = Presented::of(seen);
        for record in &seen.tlsa.records {
            self.record(6, record, shown.mark(record));
        }
        for address in &seen.addresses {
            self.address(address);
            if let Presented::Apart = shown {
                for record in seen.tlsa.records.iter().filter(|record| record.usable) {
                    if let Some(mark) = mark(record, address) {
                        self.record(21, record, Some(mark));
                    }
                }
                self.certificate(21, "", address);
            }
        }
        if let Presented::Everywhere(address) = shown {
            self.certificate(4, "certificate", address);
        }
    }

    fn record(&mut self, indent: usize, record: &RecordSeen, mark: Option<Mark>) {
        let (style, words) = match (&record.reason, mark) {
            (Some(reason), _) => (Style::Yellow, reason.clone()),
            (None, None) => (Style::Plain, String::new()),
            (None, Some(mark)) if mark.is_match() => (Style::Green, mark.words()),
            (None, Some(mark)) => (Style::Yellow, mark.words()),
        };
        let start = self.out.len();
        self.wrapped(indent, &format!("{:<16}", short(&record.record)), &words);
        self.repaint(start, &words, style);
    }

    fn tlsa(&mut self, host: &Host) {
        let tlsa = &host.seen.tlsa;
        let base = tlsa.base.as_deref().unwrap_or(&host.seen.name);
        let words = match tlsa.status {
            TlsaStatus::NotAsked => "not asked for, because the addresses are not signed".to_owned(),
            TlsaStatus::Absent => "none".to_owned(),
            TlsaStatus::Failed => format!(
                "the look-up failed: {}",
                tlsa.failure.as_ref().map_or("", |failure| failure.words.as_str())
            ),
            TlsaStatus::Unusable | TlsaStatus::Usable => {
                let times = tlsa.signatures.iter().map(|one| (one.until, one.ttl)).min();
                let times = times.map_or_else(String::new, |(until, ttl)| {
                    format!(", TTL {ttl}, signed until {until}")
                });
                format!("{} at {base}{times}", count(tlsa.records.len(), "record"))
            }
        };
        self.wrapped(4, "TLSA     ", &words);
        let ttl = host
            .seen
            .lookups
            .iter()
            .find(|step| step.record_type == StepType::Tlsa);
        if tlsa.signatures.is_empty()
            && let Some(ttl) = ttl
                .and_then(|step| step.found.ttl)
                .filter(|_| !tlsa.records.is_empty())
        {
            self.wrapped(4, "         ", &format!("TTL left {ttl}"));
        }
    }

    fn address(&mut self, address: &AddressSeen) {
        let style = match address.outcome {
            Outcome::Verified => Style::Green,
            Outcome::NotTried | Outcome::NoRoute | Outcome::Encrypted => Style::Plain,
            Outcome::NotExamined
            | Outcome::OurFault
            | Outcome::Unreachable
            | Outcome::Unanswered
            | Outcome::Refused
            | Outcome::Clear => Style::Yellow,
            _ => Style::Red,
        };
        let start = self.out.len();
        self.wrapped(
            4,
            &format!("{:<15}", address.address.to_string()),
            address.outcome.words(),
        );
        self.repaint(start, address.outcome.words(), style);
        let session: Vec<&str> = [&address.tls, &address.group]
            .into_iter()
            .filter_map(|one| one.as_deref())
            .collect();
        if !session.is_empty() {
            self.wrapped(21, "", &session.join(", "));
        }
        if !address.offers.is_empty() {
            self.wrapped(21, "", &offers(address));
        }
        if !address.suites.is_empty() {
            let least = if address.suites_complete { "" } else { "at least " };
            self.wrapped(21, "", &format!("takes {least}{}", address.suites.join(" ")));
        }
    }

    fn certificate(&mut self, indent: usize, label: &str, address: &AddressSeen) {
        let Some(certificate) = address.presented.first() else {
            return;
        };
        let until = certificate
            .not_after
            .map_or_else(String::new, |until| format!(", until {until}"));
        let names = if certificate.names.is_empty() {
            String::new()
        } else {
            format!(", for {}", certificate.names.join(" "))
        };
        let words = format!(
            "{}{until}{names}; by {} ({})",
            certificate.key, certificate.issuer, certificate.signature
        );
        self.wrapped(indent, label, &words);
    }

    fn policies(&mut self, report: &Report) {
        let sts = &report.mta_sts;
        let words = match sts.status {
            StsKind::NotAsked => "not asked",
            StsKind::Absent => "none",
            StsKind::None => "none any more",
            StsKind::Testing => "testing",
            StsKind::Enforce => "enforce",
            StsKind::LookupFailed => "the look-up of the record failed",
            StsKind::RecordInvalid => "the record is invalid",
            StsKind::PolicyFailed => "the policy cannot be fetched, or is invalid",
        };
        let hosts = if sts.mx.is_empty() {
            String::new()
        } else {
            format!(", for {}", sts.mx.join(" "))
        };
        self.line("");
        self.wrapped(2, "MTA-STS  ", &format!("{words}{hosts}"));
        let words = match report.tlsrpt.status {
            TlsrptKind::NotAsked => "not asked".to_owned(),
            TlsrptKind::Absent => "none".to_owned(),
            TlsrptKind::Present => report.tlsrpt.records.join(" "),
            TlsrptKind::Several => "several, which count as none".to_owned(),
            TlsrptKind::Invalid => "invalid".to_owned(),
            TlsrptKind::Failed => "the look-up failed".to_owned(),
        };
        self.wrapped(2, "TLSRPT   ", &words);
    }

    fn finding(&mut self, finding: &Finding) {
        let about = match (&finding.host, finding.address) {
            (None, _) => String::new(),
            (Some(host), None) => format!("{host}: "),
            (Some(host), Some(address)) => format!("{host} [{address}]: "),
        };
        let start = self.out.len();
        self.wrapped(
            2,
            &format!("{:<7}", finding.severity.as_str()),
            &format!("{about}{}", finding.text),
        );
        let style = match finding.severity {
            Severity::Error => Style::Red,
            Severity::Warning => Style::Yellow,
            Severity::Advice | Severity::Info => Style::Plain,
        };
        self.repaint(start, finding.severity.as_str(), style);
        if let Some(fix) = &finding.fix {
            self.wrapped(2, "mend   ", fix);
        }
    }

    /// Colours words that were written since `start`, if they stand on one line: the wrapping counts columns, and a colour takes
    /// none.
    fn repaint(&mut self, start: usize, words: &str, style: Style) {
        if words.is_empty() {
            return;
        }
        let tail = self.out.split_off(start);
        self.out
            .push_str(&tail.replacen(words, &self.palette.style(words, style), 1));
    }
}

/// Whether all addresses of a host show the same.
#[derive(Clone, Copy)]
enum Presented<'a> {
    /// Nothing.
    Nowhere,
    /// All that show a certificate show what this one does.
    Everywhere(&'a AddressSeen),
    Apart,
}

impl<'a> Presented<'a> {
    fn of(host: &'a HostSeen) -> Self {
        let key = |address: &AddressSeen| {
            let own = address.presented.first();
            own.map(|own| (own.record.clone(), own.not_after))
        };
        let marks = |address: &AddressSeen| -> Vec<Option<Mark>> {
            let records = host.tlsa.records.iter();
            records.map(|record| mark(record, address)).collect()
        };
        let mut showing = host.addresses.iter().filter(|one| !one.presented.is_empty());
        let Some(first) = showing.next() else {
            return Self::Nowhere;
        };
        if showing.all(|other| key(other) == key(first) && marks(other) == marks(first)) {
            Self::Everywhere(first)
        } else {
            Self::Apart
        }
    }

    fn mark(&self, record: &RecordSeen) -> Option<Mark> {
        match self {
            Self::Everywhere(address) => mark(record, address),
            Self::Nowhere | Self::Apart => None,
        }
    }
}

/// Which versions and keys the server has.
fn offers(address: &AddressSeen) -> String {
    let taken = |result| match result {
        OfferResult::Taken => "yes",
        OfferResult::Declined => "no",
        OfferResult::Unknown => "not known",
        OfferResult::NotExamined => "not examined in time",
    };
    let words = address.offers.iter().map(|offer| {
        let what = match (offer.keys, offer.version) {
            (None, VersionSeen::Tls12) => "TLS 1.2",
            (None, VersionSeen::Tls13) => "TLS 1.3",
            (Some(KeySeen::Ecdsa), _) => "ECDSA",
            (Some(KeySeen::Rsa), _) => "RSA",
        };
        format!("{what} {}", taken(offer.result))
    });
    words.collect::<Vec<_>>().join(", ")
}
