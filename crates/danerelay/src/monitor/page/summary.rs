//! The state at a glance.

use jiff::Timestamp;
use mail::event::resolver::Finding;
use mail::words::moment;
use report::incidents::Incident;
use spool::Store;

use crate::monitor::census::Census;
use crate::monitor::sources::Monitor;
use crate::pages::html::{Escaped, Html};
use crate::pages::words::{ago, counted, grouped, octets};

/// How good or bad something is; it is said in words as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Good,
    Bad,
    Unknown,
}

impl Mood {
    fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
        }
    }
}

pub(super) fn write<S: Store>(to: &mut Html, monitor: &Monitor<S>, census: &Census, now: Timestamp) {
    let sources = &monitor.sources;
    to.raw("<header>");
    to.element("h1", &sources.hostname);
    let taken = census.at.map_or("nothing has been counted yet".to_owned(), |at| {
        format!("as of {}, {} ago", moment(at), ago(at, now))
    });
    to.raw(format_args!(
        "<p>danerelay {}, up for {}; {taken}</p></header>",
        env!("CARGO_PKG_VERSION"),
        ago(sources.metrics.started, now),
    ));
    if let Some(why) = monitor.ailment() {
        to.raw(format_args!("<p class=\"alarm\">{}</p>", Escaped(why)));
    }
    to.raw("<dl class=\"tiles\">");
    let summary = census.queue.found();
    tile(
        to,
        "Messages waiting",
        &summary.map_or("?".to_owned(), |summary| grouped(summary.messages)),
        &summary.map_or(String::new(), |summary| octets(summary.bytes)),
        Mood::Unknown,
    );
    let oldest = summary.and_then(|summary| summary.oldest);
    tile(
        to,
        "Oldest",
        &oldest.map_or("–".to_owned(), |oldest| ago(oldest, now)),
        &oldest.map_or(String::new(), moment),
        Mood::Unknown,
    );
    incidents(to, census.incidents.found().map(Vec::as_slice));
    resolver(to, monitor, now);
    let servers = census.standings.as_ref().map(|standings| standings.connections);
    tile(
        to,
        "Connections",
        &format!(
            "{} in, {} out",
            (sources.clients)(),
            servers.map_or("?".to_owned(), |servers| servers.to_string())
        ),
        "with clients, and with receiving servers",
        Mood::Unknown,
    );
    to.raw("</dl>");
}

fn incidents(to: &mut Html, open: Option<&[Incident]>) {
    let Some(open) = open else {
        return tile(to, "Open incidents", "?", "", Mood::Unknown);
    };
    let (detail, mood) = if open.is_empty() {
        ("no security failure is known".to_owned(), Mood::Good)
    } else {
        let holding = open.iter().filter(|incident| incident.messages > 0).count();
        let holding = counted(holding as u64, "holds", "hold");
        (format!("{holding} mail up"), Mood::Bad)
    };
    tile(to, "Open incidents", &grouped(open.len() as u64), &detail, mood);
}

fn resolver<S>(to: &mut Html, monitor: &Monitor<S>, now: Timestamp) {
    let standing = monitor.sources.metrics.resolver.load();
    let Some(standing) = standing.as_ref() else {
        return tile(to, "DNSSEC", "not tested yet", "", Mood::Unknown);
    };
    let (word, reason, mood) = match &standing.finding {
        Finding::Fine(reason) => ("validated", reason, Mood::Good),
        Finding::Failing(reason) => ("fails", reason, Mood::Bad),
    };
    let detail = format!(
        "{}: {reason}; servers: {}; since {}",
        standing.mode,
        standing.servers,
        ago(standing.since, now)
    );
    tile(to, "DNSSEC", word, &detail, mood);
}

fn tile(to: &mut Html, name: &str, value: &str, detail: &str, mood: Mood) {
    to.raw(format_args!(
        "<div class=\"{}\"><dt>{}</dt><dd><strong>{}</strong><small>{}</small></dd></div>",
        mood.class(),
        Escaped(name),
        Escaped(value),
        Escaped(detail)
    ));
}
