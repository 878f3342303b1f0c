//! Looks at the incidents when something has changed, and every minute, and says what is new.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mail::event::incident::Incident as IncidentEvent;
use mail::event::{Event, EventLog, spool as spool_event};
use mail::sighting::{Ending, Trouble};
use report::incidents::news::{self, News};
use report::incidents::{Cause, Composed, Incident, OwnTrouble, Status};
use spool::{IncidentNumber, KeepIncidents, Spool, Told};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::board::Board;
use super::courier::Couriers;
use super::notice::{self, Item};

/// How often incidents are looked at when nothing is known to have changed: half of a deadline may have passed.
const LOOK: Duration = Duration::from_mins(1);
/// What begins together is told together.
const GATHERED: Duration = Duration::from_secs(1);
/// After a look there is a rest of so many times as long.
const PAUSES: u32 = 20;
/// An incident that was not seen for so long, and for which nothing waits, is over.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Our resolver is tested more often than this.
const TESTED: SignedDuration = SignedDuration::from_mins(6);

/// Watches the incidents.
pub(crate) struct Watch<S> {
    pub(crate) board: Board<S>,
    pub(crate) teller: Teller<S>,
    /// What was told of what is ours and has no record, by its id.
    own: HashMap<String, (Told, Incident)>,
}

/// Who is told.
pub(crate) struct Teller<S> {
    pub(crate) events: Arc<dyn EventLog>,
    /// Commands and webhooks.
    pub(crate) couriers: Arc<Couriers>,
    /// Puts our own mail into the queue.
    pub(crate) post: Post<S>,
}

/// Puts our own mail into the queue, if somebody is to get any.
pub(crate) struct Post<S> {
    pub(crate) spool: Arc<S>,
    /// Is told of the mail.
    pub(crate) accepted: Box<dyn Fn(spool::Accepted) + Send + Sync>,
    /// Our name.
    pub(crate) relay: String,
}

impl<S: Spool + KeepIncidents> Watch<S> {
    /// Nothing has been told yet of what is ours.
    pub(crate) fn new(board: Board<S>, teller: Teller<S>) -> Self {
        Self {
            board,
            teller,
            own: HashMap::new(),
        }
    }

    /// Looks until the daemon stops.
    pub(crate) async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        tokio::select! {
            () = self.look_again_and_again() => {}
            // An error means that the sender is gone, and nobody can send the signal.
            _ = stopped.wait_for(|stop| *stop) => {}
        }
    }

    async fn look_again_and_again(&mut self) {
        let changed = Arc::clone(&self.board.changed);
        loop {
            let began = Instant::now();
            if let Err(error) = self.look(Timestamp::now()).await {
                let trouble = spool_event::Spool::Incidents(error.to_string());
                self.teller.events.write(&Event::Spool(trouble));
            }
            // A look reads all mail that is held up: it takes no more than one part in so many of the time, however often a
            // host fails and works again.
            let rest = GATHERED.max(began.elapsed().saturating_mul(PAUSES));
            // An error means that nothing has changed, and the time is over.
            if timeout(LOOK, changed.notified()).await.is_ok() {
                sleep(rest).await;
            }
        }
    }

    /// Says what is new, and records that it was said.
    pub(super) async fn look(&mut self, now: Timestamp) -> Result<(), spool::SpoolError> {
        let composed = self.board.incidents(now).await?;
        let mut ended: Vec<_> = composed.iter().flat_map(|one| forgotten(one, now)).collect();
        let (mut items, mut told) = (Vec::new(), Vec::new());
        for one in composed {
            if self.is_tested(&one.incident, now) {
                ended.extend(one.records.iter().map(|record| (record.number, Ending::Tested)));
                continue;
            }
            if one.records.is_empty() {
                items.extend(self.look_at_own(one.incident, now));
                continue;
            }
            let Some((news, then)) = news::due(&one, now) else {
                continue;
            };
            told.extend(one.records.iter().map(|record| (record.number, then)));
            items.extend(news.map(|news| Item {
                news,
                incident: one.incident,
            }));
        }
        items.extend(self.own_that_ended(now));
        self.teller.tell(items, now).await;
        let spool = self.board.spool();
        if !told.is_empty() {
            spool.told(told).await?;
        }
        if !ended.is_empty() {
            spool.end(ended, now).await?;
        }
        Ok(())
    }

    /// Whether this is our resolver, and its test has shown that it works: it was just said to fail, or nothing has met that for
    /// longer than the test's interval.
    fn is_tested(&self, incident: &Incident, now: Timestamp) -> bool {
        let resolver = |incident: &Incident| incident.cause == Cause::Own(OwnTrouble::Resolver);
        incident.is_open()
            && incident.cause == Cause::Mail(Trouble::ResolverFails)
            && (self.own.values().any(|(_, own)| resolver(own))
                || now.duration_since(incident.last_seen) >= TESTED)
    }

    fn look_at_own(&mut self, incident: Incident, now: Timestamp) -> Option<Item> {
        let told = self
            .own
            .get(&incident.id)
            .map_or_else(Told::default, |(told, _)| *told);
        let due = news::of_own(&incident, told, now);
        let (news, then) = due.unwrap_or((None, told));
        self.own.insert(
            incident.id.clone(),
            (
                then,
                Incident {
                    last_seen: now,
                    ..incident.clone()
                },
            ),
        );
        news.map(|news| Item { news, incident })
    }

    /// What is ours and was there when it was last looked at, but is not there now.
    fn own_that_ended(&mut self, now: Timestamp) -> Vec<Item> {
        let ended = self.own.extract_if(|_, (_, incident)| incident.last_seen < now);
        ended
            .map(|(_, (_, incident))| Item {
                news: News::Closed,
                incident: Incident {
                    status: Status::Ended,
                    ended: Some(now),
                    ending: Some(Ending::Verified),
                    ..incident
                },
            })
            .collect()
    }
}

