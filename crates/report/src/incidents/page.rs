//! An incident for people, with everything that is known about it and everything that can be done.

use std::fmt::Write as _;

use jiff::Timestamp;
use mail::printable::Printable;
use mail::sighting::Ending;
use mail::words::{moment, span};
use mail::{Domain, count};

use super::change::Member;
use super::incident::Incident;
use super::letter::{self, Letter, facts, item};
use super::remedy::{self, Remedy};
use super::words::place_name;

/// How many domains are named.
const NAMED: usize = 5;

/// Everything about an incident. `relay` is our name.
pub fn write(incident: &Incident, relay: &str, now: Timestamp) -> String {
    let mut text = format!("incident {}\n{}\n\n", incident.id, incident.summary);
    head(&mut text, incident, now);
    list(&mut text, "What was seen", &incident.finding.changes);
    list(
        &mut text,
        "What speaks for a mistake",
        &incident.finding.for_mistake,
    );
    list(
        &mut text,
        "What speaks for an attack",
        &incident.finding.for_attack,
    );
    for member in incident.members.iter().filter(|member| !member.place.is_ours()) {
        let when = match member.ended {
            Some(ended) => format!("as it failed until {}", moment(ended)),
            None => "now".to_owned(),
        };
        let _ = write!(text, "\n{}, {when}\n", place_name(&member.place));
        facts(&mut text, incident, member);
        before(&mut text, member);
    }
    if incident.is_open() {
        until_healed(&mut text, &remedy::propose(incident, now));
        if let Some(letter) = letter::write(incident, relay) {
            letter_of(&mut text, &letter);
        }
    }
    text
}

/// The lines that say how it stands.
fn head(text: &mut String, incident: &Incident, now: Timestamp) {
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<13} {value}");
    };
    line("status", &standing(incident, now));
    line("most likely", incident.finding.likely.words());
    if let Some(worked) = incident.last_worked {
        line("last worked", &moment(worked));
    }
    if !incident.is_ours() || incident.messages > 0 {
        line("concerns", &concerned(incident));
        line(
            "waiting",
            &format!(
                "{}, {}",
                count(incident.messages, "message"),
                count(incident.recipients, "recipient")
            ),
        );
    }
    if let (Some(oldest), Some(age)) = (incident.oldest, incident.oldest_age) {
        line("oldest", &format!("{} ({} ago)", moment(oldest), span(age)));
    }
    if let Some(end) = incident.first_return {
        let left = span(end.duration_since(now).as_secs());
        line("first return", &format!("{} (in {left})", moment(end)));
    }
}

/// Whether it goes on, and since when, or how it ended.
fn standing(incident: &Incident, now: Timestamp) -> String {
    let since = moment(incident.first_seen);
    let lasted = |end: Timestamp| span(end.duration_since(incident.first_seen).as_secs());
    match (incident.ended, incident.ending) {
        (Some(end), ending) => {
            let how = ending.map_or("", ended);
            format!(
                "over since {}{how}; it lasted {} from {since}",
                moment(end),
                lasted(end)
            )
        }
        (None, _) => format!(
            "open since {since} ({}); last seen {}",
            lasted(now),
            moment(incident.last_seen)
        ),
    }
}

fn ended(ending: Ending) -> &'static str {
    match ending {
        Ending::Verified => ", when a delivery was verified again",
        Ending::Withdrawn => ", when its records were withdrawn",
        Ending::Tested => ", when a test was passed",
        Ending::Encrypted => ", when mail went there over TLS, and no more was demanded",
        Ending::Mended => ", when it was mended here",
        Ending::NotDemanded => ", when mail went there and this was not demanded any more",
        Ending::NotSeen => ": it was not seen for long, and nothing waits",
    }
}

fn concerned(incident: &Incident) -> String {
    let named: Vec<&str> = incident
        .some_domains
        .iter()
        .take(NAMED)
        .map(Domain::as_str)
        .collect();
    let rest = incident.domains.saturating_sub(named.len() as u64);
    let mut text = incident.domains_in_words();
    if !named.is_empty() {
        let _ = write!(text, ": {}", named.join(", "));
    }
    if rest > 0 {
        let _ = write!(text, " and {rest} more");
    }
    text
}

fn before(text: &mut String, member: &Member) {
    let (Some(before), Some(until)) = (&member.before, member.before_until) else {
        return;
    };
    let _ = writeln!(text, "{}, before {}", place_name(&member.place), moment(until));
    for certificate in &before.presented {
        let record = certificate
            .record
            .as_deref()
            .unwrap_or("a key that cannot be read");
        let subject = Printable(&certificate.subject);
        let _ = writeln!(text, "  {:<11} {record}  ({subject})", "presented");
    }
    for record in &before.published {
        let _ = writeln!(text, "  {:<11} {}", "published", Printable(record));
    }
}

fn list(text: &mut String, title: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    let _ = write!(text, "\n{title}\n");
    for one in items {
        item(text, one);
    }
}

fn until_healed(text: &mut String, remedy: &Remedy) {
    text.push_str("\nUntil it has healed\n");
    item(text, &remedy.advice);
    for command in &remedy.commands {
        let _ = write!(text, "\n{command}\n");
    }
    if let Some(exception) = &remedy.exception {
        let or = if remedy.commands.is_empty() {
            "In the policy file:"
        } else {
            "or, in the policy file:"
        };
        let _ = write!(text, "\n{or}\n\n{exception}");
    }
}

fn letter_of(text: &mut String, letter: &Letter) {
    let _ = write!(
        text,
        "\nThe letter\n\nTo: {}\nSubject: {}\n\n{}",
        letter.to, letter.subject, letter.text
    );
    list(text, "How to reach them", &letter.ways);
}
