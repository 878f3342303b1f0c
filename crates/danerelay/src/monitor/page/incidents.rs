//! What holds mail up.

use jiff::Timestamp;
use mail::words::{moment, span};
use report::incidents::Incident;

use crate::monitor::census::{Census, Counted};
use crate::pages::html::{Escaped, Html};
use crate::pages::words::{ago, counted, without_addresses};

/// Incidents shown in full.
const SHOWN: usize = 20;
/// Lines of evidence of each.
const EVIDENCE: usize = 8;

pub(super) fn write(to: &mut Html, census: &Census, now: Timestamp) {
    to.raw("<section>");
    to.heading("Open incidents");
    match &census.incidents {
        Counted::NotYet => to.remark("They are being looked for."),
        Counted::Failed(why) => to.remark(format_args!("They cannot be read: {why}")),
        Counted::Found(open) if open.is_empty() => to.remark("None: no security failure holds mail up."),
        Counted::Found(open) => {
            for incident in open.iter().take(SHOWN) {
                one(to, incident, now);
            }
            if let Some(more @ 1..) = open.len().checked_sub(SHOWN) {
                to.remark(format_args!("{more} more; danerelay incidents lists all."));
            }
        }
    }
    to.raw("</section>");
}

fn one(to: &mut Html, incident: &Incident, now: Timestamp) {
    to.raw("<article>");
    to.raw(format_args!(
        "<h3>{} <small>{} · {}</small></h3>",
        Escaped(&incident.name),
        Escaped(&incident.id),
        incident.cause.as_str()
    ));
    to.element("p", &incident.summary);
    to.raw("<dl class=\"facts\">");
    fact(to, "Deadline", &deadline(incident, now));
    fact(
        to,
        "Waiting",
        &match incident.oldest {
            Some(oldest) => format!(
                "{} to {}, the oldest for {}",
                counted(incident.messages, "message", "messages"),
                counted(incident.domains, "domain", "domains"),
                ago(oldest, now)
            ),
            None => "nothing".to_owned(),
        },
    );
    fact(
        to,
        "Since",
        &format!(
            "{} ({}), last seen {} ago",
            moment(incident.first_seen),
            ago(incident.first_seen, now),
            ago(incident.last_seen, now)
        ),
    );
    if let Some(worked) = incident.last_worked {
        fact(to, "Last worked", &moment(worked));
    }
    fact(to, "Most likely", incident.finding.likely.words());
    to.raw("</dl>");
    let finding = &incident.finding;
    evidence(to, "What was seen", &finding.changes);
    evidence(to, "What speaks for a mistake", &finding.for_mistake);
    evidence(to, "What speaks for an attack", &finding.for_attack);
    to.raw(format_args!(
        "<p class=\"remark\">What to do: <code>danerelay incidents show {}</code></p></article>",
        Escaped(&incident.id)
    ));
}

fn deadline(incident: &Incident, now: Timestamp) -> String {
    match incident.first_return {
        Some(end) if end <= now => format!("{}: mail is being returned", moment(end)),
        Some(end) => format!(
            "in {} the first message is returned, at {}",
            span(end.duration_since(now).as_secs()),
            moment(end)
        ),
        None => "nothing is about to be returned".to_owned(),
    }
}

fn fact(to: &mut Html, name: &'static str, words: &str) {
    to.raw(format_args!(
        "<div><dt>{name}</dt><dd>{}</dd></div>",
        Escaped(words)
    ));
}

fn evidence(to: &mut Html, heading: &'static str, lines: &[String]) {
    let mut lines = lines
        .iter()
        .filter(|line| !line.is_empty())
        .take(EVIDENCE)
        .peekable();
    if lines.peek().is_none() {
        return;
    }
    to.element("h4", heading);
    to.raw("<ul>");
    for line in lines {
        to.element("li", without_addresses(line));
    }
    to.raw("</ul>");
}
