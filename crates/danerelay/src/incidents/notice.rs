//! What is told at a time: as mail, and as JSON for commands and webhooks.

use std::fmt::Write as _;

use jiff::Timestamp;
use mail::count;
use mail::printable::Printable;
use report::incidents::news::{News, is_half};
use report::incidents::{Incident, page};
use serde::Serialize;

use crate::own_mail::Letter;
use crate::wiring::standing::{self, Healed};

/// The most incidents that are told in full at a time.
const IN_FULL: usize = 20;
/// The most that a mail has a line for, and the most exceptions and entries that are named; the rest are counted.
const NAMED: usize = 500;
/// How many deadlines a mail begins with.
const DEADLINES: usize = 5;

/// What is told at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Notice<'a> {
    /// Our name.
    pub(super) relay: &'a str,
    /// What is most urgent first.
    pub(super) items: &'a [Item<'a>],
    /// What the daily test has found.
    pub(super) healed: &'a [NotNeeded<'a>],
}

/// What is told of an incident.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Item<'a> {
    pub(super) news: News,
    pub(super) incident: &'a Incident,
}

/// An exception or an entry of a list that is not needed any more.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct NotNeeded<'a> {
    #[serde(flatten)]
    pub(super) healed: &'a Healed,
    /// Whether it was removed: only what a command had added is.
    pub(super) removed: bool,
}

/// The object that commands and webhooks are given.
#[derive(Serialize)]
struct Object<'a> {
    relay: &'a str,
    counts: Counts,
    incidents: &'a [Item<'a>],
    /// The others.
    more: Vec<Short<'a>>,
    healed: &'a [NotNeeded<'a>],
    more_healed: usize,
}

/// What is told of an incident that is not told in full.
#[derive(Serialize)]
struct Short<'a> {
    news: News,
    id: &'a str,
    name: &'a str,
    first_return: Option<Timestamp>,
}

/// How many incidents there is each kind of news of.
#[derive(Debug, Default, Serialize)]
struct Counts {
    opened: u64,
    half: u64,
    closed: u64,
}

impl<'a> Item<'a> {
    fn short(&self) -> Short<'a> {
        let incident = self.incident;
        Short {
            news: self.news,
            id: &incident.id,
            name: &incident.name,
            first_return: incident.first_return,
        }
    }

    /// By this, what is most urgent comes first: first what has the least time left.
    pub(super) fn urgency(&self) -> (u8, bool, Timestamp) {
        let rank = match self.news {
            // What is told late may have little time left, too.
            News::Half | News::Opened => 0,
            News::Closed => 1,
            News::Open => 2,
        };
        let deadline = self.incident.first_return.unwrap_or(Timestamp::MAX);
        (rank, !self.incident.is_ours(), deadline)
    }
}

impl Counts {
    fn of(items: &[Item<'_>]) -> Self {
        let mut counts = Self::default();
        for item in items {
            match item.news {
                News::Opened => counts.opened += 1,
                News::Half => counts.half += 1,
                News::Closed => counts.closed += 1,
                // Only the log has reminders.
                News::Open => {}
            }
        }
        counts
    }

    /// `3 incidents opened, 1 at half of its time, 2 closed`.
    fn words(&self) -> String {
        let its = if self.half == 1 { "its" } else { "their" };
        let parts = [
            (self.opened, "opened".to_owned()),
            (self.half, format!("at half of {its} time")),
            (self.closed, "closed".to_owned()),
        ];
        let mut words = String::new();
        for (number, what) in parts.into_iter().filter(|(number, _)| *number > 0) {
            let _ = if words.is_empty() {
                write!(words, "{} {what}", count(number, "incident"))
            } else {
                write!(words, ", {number} {what}")
            };
        }
        words
    }
}

impl Notice<'_> {
    /// One JSON object on one line.
    pub(super) fn json(&self) -> Vec<u8> {
        let (incidents, more) = self.items.split_at(IN_FULL.min(self.items.len()));
        let healed = self.healed.get(..NAMED).unwrap_or(self.healed);
        let object = Object {
            relay: self.relay,
            counts: Counts::of(self.items),
            incidents,
            more: more.iter().map(Item::short).collect(),
            healed,
            more_healed: self.healed.len() - healed.len(),
        };
        let mut line = crate::json::line(&object).unwrap_or_default();
        line.push('\n');
        line.into_bytes()
    }

