//! Who has a place, who waits for one, and which sessions are kept: one state, changed one step at a time.
//!
//! No step waits for anything, and none touches a socket: sessions that must be closed are returned to the caller.
//!
//! `turns`: who gets the next place; `counts`: what connections count as.

mod counts;
mod turns;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use mail::{Cause, NextHop};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::super::key::ReuseKey;
use super::host::{Grant, Host, Idle, NotHere, Waiting};
use super::memory::Memory;
use super::path::Path;
use super::strangers::Strangers;
use super::wish::{Part, Seat, Wish};
use crate::config::Windows;
use crate::failure::SessionFailure;
use crate::forget::Names;

/// So many may wait at one host in any case, beyond twice as many as it is given connections.
const CROWD: usize = 10;

/// Places and kept sessions.
#[derive(Debug)]
pub(super) struct State<S> {
    limits: Windows,
    /// Connections that are open, without those that are being closed.
    open: usize,
    /// What goes on at each host, by the path to it.
    hosts: BTreeMap<Path, Host<S>>,
    /// Open connections by destination.
    destinations: HashMap<Arc<NextHop>, usize>,
    /// Hosts at which somebody waits and may have a turn.
    turns: VecDeque<Path>,
    /// Hosts whose turn has to wait until fewer strangers are connected to.
    parked: Vec<Path>,
    strangers: Strangers,
    memory: Memory,
    /// Those that have a place at their host and gave the other one back.
    returning: VecDeque<Waiting<S>>,
    /// All kept sessions, the oldest first.
    idle: BTreeMap<u64, Idle<S>>,
    last_number: u64,
    /// Whether somebody watches the age of kept sessions.
    is_watched: bool,
}

/// Sessions to be closed by the caller, after it has released the state. They are counted as being closed.
pub(super) type ToClose<S> = Vec<S>;

impl<S> State<S> {
    pub(super) fn new(limits: Windows) -> Self {
        Self {
            limits,
            open: 0,
            hosts: BTreeMap::new(),
            destinations: HashMap::new(),
            turns: VecDeque::new(),
            parked: Vec::new(),
            strangers: Strangers::default(),
            memory: Memory::default(),
            returning: VecDeque::new(),
            idle: BTreeMap::new(),
            last_number: 0,
            is_watched: false,
        }
    }

    /// Connections that are open, without those that are being closed.
    pub(super) fn open_ones(&self) -> usize {
        self.open
    }

    /// A kept session for `wish`, if there is one: the one that was used last, so that those not needed grow old.
    pub(super) fn take(&mut self, wish: &Wish) -> Option<S> {
        let key = wish.key.as_ref()?;
        let host = self.hosts.get(&wish.path)?;
        let serves = |number: &&u64| self.idle.get(number).is_some_and(|idle| idle.key.serves(key));
        let number = *host.idle.iter().rev().find(serves)?;
        let idle = self.forget_idle(number)?;
        self.count_out(idle.seat.next_hop.as_ref());
        self.count_in(wish);
        Some(idle.session)
    }

    /// Waits for whichever comes first: a kept session, or a place for a new one. The number is for [`State::cancel`].
    pub(super) fn wait(&mut self, wish: Wish, grant: oneshot::Sender<Grant<S>>) -> (u64, ToClose<S>) {
        let (number, path) = (self.number(), wish.path);
        self.memory.named(&wish, Instant::now());
        let crowd = self.crowd(&wish);
        let host = self.hosts.entry(path).or_default();
        if wish.comes_again && host.waiting.len() >= crowd {
            // Nobody receives it: nobody needs it.
            let _ = grant.send(Grant::NotHere(NotHere::Crowded));
            return (number, Vec::new());
        }
        host.waiting.push_back(Waiting { number, wish, grant });
        self.offer_turn(path);
        (number, self.serve())
    }

    /// How many may wait at one host: enough to keep it busy, and not everybody who may run.
    fn crowd(&self, wish: &Wish) -> usize {
        let limit = self.memory.limit(wish.path, wish.most(self.limits.per_host));
        let share = self.limits.connections / 10;
        limit.saturating_mul(2).max(share).max(CROWD)
    }

