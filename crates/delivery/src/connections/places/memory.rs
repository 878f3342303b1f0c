//! What is remembered about the paths to receiving servers: that they work, that nobody answers there, and how many
//! connections they take. What is known is forgotten when it is old, on success, and at the administrator's command; the memory is
//! bounded.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mail::{Domain, NextHop};
use tokio::time::Instant;

use super::path::Path;
use super::wish::Wish;
use crate::failure::SessionFailure;
use crate::forget::Names;
use crate::window::AdaptiveWindow;

/// A path on which a session was set up is known to work for so long.
const KNOWN: Duration = Duration::from_hours(1);
/// A server that does not answer is left alone for so long; doubled after each try up to the second figure.
const DEAD: Duration = Duration::from_mins(10);
const DEAD_MOST: Duration = Duration::from_hours(1);
/// One that refused so many connections in a row, each of them the only one on its path, is left alone too: for so long at first.
const REFUSALS: u32 = 5;
const REFUSED: Duration = Duration::from_mins(1);
/// For so long one that was slower than at another address of its host is tried after the others.
const DOUBT: Duration = Duration::from_mins(10);
/// Paths that are remembered, at about 1 KB, and 5 KB if all names are as long as names can be. Beyond them what is
/// oldest is forgotten.
const PATHS: usize = 20_000;
/// How many hosts and next hops are remembered of each path, so that it is found by their names.
const NAMES: usize = 8;

/// The limits of the configuration are applied to what a window allows, not to the window: they differ by message.
const MOST: usize = 100_000;

/// What is known about all paths.
#[derive(Debug, Default)]
pub(super) struct Memory(HashMap<Path, Known>);

/// What is known about one.
#[derive(Debug)]
struct Known {
    /// When a session was last set up there.
    greeted: Option<Instant>,
    dead: Option<Dead>,
    /// How often in a row it refused the only connection to it.
    refusals: u32,
    /// Until when it is tried after the others of its host.
    doubted: Option<Instant>,
    window: AdaptiveWindow,
    /// The last hosts that it led to.
    hosts: Vec<Domain>,
    /// The last next hops whose mail took it.
    next_hops: Vec<Arc<NextHop>>,
    /// When something was last learned.
    learned: Instant,
}

/// A server that does not answer, or refuses every connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dead {
    /// What happened there.
    pub(crate) failure: SessionFailure,
    /// When it happened.
    pub(crate) at: Instant,
    /// When it is tried again.
    pub(crate) until: Instant,
    wait: Duration,
}

impl Dead {
    fn new(failure: SessionFailure, wait: Duration, now: Instant) -> Self {
        Self {
            failure,
            at: now,
            until: now + wait,
            wait,
        }
    }
}

impl Memory {
    /// How many connections there may be on it, at most `most`.
    pub(super) fn limit(&self, path: Path, most: usize) -> usize {
        match self.0.get(&path) {
            Some(known) => known.window.limit().min(most),
            None => AdaptiveWindow::new(most).limit(),
        }
    }

    /// Whether a session was set up there lately.
    pub(super) fn is_known(&self, path: Path, now: Instant) -> bool {
        let greeted = self.0.get(&path).and_then(|known| known.greeted);
        greeted.is_some_and(|at| now.duration_since(at) < KNOWN)
    }

    /// Why it is not connected to now; `is_tried` if the one that may try it is doing so.
    pub(super) fn dead(&self, path: Path, is_tried: bool, now: Instant) -> Option<&Dead> {
        let dead = self.0.get(&path)?.dead.as_ref()?;
        (is_tried || now < dead.until).then_some(dead)
    }

    /// A session was set up there.
    pub(super) fn greeted(&mut self, path: Path, now: Instant) {
        let known = self.entry(path, now);
        known.greeted = Some(now);
        known.dead = None;
        known.doubted = None;
    }

    /// Another address of the host was connected to sooner.
    pub(super) fn doubt(&mut self, path: Path, now: Instant) {
        let known = self.entry(path, now);
        known.greeted = None;
        known.doubted = Some(now + DOUBT);
    }

