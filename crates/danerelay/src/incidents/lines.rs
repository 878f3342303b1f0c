//! What the log says of incidents, and how much of it at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mail::Domain;
use mail::event::incident::{Incident as IncidentEvent, IncidentState};
use mail::event::{Event, EventLog};
use report::incidents::news::News;
use spool::Told;

use super::case::{Case, Name};
use super::notice::Item;
use crate::rate_limit::{Bucket, RateLimit};

/// For all that fails below one registrable domain, and for what is ours.
const HOLDER: RateLimit = RateLimit::new(10, Duration::from_secs(1));
/// For all of those together.
const ALL: RateLimit = RateLimit::new(200, Duration::from_millis(50));

/// Writes incidents to the log. What finds no room is not left out, but written later.
pub(super) struct Lines {
    events: Arc<dyn EventLog>,
    /// Of each registrable domain; `None` for what is ours.
    holders: HashMap<Option<Domain>, Bucket<Timestamp>>,
    all: Bucket<Timestamp>,
}

/// What was written.
pub(super) struct Written {
    pub(super) told: Vec<(Name, Told)>,
    /// Whether something has to be written later.
    pub(super) is_more: bool,
}

impl Lines {
    pub(super) fn to(events: Arc<dyn EventLog>) -> Self {
        Self {
            events,
            holders: HashMap::new(),
            all: Bucket::default(),
        }
    }

    /// Writes what is due, what is most urgent first, as far as there is room.
    pub(super) fn write(&mut self, cases: &[Case], now: Timestamp) -> Written {
        self.holders.retain(|_, bucket| !bucket.is_full(now));
        let (mut told, mut lines) = (Vec::new(), Vec::new());
        for case in cases {
            let Some((news, then)) = case.due(now) else {
                continue;
            };
            match news {
                Some(news) => {
                    let incident = case.incident();
                    lines.push((Item { news, incident }, case, then));
                }
                None => told.push((case.name(), then)),
            }
        }
        lines.sort_by_key(|(item, ..)| item.urgency());
        let mut is_more = false;
        for (item, case, then) in lines {
            if self.has_room(case.holder(), now) {
                self.events.write(&event(&item));
                told.push((case.name(), then));
            } else {
                is_more = true;
            }
        }
        Written { told, is_more }
    }

    fn has_room(&mut self, holder: Option<Domain>, now: Timestamp) -> bool {
        let is_ours = holder.is_none();
        let bucket = self.holders.entry(holder).or_default();
        let is_left = bucket.is_left(HOLDER, now) && (is_ours || self.all.is_left(ALL, now));
        if is_left {
            bucket.take(HOLDER, now);
            if !is_ours {
                self.all.take(ALL, now);
            }
        }
        is_left
    }
}

fn event(item: &Item<'_>) -> Event {
    let incident = item.incident;
    let mut reason = incident.summary.clone();
    for change in incident
        .finding
        .changes
        .iter()
        .filter(|change| !change.is_empty())
    {
        reason.push_str("; ");
        reason.push_str(change);
    }
    Event::Incident(Box::new(IncidentEvent {
        id: incident.id.clone(),
        state: match item.news {
            News::Opened => IncidentState::Opened,
            News::Open => IncidentState::Open,
            News::Half => IncidentState::Half,
            News::Closed => IncidentState::Closed(incident.ending),
        },
        kind: incident.kind,
        name: incident.name.clone(),
        cause: incident.cause,
        since: incident.first_seen,
        domains: incident.domains,
        messages: incident.messages,
        oldest: incident.oldest,
        first_return: incident.first_return,
        likely: incident.finding.likely,
        reason,
    }))
}
