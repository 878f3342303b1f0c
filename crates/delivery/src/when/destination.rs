//! One destination: what waits for it, what is in progress, and how it does.
//!
//! A destination that fails is suspended: one message probes it now and then, and every other whose time comes is
//! deferred at once, by its own retry schedule, without look-ups and connections, as Postfix's queue manager does it.
//! So age, warnings and attempts mean the same as ever, and the spool knows it all after a restart. A message never
//! comes before its own time to probe: `retry` is the administrator's word.
//!
//! When a probe succeeds, all that was deferred because the destination failed follows at once, the oldest first. What
//! a server deferred for itself, as greylisting does, keeps its time.

use std::sync::Arc;
use std::time::Duration;

use mail::QueueId;
use mail::cause::Limit;
use mail::event::delivery::{DestinationHeldUp, HeldUp};
use tokio::time::Instant;

use super::entry::{Entry, Id};
use super::job::{Course, Share, Shown, Suspension};
use super::overdue::Look;
use super::standing::Glimpse;
use super::summary::Summary;
use super::waiting::Waiting;
use crate::clock::{Millis, Now};
use crate::window::{AdaptiveWindow, Room};

/// Deferrals without an attempt at the same time: as many as one commit of the spool takes together.
const DEFERRALS: usize = 50;
/// How often a message may be turned away by a busy server before its retry schedule applies.
const TURNED_AWAY: u8 = 3;
/// For so long after a success a refusal is a sign of load even if no other turn is in progress: the server may still count
/// connections that we have closed. It is given a moment.
const LATELY: Duration = Duration::from_secs(10);
const MOMENT: Duration = Duration::from_secs(1);

/// One destination.
#[derive(Debug, Default)]
pub(super) struct Destination {
    /// What waits for its own time.
    waiting: Waiting,
    /// What is known beyond that, if anything is.
    standing: Option<Box<Standing>>,
}

/// How a destination does.
#[derive(Debug)]
struct Standing {
    window: AdaptiveWindow,
    /// Turns in progress.
    active: usize,
    /// Jobs whose turn has ended, and whose outcome is being written.
    settling: usize,
    /// Deferrals without an attempt in progress.
    deferring: usize,
    /// What was deferred because the destination failed.
    held_up: Waiting,
    /// What of that follows now, because the destination is back.
    rising: Waiting,
    /// Whether the window failed, and nothing has succeeded since.
    has_failed: bool,
    /// The last failure, unless something has succeeded since.
    suspension: Option<Arc<Suspension>>,
    /// Before this no further delivery may begin.
    next: Instant,
    /// How many turns there may be after one had to come again: fewer come in vain. None: as many as the window allows.
    few: Option<usize>,
    /// Whether the last one came again because too many wait at its host.
    is_crowded: bool,
    /// The last success.
    worked: Option<Instant>,
    summary: Summary,
    /// Messages that a busy server turned away, and how often.
    turned_away: Vec<(Id, u8)>,
}

/// What a destination does next.
#[derive(Debug)]
pub(super) enum Next {
    /// An attempt begins.
    Attempt(Entry),
    /// This is deferred.
    Defer(Entry, Arc<Suspension>),
    /// Something is due, but must wait until something that is in progress has ended.
    Full,
    /// Something is due, but must wait until then.
    Later(Instant),
    /// Nothing is due.
    Nothing,
}

/// When a destination has to be looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wake {
    /// At this time of the clock.
    At(Millis),
    /// After this, only to see whether it can be forgotten.
    After(Instant),
    /// When something has ended.
    Ended,
    /// Never: nothing is left of it.
    Never,
}

/// Why a part is put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    /// It waits for its own time.
    Own,
    /// The destination failed.
    HeldUp,
    /// The destination was suspended, and the part was not tried.
    NotTried,
}

impl Standing {
    fn new(now: Instant) -> Self {
        Self {
            // Its limit is set before each use.
            window: AdaptiveWindow::new(usize::MAX),
            active: 0,
            settling: 0,
            deferring: 0,
            held_up: Waiting::default(),
            rising: Waiting::default(),
            has_failed: false,
            suspension: None,
            next: now,
            few: None,
            is_crowded: false,
            worked: None,
            summary: Summary::default(),
            turned_away: Vec::new(),
        }
    }

