//! Looks at the incidents when something has changed, and every minute, and says what is new. What was said is written down
//! afterwards: what could not be said, or found no room, is said later.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mail::event::{Event, EventLog, spool as spool_event};
use mail::sighting::{Ending, Trouble};
use report::incidents::{Cause, Composed, Incident};
use spool::{IncidentNumber, KeepIncidents, Spool, SpoolError, Step, Way};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use super::board::Board;
use super::case::{Case, Name};
use super::courier::{Courier, Turn};
use super::lines::Lines;
use super::notice::{Item, NotNeeded, Notice};
use super::own::Own;
use super::said::Unwritten;
use crate::wiring::standing::{Standing, Tests};

/// How often incidents are looked at when nothing is known to have changed: half of a deadline may have passed.
const LOOK: Duration = Duration::from_mins(1);
/// What begins together is told together.
const GATHERED: Duration = Duration::from_secs(1);
/// After a look there is a rest of so many times as long.
const PAUSES: u32 = 20;
/// An incident that was not seen for so long, and for which nothing waits, is over.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// For so long the last notices are waited for when the daemon stops.
const LAST_NOTICES: Duration = Duration::from_secs(3);
/// Our resolver is tested more often than this.
const TESTED: SignedDuration = SignedDuration::from_mins(6);

/// Watches the incidents.
pub(crate) struct Watch<S> {
    board: Board<S>,
    events: Arc<dyn EventLog>,
    lines: Lines,
    courier: Arc<Courier<S>>,
    /// What the daily test has found.
    standing: Standing,
    own: Own,
    unwritten: Unwritten,
    turns: BTreeMap<Way, Turn>,
    /// Notices that are not on their way any more.
    arrivals: mpsc::UnboundedReceiver<Arrival>,
    arrived: mpsc::UnboundedSender<Arrival>,
}

/// A notice that is not on its way any more.
struct Arrival {
    way: Way,
    is_taken: bool,
    content: Content,
}

/// What a notice tells, to write it down.
#[derive(Debug, Default)]
struct Content {
    steps: Vec<(Name, Step)>,
    /// What was tested up to then.
    healed: Option<Timestamp>,
}

impl<S: Spool + KeepIncidents> Watch<S> {
    /// `file` has what was said before the start of what is ours.
    pub(crate) fn new(
        (board, standing): (Board<S>, Standing),
        courier: Courier<S>,
        events: Arc<dyn EventLog>,
        file: PathBuf,
    ) -> Self {
        let (arrived, arrivals) = mpsc::unbounded_channel();
        Self {
            board,
            lines: Lines::to(Arc::clone(&events)),
            events,
            courier: Arc::new(courier),
            standing,
            own: Own::read(file),
            unwritten: Unwritten::default(),
            turns: Way::ALL.into_iter().map(|way| (way, Turn::default())).collect(),
            arrivals,
            arrived,
        }
    }

