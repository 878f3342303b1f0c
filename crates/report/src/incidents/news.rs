//! What people are to be told of an incident now.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use spool::{KnownIncident, Told};

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

    /// Whether only the log says it: reminders are for those who read it.
    pub const fn is_reminder(self) -> bool {
        match self {
            Self::Open => true,
            Self::Opened | Self::Half | Self::Closed => false,
        }
    }
}

/// What to tell of an incident now, and what people have been told then. `None` for the news if there are none, and for all
/// of it if nothing changes.
pub fn due(composed: &Composed, now: Timestamp) -> Option<(Option<News>, Told)> {
    let told = told(&composed.records);
    of(&composed.incident, told, now, quiet(&composed.records, now))
}

/// The same for what was told of an incident that has no records.
pub fn of_own(incident: &Incident, told: Told, now: Timestamp) -> Option<(Option<News>, Told)> {
    of(incident, told, now, true)
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
    let Some(last) = told.open else {
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
    (now.duration_since(last) >= pace).then_some((Some(News::Open), Told { open, ..told }))
}

/// Whether half of the time has passed between the first failure and the first return.
fn is_half(incident: &Incident, now: Timestamp) -> bool {
    incident.first_return.is_some_and(|end| {
        let whole = end.duration_since(incident.first_seen);
        now.duration_since(incident.first_seen) * 2 >= whole
    })
}

/// What people have been told of any of these.
fn told(records: &[KnownIncident]) -> Told {
    Told {
        open: records.iter().filter_map(|one| one.told.open).max(),
        half: records.iter().any(|one| one.told.half),
        ended: records.iter().all(|one| one.told.ended),
    }
}

/// Whether the end is not only a pause.
fn quiet(records: &[KnownIncident], now: Timestamp) -> bool {
    records.iter().all(|one| {
        let ended = one.ended.map_or(now, |(at, _)| at);
        one.reopened == 0 || now.duration_since(ended) >= QUIET
    })
}