/// The records of an incident that was not seen for long and for which nothing waits.
fn forgotten(composed: &Composed, now: Timestamp) -> Vec<(IncidentNumber, Ending)> {
    let incident = &composed.incident;
    if incident.messages > 0 || now.duration_since(incident.last_seen) < FORGOTTEN {
        return Vec::new();
    }
    let open = composed.records.iter().filter(|record| record.ended.is_none());
    open.map(|record| (record.number, Ending::NotSeen)).collect()
}

impl<S: Spool> Teller<S> {
    /// Writes it to the log, and tells all but reminders to those who want to know.
    async fn tell(&self, mut items: Vec<Item>, now: Timestamp) {
        for item in &items {
            self.events.write(&event(item));
        }
        items.retain(|item| !item.news.is_reminder());
        if items.is_empty() {
            return;
        }
        self.couriers.send(&self.post.relay, &items);
        if let Some(to) = self.couriers.mail_to()
            && let Err(error) = self
                .post
                .mail(&notice::mail(&items, (&to, &self.post.relay), now))
                .await
        {
            self.events
                .write(&courier_event("incidents.mail", &error.to_string()));
        }
    }
}

fn courier_event(key: &'static str, error: &str) -> Event {
    Event::NotTold(mail::event::incident::NotTold {
        key,
        error: error.to_owned(),
        again: false,
    })
}

impl<S: Spool> Post<S> {
    async fn mail(&self, mail: &notice::Mail) -> Result<(), spool::SpoolError> {
        let mut incoming = self.spool.create()?;
        incoming.append(&mail.content).await?;
        let accepted = self.spool.commit(incoming, mail.message.clone()).await?;
        (self.accepted)(accepted);
        Ok(())
    }
}

fn event(item: &Item) -> Event {
    let incident = &item.incident;
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
        status: item.news.as_str(),
        kind: incident.kind.as_str(),
        name: incident.name.clone(),
        cause: incident.cause.as_str(),
        since: incident.first_seen,
        ending: incident.ending.map(Ending::as_str),
        domains: incident.domains,
        messages: incident.messages,
        oldest: incident.oldest,
        first_return: incident.first_return,
        likely: incident.finding.likely.as_str(),
        reason,
    }))
}