    /// Whether that has happened lately.
    pub(super) fn is_doubted(&self, path: Path, now: Instant) -> bool {
        let until = self.0.get(&path).and_then(|known| known.doubted);
        until.is_some_and(|until| now < until)
    }

    /// It does not answer.
    pub(super) fn unanswered(&mut self, path: Path, failure: SessionFailure, now: Instant) {
        let known = self.entry(path, now);
        known.greeted = None;
        let wait = match &known.dead {
            None => DEAD,
            Some(dead) if now < dead.until => return,
            Some(dead) => dead.wait.saturating_mul(2).clamp(DEAD, DEAD_MOST),
        };
        known.dead = Some(Dead::new(failure, wait, now));
    }

    /// It refused the only connection to it. Whatever domains it serves, their mail need not find that out one by one.
    pub(super) fn refused(&mut self, path: Path, failure: SessionFailure, now: Instant) {
        let known = self.entry(path, now);
        if known.dead.as_ref().is_some_and(|dead| now < dead.until) {
            return;
        }
        known.refusals = known.refusals.saturating_add(1);
        if let Some(more) = known.refusals.checked_sub(REFUSALS) {
            let wait = REFUSED.saturating_mul(2_u32.saturating_pow(more)).min(DEAD_MOST);
            known.dead = Some(Dead::new(failure, wait, now));
        }
    }

    /// It has let a session be opened.
    pub(super) fn opened(&mut self, path: Path) {
        if let Some(known) = self.0.get_mut(&path) {
            known.refusals = 0;
        }
    }

    /// A message was sent to it, with so many connections open.
    pub(super) fn succeeded(&mut self, path: Path, open: usize, now: Instant) {
        self.entry(path, now).window.succeeded(open, now);
    }

    /// It refused one more connection than it had.
    pub(super) fn busy(&mut self, path: Path, open: usize, now: Instant) {
        self.entry(path, now).window.busy(open, now);
    }

    /// A connection is wanted for this wish.
    pub(super) fn named(&mut self, wish: &Wish, now: Instant) {
        let known = self.entry(wish.path, now);
        if let Some(host) = &wish.host {
            remember(&mut known.hosts, host);
        }
        if let Some(destination) = &wish.destination {
            remember(&mut known.next_hops, &destination.next_hop);
        }
    }

    /// Forgets the paths to these hosts and next hops, and says where they led.
    pub(super) fn forget_named(&mut self, names: &Names) -> Vec<SocketAddr> {
        let is_named = |path: Path, known: &Known| {
            let mut next_hops = known.next_hops.iter();
            names.have_address(path.address())
                || known.hosts.iter().any(|host| names.have(host))
                || next_hops.any(|next_hop| names.have_next_hop(next_hop))
        };
        let forgotten = self.0.extract_if(|path, known| is_named(*path, known));
        forgotten.map(|(path, _)| path.socket).collect()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    fn entry(&mut self, path: Path, now: Instant) -> &mut Known {
        if self.0.len() >= PATHS && !self.0.contains_key(&path) {
            self.forget_the_oldest();
        }
        let known = self.0.entry(path).or_insert_with(|| Known {
            greeted: None,
            dead: None,
            refusals: 0,
            doubted: None,
            window: AdaptiveWindow::new(MOST),
            hosts: Vec::new(),
            next_hops: Vec::new(),
            learned: now,
        });
        known.learned = now;
        known
    }

    /// The older half.
    fn forget_the_oldest(&mut self) {
        let mut times: Vec<Instant> = self.0.values().map(|known| known.learned).collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let median = *median;
        self.0.retain(|_, known| known.learned > median);
    }
}

/// Adds one, unless it is there; the oldest gives way.
fn remember<T: Clone + PartialEq>(last: &mut Vec<T>, one: &T) {
    if last.contains(one) {
        return;
    }
    if last.len() >= NAMES {
        last.remove(0);
    }
    last.push(one.clone());
}
