//! A report in words.

use std::fmt::Write as _;

use mail::printable::Printable;
use mail::{count, wrap};
use tlsrpt::meaning;
use tlsrpt::read::{Carrier, Detail, Policy, PolicyType, Reading};

/// The most places that are named for one kind of failure.
const PLACES: usize = 20;
/// The most strings of a policy that are shown, and their octets: `--json` has all.
const STRINGS: usize = 12;
const OCTETS: usize = 160;
/// How wide lines of prose are.
const WIDTH: usize = 100;

/// What the whole report says.
pub(super) fn about(reading: &Reading) -> String {
    let mut text = head(reading);
    for policy in &reading.report.policies {
        text.push('\n');
        text.push_str(&policy_lines(policy));
    }
    for remark in &reading.remarks {
        text.push('\n');
        text.push_str(&prose("Note: ", &Printable(&remark.to_string()).to_string()));
    }
    let (met, failed) = reading.report.sessions();
    let all = sessions(met.saturating_add(failed));
    // Writing to a string does not fail.
    let _ = if failed == 0 {
        writeln!(text, "\nNo failures in {all}.")
    } else {
        writeln!(text, "\n{failed} of {all} failed.")
    };
    text
}

fn head(reading: &Reading) -> String {
    let report = &reading.report;
    let said = |text: Option<&str>| text.map_or("not said".to_owned(), shown);
    let mut text = format!(
        "TLS report by {}, contact {}\n",
        said(report.organization.as_deref()),
        said(report.contact.as_deref())
    );
    let _ = writeln!(
        text,
        "from {} to {}, id {}",
        said(report.start.as_deref()),
        said(report.end.as_deref()),
        said(report.id.as_deref())
    );
    if let Some(carrier) = &reading.carrier {
        let _ = writeln!(text, "{}", mail_line(carrier));
    }
    text
}

fn mail_line(carrier: &Carrier) -> String {
    let from = carrier.from.as_deref().map_or("nobody".to_owned(), shown);
    let signed: Vec<String> = carrier.signed_by.iter().map(|domain| shown(domain)).collect();
    if signed.is_empty() {
        format!("mailed by {from}, not signed")
    } else {
        format!(
            "mailed by {from}, signed by {} (not verified here)",
            signed.join(", ")
        )
    }
}

fn policy_lines(policy: &Policy) -> String {
    let domain = policy
        .domain
        .as_deref()
        .map_or("a domain that is not said".to_owned(), shown);
    let mut text = match policy.kind {
        PolicyType::NoPolicyFound => format!("{domain}: no policy found\n"),
        _ => format!("{domain}: {}\n", shown(&policy.kind.to_string())),
    };
    for string in policy.strings.iter().take(STRINGS) {
        let _ = writeln!(text, "    {}", shown(string));
    }
    if policy.strings.len() > STRINGS {
        let _ = writeln!(text, "    and {} more", policy.strings.len() - STRINGS);
    }
    if policy.strings.is_empty() && !policy.mx.is_empty() {
        let mx: Vec<String> = policy.mx.iter().take(STRINGS).map(|mx| shown(mx)).collect();
        let _ = writeln!(text, "    mx: {}", mx.join(", "));
    }
    let (met, failed) = (policy.successful, policy.failures());
    let _ = writeln!(
        text,
        "  {} met it, {failed} did not{}",
        sessions(met),
        share(met, failed)
    );
    for details in by_result(policy) {
        text.push_str(&failure_lines(policy, &details));
    }
    text
}

fn failure_lines(policy: &Policy, details: &[&Detail]) -> String {
    let Some(first) = details.first() else {
        return String::new();
    };
    let mut text = format!("\n  {}: {}\n", shown(&first.result), sessions(sum(details)));
    for detail in details.iter().take(PLACES) {
        let _ = writeln!(text, "    {}", place(detail));
    }
    if details.len() > PLACES {
        let _ = writeln!(text, "    and {} more of these", details.len() - PLACES);
    }
    let meaning = meaning::of(first.known(), &policy.kind);
    text.push_str(&prose("    Meaning: ", meaning.says));
    text.push_str(&prose("    To do:   ", meaning.advice));
    text
}

/// One line about failures that agree in everything.
fn place(detail: &Detail) -> String {
    let mut text = format!("{} x", detail.count);
    if let Some(host) = &detail.mx_host {
        let _ = write!(text, " at {}", shown(host));
    }
    if let Some(address) = &detail.receiving_ip {
        let _ = write!(text, " [{}]", shown(address));
    }
    if let Some(helo) = detail
        .mx_helo
        .as_ref()
        .filter(|helo| Some(*helo) != detail.mx_host.as_ref())
    {
        let _ = write!(text, " (it greets as {})", shown(helo));
    }
    if let Some(address) = &detail.sending_ip {
        let _ = write!(text, ", tried from {}", shown(address));
    }
    if let Some(reason) = &detail.reason {
        let _ = write!(text, ": {}", shown(reason));
    }
    if let Some(information) = &detail.information {
        let _ = write!(text, " <{}>", shown(information));
    }
    text
}

/// The failures of a policy by kind, the most frequent kind first, and in each the most frequent first.
pub(super) fn by_result(policy: &Policy) -> Vec<Vec<&Detail>> {
    let mut details: Vec<&Detail> = policy.failures.iter().collect();
    details.sort_by(|one, other| (&one.result, other.count).cmp(&(&other.result, one.count)));
    let groups = details.chunk_by(|one, other| one.result == other.result);
    let mut groups: Vec<Vec<&Detail>> = groups.map(<[_]>::to_vec).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(sum(group)));
    groups
}

/// How many failures these are.
pub(super) fn sum(details: &[&Detail]) -> u64 {
    details
        .iter()
        .fold(0, |sum: u64, detail| sum.saturating_add(detail.count))
}

fn sessions(number: u64) -> String {
    count(number, "session")
}

/// The share of failures in tenths of a percent.
fn share(met: u64, failed: u64) -> String {
    let all = u128::from(met) + u128::from(failed);
    if failed == 0 || met == 0 {
        return String::new();
    }
    let tenths = (u128::from(failed) * 1000 / all).max(1);
    format!(" ({}.{} %)", tenths / 10, tenths % 10)
}

/// A text of others on one line, of bounded length.
fn shown(text: &str) -> String {
    let cut = text.get(..text.floor_char_boundary(OCTETS)).unwrap_or_default();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{}{more}", Printable(cut))
}

/// Text that is wrapped, and goes on below its own beginning.
fn prose(label: &str, text: &str) -> String {
    let rest = " ".repeat(label.len());
    wrap(text, WIDTH, label, &rest).join("\n") + "\n"
}