    /// Waits for the place among all connections again, after [`State::step_back`].
    pub(super) fn wait_again(&mut self, wish: Wish, grant: oneshot::Sender<Grant<S>>) -> (u64, ToClose<S>) {
        let number = self.number();
        self.returning.push_back(Waiting { number, wish, grant });
        (number, self.serve())
    }

    /// Nobody waits any more. False if the wish has been granted: then the grant is to be given back.
    pub(super) fn cancel(&mut self, number: u64, path: Path) -> bool {
        let returning = self.returning.len();
        self.returning.retain(|waiting| waiting.number != number);
        if self.returning.len() < returning {
            return true;
        }
        let Some(host) = self.hosts.get_mut(&path) else {
            return false;
        };
        let before = host.waiting.len();
        host.waiting.retain(|waiting| waiting.number != number);
        let found = host.waiting.len() < before;
        self.forget_host_if_unused(path);
        found
    }

    /// A message was sent over a connection.
    pub(super) fn succeeded(&mut self, seat: &Seat, now: Instant) {
        let open = self.hosts.get(&seat.path).map_or(0, |host| host.open);
        self.memory.succeeded(seat.path, open, now);
    }

    /// A session is not in use: somebody who waits gets it, or it is kept, or closed if others need its place.
    pub(super) fn put(&mut self, mut session: S, key: ReuseKey, seat: Seat, now: Instant) -> ToClose<S> {
        while let Some(waiting) = self.first_served(&key, seat.path) {
            match waiting.grant.send(Grant::Kept(session)) {
                Ok(()) => {
                    self.count_out(seat.next_hop.as_ref());
                    self.count_in(&waiting.wish);
                    return Vec::new();
                }
                Err(Grant::Kept(back)) => session = back,
                Err(Grant::Place(_) | Grant::Dead(_) | Grant::NotHere(_)) => return Vec::new(),
            }
        }
        let (number, path) = (self.number(), seat.path);
        let idle = Idle {
            session,
            key,
            seat,
            since: now,
        };
        self.idle.insert(number, idle);
        self.hosts.entry(path).or_default().idle.push(number);
        self.offer_turns(path.address());
        self.serve()
    }

    /// Takes the first wish that a session on these terms fulfils out of those that wait.
    fn first_served(&mut self, key: &ReuseKey, path: Path) -> Option<Waiting<S>> {
        let host = self.hosts.get_mut(&path)?;
        let serves =
            |waiting: &Waiting<S>| waiting.wish.key.as_ref().is_some_and(|wanted| key.serves(wanted));
        let position = host.waiting.iter().position(serves)?;
        host.waiting.remove(position)
    }

    /// A part of a connection's places was given back.
    pub(super) fn leave(&mut self, seat: &Seat, part: Part) -> ToClose<S> {
        self.end_setup(seat);
        match part {
            Part::All => {
                self.leave_all(seat);
                self.leave_host(seat.path);
            }
            Part::BeingClosed => {
                self.leave_all(seat);
                self.closing(seat.path);
            }
            Part::Closed => {
                if let Some(host) = self.hosts.get_mut(&seat.path) {
                    host.closing = host.closing.saturating_sub(1);
                }
                self.leave_host(seat.path);
            }
            Part::SteppedBack => self.leave_all(seat),
            Part::GivenUp => self.leave_host(seat.path),
        }
        self.serve()
    }

    /// The session of a connection is set up, or its server has said why not.
    pub(super) fn greeted(&mut self, seat: &Seat, now: Instant) -> ToClose<S> {
        self.end_setup(seat);
        self.memory.greeted(seat.path, now);
        self.offer_turn(seat.path);
        self.serve()
    }

    /// The server of a connection has let a session be opened.
    pub(super) fn opened(&mut self, seat: &Seat) {
        self.memory.opened(seat.path);
    }

    /// The server of a connection does not answer: nobody waits for it any longer.
    pub(super) fn unanswered(&mut self, seat: &Seat, failure: SessionFailure, now: Instant) {
        self.memory.unanswered(seat.path, failure, now);
    }