    /// The same for people.
    pub(super) fn letter(&self, now: Timestamp) -> Letter {
        Letter {
            subject: self.subject(),
            text: self.text(now),
        }
    }

    /// Names of hosts and domains and words of ours: all of it is ASCII.
    fn subject(&self) -> String {
        let what = match self.items {
            [one] => format!("incident {}: {}", one.news.as_str(), one.incident.name),
            [_, ..] => Counts::of(self.items).words(),
            [] => self.not_needed(),
        };
        format!("[{}] {what}", self.relay)
    }

    fn not_needed(&self) -> String {
        standing::not_needed(self.healed.iter().map(|one| one.healed)).unwrap_or_default()
    }

    fn text(&self, now: Timestamp) -> String {
        let mut text = String::new();
        if self.items.len() > 1 {
            let _ = writeln!(text, "{}.\n", Counts::of(self.items).words());
            self.deadlines(&mut text);
        }
        for item in self.items.iter().take(NAMED) {
            let (news, incident) = (item.news.as_str(), item.incident);
            let late = match item.news {
                News::Opened if is_half(incident, now) => "; half of its time has passed",
                News::Opened | News::Half | News::Closed | News::Open => "",
            };
            let _ = writeln!(text, "{news:<7} {:<4} {}{late}", incident.id, incident.summary);
        }
        more(&mut text, self.items.len(), "`danerelay incidents --all`");
        self.healed(&mut text);
        for item in self.items.iter().take(IN_FULL) {
            text.push_str("\n----------------------------------------------------------------\n\n");
            text.push_str(&page::write(item.incident, self.relay, now));
        }
        let relay = self.relay;
        let _ = write!(
            text,
            "\n-- \nWritten by danerelay at {relay}: `danerelay incidents` shows how things stand.\n"
        );
        text
    }

    /// When the next messages are returned.
    fn deadlines(&self, text: &mut String) {
        let mut ends: Vec<(Timestamp, &Incident)> = self
            .items
            .iter()
            .filter(|item| item.incident.is_open())
            .filter_map(|item| Some((item.incident.first_return?, item.incident)))
            .collect();
        if ends.is_empty() {
            return;
        }
        ends.sort_by_key(|(end, _)| *end);
        text.push_str("The soonest deadlines, at which the first message is returned:\n");
        for (end, incident) in ends.into_iter().take(DEADLINES) {
            let _ = writeln!(text, "  {end:.0}  {}", incident.name);
        }
        text.push('\n');
    }

    fn healed(&self, text: &mut String) {
        if self.healed.is_empty() {
            return;
        }
        if !self.items.is_empty() {
            text.push('\n');
        }
        let _ = writeln!(text, "{}, by the daily test:", self.not_needed());
        for one in self.healed.iter().take(NAMED) {
            let removed = if one.removed { "; removed" } else { "" };
            let Healed {
                kind,
                name,
                place,
                reason,
                ..
            } = one.healed;
            let _ = writeln!(
                text,
                "  {kind} {name}  {}  {}{removed}",
                Printable(place),
                Printable(reason)
            );
        }
        more(text, self.healed.len(), "`danerelay danefail list`");
    }
}

/// How many are not named, and what shows them.
fn more(text: &mut String, all: usize, command: &str) {
    if let Some(rest @ 1..) = all.checked_sub(NAMED) {
        let _ = writeln!(text, "and {rest} more: {command}");
    }
}