    /// Looks until the daemon stops, and then writes down what people know.
    pub(crate) async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        tokio::select! {
            () = self.look_again_and_again() => {}
            // An error means that the sender is gone, and nobody can send the signal.
            _ = stopped.wait_for(|stop| *stop) => {}
        }
        // What is not written down in time is told again after the next start.
        let _ = timeout(LAST_NOTICES, self.write_down()).await;
    }

    /// Writes down what was handed over, and waits for what is on its way.
    pub(super) async fn write_down(&mut self) {
        let spool = Arc::clone(self.board.spool());
        loop {
            while let Ok(arrival) = self.arrivals.try_recv() {
                self.note(arrival, Timestamp::now());
            }
            if let Err(error) = self.unwritten.write(&*spool).await {
                self.complain(&error);
                return;
            }
            if !self.turns.values().any(|turn| turn.is_busy) {
                return;
            }
            if let Some(arrival) = self.arrivals.recv().await {
                self.note(arrival, Timestamp::now());
            }
        }
    }

    async fn look_again_and_again(&mut self) {
        let changed = Arc::clone(&self.board.changed);
        loop {
            let began = Instant::now();
            let looked = self.look(Timestamp::now()).await;
            let is_more = looked.unwrap_or_else(|error| {
                self.complain(&error);
                false
            });
            // A look reads all mail that is held up: it takes no more than one part in so many of the time, however often a
            // host fails and works again.
            let rest = GATHERED.max(began.elapsed().saturating_mul(PAUSES));
            if is_more {
                sleep(rest).await;
                continue;
            }
            let news = async {
                tokio::select! {
                    () = changed.notified() => None,
                    arrival = self.arrivals.recv() => arrival,
                }
            };
            // An error means that nothing has changed, and the time is over.
            if let Ok(arrival) = timeout(LOOK, news).await {
                if let Some(arrival) = arrival {
                    self.note(arrival, Timestamp::now());
                }
                sleep(rest).await;
            }
        }
    }

    fn complain(&self, error: &SpoolError) {
        let trouble = spool_event::Spool::Incidents(error.to_string());
        self.events.write(&Event::Spool(trouble));
    }

    /// Says what is new, and records that it was said. Returns whether there is more to be said.
    pub(super) async fn look(&mut self, now: Timestamp) -> Result<bool, SpoolError> {
        while let Ok(arrival) = self.arrivals.try_recv() {
            self.note(arrival, now);
        }
        let spool = Arc::clone(self.board.spool());
        let is_written = self.unwritten.write(&*spool).await;
        let composed = self.board.incidents(now).await;
        let composed = composed.unwrap_or_else(|error| {
            // Perhaps the disk is gone: what is ours is said all the same.
            self.complain(&error);
            self.board.ours(now)
        });
        let began = self.own.began(now);
        let forgotten = composed.iter().flat_map(|one| forgotten(one, (began, now)));
        let mut ended: Vec<_> = forgotten.collect();
        let (mut cases, mut ours) = (Vec::new(), Vec::new());
        for one in composed {
            if self.is_tested(&one.incident, now) {
                ended.extend(one.records.iter().map(|record| (record.number, Ending::Tested)));
            } else if one.records.is_empty() {
                ours.push(one.incident);
            } else {
                cases.push(Case::Recorded(one));
            }
        }
        if let Err(error) = is_written {
            // It would be said again and again. What is ours, perhaps just that trouble, is said all the same.
            self.complain(&error);
            cases.clear();
        }
        self.own.stand(ours, now);
        cases.extend(self.own.all().cloned().map(Case::Own));
        let written = self.lines.write(&cases, now);
        self.unwritten.told(&mut self.own, written.told);
        let tests = self.standing.tests();
        for way in Way::ALL {
            self.send(way, (&cases, &tests), now);
        }
        self.own.write();
        self.unwritten.write(&*spool).await?;
        if !ended.is_empty() {
            spool.end(ended, now).await?;
        }
        Ok(written.is_more)
    }

    /// Sends what is news on this way, if it is its turn.
    fn send(&mut self, way: Way, (cases, tests): (&[Case], &Tests), now: Timestamp) {
        let (mut items, mut content, mut silent) = (Vec::new(), Content::default(), Content::default());
        for case in cases {
            let Some((news, step)) = case.notice(way, now) else {
                continue;
            };
            let Some(news) = news else {
                silent.steps.push((case.name(), step));
                continue;
            };
            content.steps.push((case.name(), step));
            items.push(Item {
                news,
                incident: case.incident(),
            });
        }
        items.sort_by_key(Item::urgency);
        let healed = not_needed(tests, self.own.healed(way));
        content.healed = tests.tested;
        let is_ours = items.iter().any(|item| item.incident.is_ours());
        let is_news = !items.is_empty() || !healed.is_empty();
        if !is_news || !self.courier.is_wanted(way) {
            // Nobody is to be told of it. What is still open when this way is set is told then.
            let ended = content
                .steps
                .into_iter()
                .filter(|(_, step)| *step == Step::Closed);
            silent.steps.extend(ended);
            silent.healed = content.healed;
        } else if self.turn(way).take(is_ours, now) {
            let (items, healed, relay) = (&items[..], &healed[..], self.courier.relay());
            let notice = Notice { relay, items, healed };
            if let Some(parcel) = self.courier.pack(way, &notice, now) {
                self.turn(way).is_busy = true;
                let (courier, arrived) = (Arc::clone(&self.courier), self.arrived.clone());
                tokio::spawn(async move {
                    let is_taken = courier.hand_over(&parcel).await;
                    // Without a receiver the daemon stops, and tells it again at the next start.
                    let _ = arrived.send(Arrival {
                        way,
                        is_taken,
                        content,
                    });
                });
            }
        }
        self.know(way, silent);
    }

    /// A notice is not on its way any more.
    fn note(&mut self, arrival: Arrival, now: Timestamp) {
        let turn = self.turn(arrival.way);
        turn.is_busy = false;
        if arrival.is_taken {
            self.know(arrival.way, arrival.content);
            self.own.write();
        } else {
            turn.rest(now);
        }
    }

    /// People know so much on this way.
    fn know(&mut self, way: Way, content: Content) {
        if let Some(until) = content.healed {
            self.own.know_healed(way, until);
        }
        self.unwritten.noticed(&mut self.own, way, content.steps);
    }

    fn turn(&mut self, way: Way) -> &mut Turn {
        self.turns.entry(way).or_default()
    }

    /// Waits until nothing is on its way.
    #[cfg(test)]
    pub(super) async fn settle(&mut self, now: Timestamp) {
        while self.turns.values().any(|turn| turn.is_busy) {
            if let Some(arrival) = self.arrivals.recv().await {
                self.note(arrival, now);
            }
        }
    }

    /// Whether this is our resolver, and its test has shown that it works: it was just said to fail, or nothing has met that for
    /// longer than the test's interval.
    fn is_tested(&self, incident: &Incident, now: Timestamp) -> bool {
        incident.is_open()
            && incident.cause == Cause::Mail(Trouble::ResolverFails)
            && (self.own.resolver_fails()
                || (self.own.is_settled(now) && now.duration_since(incident.last_seen) >= TESTED))
    }
}

/// What the daily test has found since then, if it was complete.
fn not_needed(tests: &Tests, since: Option<Timestamp>) -> Vec<NotNeeded<'_>> {
    let Some(tested) = tests.tested else {
        return Vec::new();
    };
    // If the clock was ahead when that was written, it says nothing.
    let since = since.filter(|since| *since <= tested);
    let of = |removed| move |healed| NotNeeded { healed, removed };
    let all = tests
        .closed
        .iter()
        .map(of(true))
        .chain(tests.healed.iter().map(of(false)));
    all.filter(|one| one.healed.since <= tested && since.is_none_or(|since| since < one.healed.since))
        .collect()
}

/// The records of an incident that was not seen for long and for which nothing waits.
fn forgotten(composed: &Composed, (began, now): (Timestamp, Timestamp)) -> Vec<(IncidentNumber, Ending)> {
    let incident = &composed.incident;
    // What was seen at a time that is still to come was seen before the clock went back: when, nobody knows, but not since we
    // look.
    let last_seen = if incident.last_seen > now {
        began
    } else {
        incident.last_seen
    };
    if incident.messages > 0 || now.duration_since(last_seen) < FORGOTTEN {
        return Vec::new();
    }
    let open = composed.records.iter().filter(|record| record.ended.is_none());
    open.map(|record| (record.number, Ending::NotSeen)).collect()
}