    /// Another address of the host was connected to sooner: whoever waits at this one and has another goes on there.
    pub(super) fn doubt(&mut self, path: Path, now: Instant) {
        self.memory.doubt(path, now);
        if let Some(host) = self.hosts.get_mut(&path) {
            let waiting = std::mem::take(&mut host.waiting);
            let (go_on, stay) = waiting.into_iter().partition(|one| one.wish.has_others);
            host.waiting = stay;
            for one in go_on {
                let _ = one.grant.send(Grant::NotHere(NotHere::Elsewhere));
            }
        }
    }

    /// Whether that has happened lately.
    pub(super) fn is_doubted(&self, path: Path, now: Instant) -> bool {
        self.memory.is_doubted(path, now)
    }

    /// The server of a connection says that it has enough of them. False if it has no other: then it is down.
    pub(super) fn refused(&mut self, seat: &Seat, failure: &SessionFailure, now: Instant) -> bool {
        let open = self.hosts.get(&seat.path).map_or(0, |host| host.open);
        if open > 1 {
            self.memory.busy(seat.path, open, now);
        } else if !matches!(failure.cause, Cause::Tls(_)) {
            // What it says to STARTTLS is not for those who need no TLS.
            self.memory.refused(seat.path, failure.clone(), now);
        }
        open > 1
    }

    /// Forgets what was learned about servers.
    pub(super) fn forget(&mut self) {
        self.memory.clear();
    }

    /// The same for those of these hosts and next hops, whose kept sessions are closed.
    pub(super) fn forget_named(&mut self, names: &Names) -> (Vec<SocketAddr>, ToClose<S>) {
        let is_named = |idle: &Idle<S>| {
            let next_hop = idle.seat.next_hop.as_deref();
            names.have_address(idle.seat.path.address())
                || idle.key.host().is_some_and(|host| names.have(host))
                || next_hop.is_some_and(|next_hop| names.have_next_hop(next_hop))
        };
        let idle = self.idle.iter().filter(|(_, idle)| is_named(idle));
        let numbers: Vec<u64> = idle.map(|(number, _)| *number).collect();
        let to_close = numbers.into_iter().filter_map(|one| self.close_idle(one));
        let to_close = to_close.collect();
        (self.memory.forget_named(names), to_close)
    }

    pub(super) fn resize(&mut self, limits: Windows) -> ToClose<S> {
        self.limits = limits;
        self.turns.extend(self.parked.drain(..));
        let waiting = self.hosts.iter().filter(|(_, host)| !host.waiting.is_empty());
        let waiting: Vec<Path> = waiting.map(|(path, _)| *path).collect();
        for path in waiting {
            self.offer_turn(path);
        }
        self.serve()
    }

    /// The kept sessions that nobody has used since `then`; and when the next one will have waited as long.
    pub(super) fn idle_since(&mut self, then: Instant) -> (ToClose<S>, Option<Instant>) {
        let mut old = Vec::new();
        while let Some((number, idle)) = self.idle.first_key_value() {
            if idle.since > then {
                return (old, Some(idle.since));
            }
            let number = *number;
            old.extend(self.close_idle(number));
        }
        self.is_watched = false;
        (old, None)
    }

    /// Whether there are kept sessions and nobody watches their age; the caller will, until [`State::idle_since`] says
    /// that there are none.
    pub(super) fn needs_watch(&mut self) -> bool {
        !self.idle.is_empty() && !std::mem::replace(&mut self.is_watched, true)
    }

    /// All kept sessions.
    pub(super) fn close_all(&mut self) -> ToClose<S> {
        let numbers: Vec<u64> = self.idle.keys().copied().collect();
        numbers
            .into_iter()
            .filter_map(|one| self.close_idle(one))
            .collect()
    }

    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Takes a session out of those that are kept, to be closed.
    fn close_idle(&mut self, number: u64) -> Option<S> {
        let idle = self.forget_idle(number)?;
        self.leave_all(&idle.seat);
        self.closing(idle.seat.path);
        Some(idle.session)
    }

    fn forget_idle(&mut self, number: u64) -> Option<Idle<S>> {
        let idle = self.idle.remove(&number)?;
        if let Some(host) = self.hosts.get_mut(&idle.seat.path) {
            host.idle.retain(|one| *one != number);
        }
        Some(idle)
    }
}
