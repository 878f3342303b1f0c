//! What people are to be told of an incident now.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use spool::{KnownIncident, Step, Told, Way};

use super::compose::Composed;
use super::incident::Incident;

/// They are reminded this often on the first day.
const HOURLY: SignedDuration = SignedDuration::from_hours(1);
/// And this often later.
const DAILY: SignedDuration = SignedDuration::from_hours(24);
/// What has come back after its end is over only after this time without a failure.
const QUIET: SignedDuration = SignedDuration::from_hours(1);

/// What people are to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum News {
    /// It has begun.
    Opened,
    /// It goes on.
    Open,
    /// Half of the time has passed until the first message is returned.
    Half,
    /// It is over.
    Closed,
}

impl News {
    /// The word of the log and of what commands and webhooks are given.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Open => "open",
            Self::Half => "half",
            Self::Closed => "closed",
        }
    }
}

/// What to tell of an incident now, and what people have been told then. `None` for the news if there are none, and for all
/// of it if nothing changes.
pub fn due(composed: &Composed, now: Timestamp) -> Option<(Option<News>, Told)> {
    let told = told(&composed.records);
    of(&composed.incident, told, now, quiet(&composed.records, now))
}

/// What is known of an incident that has no records.
#[derive(Debug, Clone, Copy)]
pub struct OwnTold {
    /// What the log has said.
    pub told: Told,
    /// Whether it was over, and has come back within an hour.
    pub has_come_back: bool,
}

impl OwnTold {
    /// Whether the end is not only a pause.
    fn is_quiet(self, incident: &Incident, now: Timestamp) -> bool {
        let is_recent = |ended: Timestamp| has_come_back_by(ended, now);
        !self.has_come_back || !incident.ended.is_some_and(is_recent)
    }
}

/// Whether what ended then is the same incident if it comes now.
pub fn has_come_back_by(ended: Timestamp, now: Timestamp) -> bool {
    now.duration_since(ended) < QUIET
}

/// The same for what was told of an incident that has no records.
pub fn of_own(incident: &Incident, own: OwnTold, now: Timestamp) -> Option<(Option<News>, Told)> {
    of(incident, own.told, now, own.is_quiet(incident, now))
}

/// What to tell people of an incident on one way beside the log, and how far they know it then. `None` for the news if there
/// are none, and for all of it if nothing changes. What they were not told in time they are told later, by what has come of it.
pub fn notice(composed: &Composed, way: Way, now: Timestamp) -> Option<(Option<News>, Step)> {
    let Composed { incident, records } = composed;
    let known = step(records, way);
    if incident.is_open() {
        return step_of_open(incident, known, now);
    }
    let is_told = known == Step::Closed || !quiet(records, now);
    (!is_told).then(|| (last_news(known, told(records)), Step::Closed))
}

/// The same for what has no records. `known`: how far they know it.
pub fn notice_of_own(
    incident: &Incident,
    (known, own): (Step, OwnTold),
    now: Timestamp,
) -> Option<(Option<News>, Step)> {
    if incident.is_open() {
        return step_of_open(incident, known, now);
    }
    let is_told = known == Step::Closed || !own.is_quiet(incident, now);
    (!is_told).then(|| (last_news(known, own.told), Step::Closed))
}

fn step_of_open(incident: &Incident, known: Step, now: Timestamp) -> Option<(Option<News>, Step)> {
    let then = if is_half(incident, now) {
        Step::Half
    } else {
        Step::Opened
    };
    match (known, then) {
        // They believe that it is over.
        (Step::Nothing | Step::Closed, then) => Some((Some(News::Opened), then)),
        (Step::Opened, Step::Half) => Some((Some(News::Half), then)),
        (Step::Opened | Step::Half, _) => None,
    }
}

/// What was over before anybody heard of it, the log included, is no news.
fn last_news(known: Step, told: Told) -> Option<News> {
    (known != Step::Nothing || told.open.is_some()).then_some(News::Closed)
}

fn of(incident: &Incident, told: Told, now: Timestamp, is_quiet: bool) -> Option<(Option<News>, Told)> {
    if incident.is_open() {
        return of_open(incident, told, now);
    }
    if told.ended || !is_quiet {
        return None;
    }
    // What was over before anybody heard of it is no news.
    let news = told.open.map(|_| News::Closed);
    Some((news, Told { ended: true, ..told }))
}

fn of_open(incident: &Incident, told: Told, now: Timestamp) -> Option<(Option<News>, Told)> {
    let open = Some(now);
    // It may have failed again while the log said that it is over.
    let Some(last) = told.open.filter(|_| !told.ended) else {
        let half = is_half(incident, now);
        return Some((
            Some(News::Opened),
            Told {
                open,
                half,
                ended: false,
            },
        ));
    };
    if !told.half && is_half(incident, now) {
        return Some((
            Some(News::Half),
            Told {
                open,
                half: true,
                ..told
            },
        ));
    }
    let is_first_day = now.duration_since(incident.first_seen) < DAILY;
    let pace = if is_first_day { HOURLY } else { DAILY };
    // What was told at a time that is still to come was told while the clock was ahead.
    let is_recent = (SignedDuration::ZERO..pace).contains(&now.duration_since(last));
    (!is_recent).then_some((Some(News::Open), Told { open, ..told }))
}

/// Whether half of the time has passed between the first failure and the first return.
pub fn is_half(incident: &Incident, now: Timestamp) -> bool {
    incident.first_return.is_some_and(|end| {
        let whole = end.duration_since(incident.first_seen);
        now.duration_since(incident.first_seen) * 2 >= whole
    })
}

/// What the log has said of any of these. Those of which it has said that they are over do not count while others are not.
fn told(records: &[KnownIncident]) -> Told {
    let ended = records.iter().all(|one| one.told.ended);
    let mut counting = records.iter().filter(|one| ended || !one.told.ended);
    Told {
        open: counting.clone().filter_map(|one| one.told.open).max(),
        half: counting.any(|one| one.told.half),
        ended,
    }
}

/// The same of what people were told on this way.
fn step(records: &[KnownIncident], way: Way) -> Step {
    let steps = records.iter().map(|one| one.noticed.on(way));
    let unended = steps.filter(|step| *step != Step::Closed);
    unended.max().unwrap_or(Step::Closed)
}

/// Whether the end is not only a pause.
fn quiet(records: &[KnownIncident], now: Timestamp) -> bool {
    records.iter().all(|one| {
        let ended = one.ended.map_or(now, |(at, _)| at);
        one.reopened == 0 || !has_come_back_by(ended, now)
    })
}