    fn is_rising(&self) -> bool {
        !self.rising.is_empty() && !self.window.is_failing()
    }

    /// Why what is due is deferred at once, if it is.
    fn suspended(&self) -> Option<&Arc<Suspension>> {
        self.suspension.as_ref().filter(|_| self.window.is_failing())
    }

    /// An attempt failed, and the window has been told.
    fn failed(&mut self, suspension: Arc<Suspension>) {
        self.suspension = Some(suspension);
        self.has_failed |= self.window.is_failing();
    }

    /// Whether a new one would be the same.
    fn is_forgettable(&self, now: Instant) -> bool {
        self.is_idle() && !self.summary.is_due && self.remembers_until().is_none_or(|until| until <= now)
    }

    fn is_idle(&self) -> bool {
        self.active == 0
            && self.settling == 0
            && self.deferring == 0
            && self.held_up.is_empty()
            && self.rising.is_empty()
    }

    fn remembers_until(&self) -> Option<Instant> {
        self.window.remembers_until().max(Some(self.next))
    }

    /// Whether the message may go on in the next free place, although the server has turned it away.
    fn goes_on(&mut self, id: Id) -> bool {
        let Some((_, times)) = self.turned_away.iter_mut().find(|(known, _)| *known == id) else {
            self.turned_away.push((id, 1));
            return true;
        };
        *times += 1;
        *times <= TURNED_AWAY
    }
}

impl Destination {
    /// Adds an entry, unless there is an earlier one for the same message, which it replaces if it is the earlier one.
    pub(super) fn insert(&mut self, entry: Entry, put: Put, now: Now) {
        for set in self.sets() {
            match set.wake_of(entry.id) {
                Some(known) if known <= entry.wake => return,
                Some(_) => {
                    set.take(entry.id);
                }
                None => {}
            }
        }
        match put {
            Put::Own => self.waiting.insert(entry),
            Put::HeldUp => self.standing(now.awake).held_up.insert(entry),
            Put::NotTried => {
                let standing = self.standing(now.awake);
                // The destination may have come back while the deferral was written.
                if standing.has_failed {
                    standing.held_up.insert(entry);
                } else {
                    standing.rising.insert(entry);
                }
            }
        }
    }

    fn sets(&mut self) -> impl Iterator<Item = &mut Waiting> {
        let standing = self.standing.iter_mut();
        let more = standing.flat_map(|standing| [&mut standing.held_up, &mut standing.rising]);
        std::iter::once(&mut self.waiting).chain(more)
    }

    fn standing(&mut self, now: Instant) -> &mut Standing {
        self.standing.get_or_insert_with(|| Box::new(Standing::new(now)))
    }

    /// How many messages wait.
    pub(super) fn len(&self) -> usize {
        let more = self.standing.as_ref();
        self.waiting.len() + more.map_or(0, |standing| standing.held_up.len() + standing.rising.len())
    }

    /// How it does, for people to look at.
    pub(super) fn look(&self) -> Glimpse<'_> {
        let standing = self.standing.as_deref();
        let suspension = standing.and_then(Standing::suspended);
        Glimpse {
            active: self.active() as u64,
            window: standing.map(|standing| standing.window.limit() as u64),
            waiting: self.len() as u64,
            is_failing: standing.is_some_and(|standing| standing.window.is_failing()),
            reason: suspension.map(|suspension| &*suspension.failure.reason),
        }
    }

    /// How many turns are in progress.
    pub(super) fn active(&self) -> usize {
        self.standing.as_ref().map_or(0, |standing| standing.active)
    }

    fn first(&self) -> Option<Millis> {
        let more = self.standing.iter();
        let more = more.flat_map(|standing| [standing.held_up.first(), standing.rising.first()]);
        std::iter::once(self.waiting.first()).chain(more).flatten().min()
    }

    fn take_first(&mut self) -> Option<Entry> {
        let first = self.first()?;
        let set = self.sets().find(|set| set.first() == Some(first))?;
        let entry = set.take_first();
        set.shrink();
        entry
    }

    /// When it has to be looked at.
    pub(super) fn wake(&mut self, now: Now) -> Wake {
        if self
            .standing
            .as_ref()
            .is_some_and(|standing| standing.is_rising())
        {
            return Wake::At(now.clock);
        }
        if let Some(first) = self.first() {
            if self
                .standing
                .as_ref()
                .is_some_and(|standing| standing.is_forgettable(now.awake))
            {
                self.standing = None;
            }
            return Wake::At(first);
        }
        match &self.standing {
            None => Wake::Never,
            Some(standing) if !standing.is_idle() || standing.summary.is_due => Wake::Ended,
            Some(standing) => match standing.remembers_until().filter(|until| *until > now.awake) {
                Some(until) => Wake::After(until),
                None => Wake::Never,
            },
        }
    }

    /// The messages that a look finds to have waited for their turn for long. What waits for a destination that fails has no
    /// turn to wait for: it is deferred at once.
    pub(super) fn overdue(&self, look: &Look) -> impl Iterator<Item = Id> {
        let standing = self.standing.as_deref();
        let is_suspended = standing.is_some_and(|standing| standing.suspended().is_some());
        let more = standing.map(|standing| [&standing.held_up, &standing.rising]);
        let sets = std::iter::once(&self.waiting).chain(more.into_iter().flatten());
        sets.filter(move |_| !is_suspended)
            .flat_map(|set| set.overdue(look))
    }

    /// Takes out what has waited for its turn for long, if it still waits; and says what for. It counts as in progress from now
    /// on.
    pub(super) fn take_overdue(&mut self, id: Id, share: Share, now: Now) -> Option<(Entry, Limit)> {
        let is_due = |set: &Waiting| set.wake_of(id).is_some_and(|wake| wake <= now.clock);
        let set = self.sets().find(|set| is_due(set))?;
        let entry = set.take(id)?;
        set.shrink();
        let standing = self.standing(now.awake);
        standing.deferring += 1;
        let is_paced = !share.interval.is_zero() || standing.next > now.awake && !standing.is_crowded;
        Some((entry, if is_paced { Limit::Pace } else { Limit::Connections }))
    }

    /// What it does next; an attempt or a deferral counts as in progress from now on.
    pub(super) fn next(&mut self, share: Share, now: Now) -> Next {
        let is_due = self.first().is_some_and(|first| first <= now.clock);
        let standing = self.standing(now.awake);
        let most = share.connections.max(1);
        standing.window.resize(most);
        let is_rising = standing.is_rising();
        if !is_due && !is_rising {
            return Next::Nothing;
        }
        match standing.window.room(standing.active, now.awake) {
            Room::Now => {}
            Room::WhenOneEnds => return self.deferred().unwrap_or(Next::Full),
            Room::From(probe) => return self.deferred().unwrap_or(Next::Later(probe)),
        }
        // What was sent and not recorded would be sent again after a crash.
        if standing.active + standing.settling >= most {
            return Next::Full;
        }
        if standing.next > now.awake {
            standing.summary.is_paced |= !standing.is_crowded;
            return Next::Later(standing.next);
        }
        if standing.few.is_some_and(|few| standing.active >= few) {
            return Next::Full;
        }
        let entry = if is_rising {
            let entry = standing.rising.take_oldest();
            standing.rising.shrink();
            entry
        } else {
            self.take_first()
        };
        let Some(entry) = entry else {
            return Next::Nothing;
        };
        let standing = self.standing(now.awake);
        standing.active += 1;
        standing.next = now.awake + share.interval;
        Next::Attempt(entry)
    }

    /// What is due has no place: while the destination fails it is deferred, as many at a time as the spool takes together.
    fn deferred(&mut self) -> Option<Next> {
        let standing = self.standing.as_mut()?;
        let suspension = Arc::clone(standing.suspended()?);
        if standing.deferring >= DEFERRALS {
            return Some(Next::Full);
        }
        let Some(entry) = self.take_first() else {
            return Some(Next::Nothing);
        };
        let standing = self.standing.as_mut()?;
        standing.deferring += 1;
        standing.summary.not_tried += 1;
        Some(Next::Defer(entry, suspension))
    }

    /// A turn has ended.
    pub(super) fn turn_ended(&mut self, id: QueueId, shown: Shown, now: Now) -> (Course, Put) {
        let standing = self.standing(now.awake);
        let in_use = standing.active;
        standing.active = in_use.saturating_sub(1);
        let id = id.to_bytes();
        let mut ended = (Course::Settle, Put::HeldUp);
        standing.is_crowded = matches!(shown, Shown::Crowded(_));
        match shown {
            // Other mail failed for what does not concern this message.
            Shown::WorksWaived if standing.suspension.as_ref().is_some_and(|one| one.is_of_tls()) => {
                ended.1 = Put::Own;
            }
            Shown::Works | Shown::WorksWaived => {
                let more = standing.few.map(|few| few.saturating_add(1));
                standing.few = more.filter(|few| *few < standing.window.limit());
                standing.window.succeeded(in_use, now.awake);
                standing.worked = Some(now.awake);
                standing.suspension = None;
                if std::mem::take(&mut standing.has_failed) {
                    let held_up = std::mem::take(&mut standing.held_up);
                    standing.rising.append(held_up);
                }
                ended.1 = Put::Own;
            }
            Shown::Nothing => ended.1 = Put::Own,
            Shown::Early(at) | Shown::Crowded(at) => {
                standing.few = Some(1);
                standing.next = standing.next.max(at);
                return (Course::Again, Put::Own);
            }
            Shown::Busy(suspension) => {
                standing.window.busy(in_use, now.awake);
                standing.summary.refused += 1;
                standing.failed(suspension);
                let lately = standing.worked.is_some_and(|worked| now.awake - worked < LATELY);
                let may_take_it = !standing.window.is_failing() && (in_use > 1 || lately);
                if may_take_it && standing.goes_on(id) {
                    if in_use <= 1 {
                        standing.next = now.awake + MOMENT;
                    }
                    return (Course::Again, Put::Own);
                }
            }
            Shown::Down(suspension) => {
                standing.window.failed(now.awake);
                standing.failed(suspension);
            }
        }
        standing.settling += 1;
        standing.turned_away.retain(|(known, _)| *known != id);
        ended
    }

    /// A turn has ended without an attempt.
    pub(super) fn turn_lost(&mut self, id: QueueId) {
        if let Some(standing) = &mut self.standing {
            standing.active = standing.active.saturating_sub(1);
            standing.turned_away.retain(|(known, _)| *known != id.to_bytes());
        }
    }

    /// An outcome has been written.
    pub(super) fn settled(&mut self) {
        if let Some(standing) = &mut self.standing {
            standing.settling = standing.settling.saturating_sub(1);
        }
    }

    /// A deferral without an attempt has ended.
    pub(super) fn deferral_ended(&mut self) {
        if let Some(standing) = &mut self.standing {
            standing.deferring = standing.deferring.saturating_sub(1);
        }
    }

    /// Forgets that it fails or is busy.
    pub(super) fn reset(&mut self) {
        if let Some(standing) = &mut self.standing {
            standing.window.reset();
        }
    }

    /// If it fails, the next message whose time comes probes it; if it waits for the moment of the next delivery, that is
    /// now: there may be another policy.
    pub(super) fn probe_at(&mut self, now: Instant) {
        if let Some(standing) = &mut self.standing {
            standing.window.probe_at(now);
            standing.next = standing.next.min(now);
        }
    }

    /// Whether a summary becomes due from now on.
    pub(super) fn begins_summary(&mut self) -> bool {
        self.standing
            .as_mut()
            .is_some_and(|standing| standing.summary.begins())
    }

    /// The summary since the last one; none if messages only had to wait for their moment, and none waits any more.
    pub(super) fn summary(&mut self, next_hop: String) -> Option<DestinationHeldUp> {
        let waiting = self.len() as u64;
        let standing = self.standing.as_mut()?;
        let held_up = std::mem::take(&mut standing.summary).told(next_hop, waiting)?;
        let reason = standing.suspended();
        Some(DestinationHeldUp {
            how: if standing.window.is_failing() {
                HeldUp::Failing
            } else {
                held_up.how
            },
            limit: standing.window.limit() as u64,
            reason: reason.map(|suspension| suspension.failure.reason.to_string()),
            ..held_up
        })
    }

    /// Moves up what is further ahead than `plausible` allows; returns how many there were.
    pub(super) fn pull_in(&mut self, plausible: impl Fn(Millis) -> Millis) -> u64 {
        let mut pulled = 0;
        for set in self.sets() {
            while let Some(last) = set.last() {
                let wake = plausible(last.wake);
                if wake == last.wake {
                    break;
                }
                set.take(last.id);
                set.insert(Entry { wake, ..last });
                pulled += 1;
            }
        }
        pulled
    }
}
