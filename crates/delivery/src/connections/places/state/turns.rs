//! Whose turn it is: the hosts at which somebody waits get places one after the other.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::time::Instant;

use super::super::host::{Grant, Host, Waiting};
use super::super::memory::Dead;
use super::super::path::Path;
use super::super::strangers::operator;
use super::super::wish::Destination;
use super::{Idle, State, ToClose};

/// A session that is not set up after this time is the last one on its path until then.
const SUSPECT: Duration = Duration::from_secs(10);

/// What one who waits at a host can expect.
enum Prospect {
    /// A place there.
    Open,
    /// To be told that it does not answer.
    Dead(Dead),
    /// A place when one is given back; these kept sessions are closed for that.
    Full(Vec<u64>),
    /// A place when fewer strangers are connected to.
    Parked,
    /// A place when the session that is being set up is, or nothing.
    Shut,
}

impl<S> State<S> {
    pub(super) fn offer_turn(&mut self, path: Path) {
        if let Some(host) = self.hosts.get_mut(&path)
            && !host.in_turn
            && !host.waiting.is_empty()
        {
            host.in_turn = true;
            self.turns.push_back(path);
        }
    }

    /// The same for all hosts at an address at which somebody waits: who has waited longest comes first.
    pub(super) fn offer_turns(&mut self, address: IpAddr) {
        let hosts = self.hosts.range(Path::all_to(address));
        let first = |(path, host): (&Path, &Host<S>)| Some((host.waiting.front()?.number, *path));
        let mut waiting: Vec<(u64, Path)> = hosts.filter_map(first).collect();
        waiting.sort_unstable();
        for (_, path) in waiting {
            self.offer_turn(path);
        }
    }

    /// Grants what can be granted.
    pub(super) fn serve(&mut self) -> ToClose<S> {
        let mut closing = Vec::new();
        loop {
            let returning = !self.returning.is_empty();
            if !returning && self.turns.is_empty() {
                return closing;
            }
            if !returning && !self.is_next_host_open(&mut closing) {
                continue;
            }
            if self.open >= self.limits.connections && !self.make_room(&mut closing) {
                return closing;
            }
            if let Some(waiting) = self.returning.pop_front() {
                self.grant_place(waiting);
                continue;
            }
            self.serve_next_host(&mut closing);
        }
    }

    /// Whether the host whose turn it is may have another connection; if not, its turn ends until that changes.
    fn is_next_host_open(&mut self, closing: &mut ToClose<S>) -> bool {
        let Some(path) = self.turns.pop_front() else {
            return false;
        };
        match self.prospect(path, Instant::now()) {
            Prospect::Open => {
                self.turns.push_front(path);
                return true;
            }
            Prospect::Dead(dead) => {
                let host = self.hosts.get_mut(&path);
                let waiting = host.map(|host| std::mem::take(&mut host.waiting));
                turn_away(waiting.unwrap_or_default(), &dead);
            }
            Prospect::Parked => {
                self.parked.push(path);
                return false;
            }
            // Kept sessions of others make room; each that is being closed does so for one that waits.
            Prospect::Full(kept) => {
                closing.extend(kept.into_iter().filter_map(|one| self.close_idle(one)));
            }
            Prospect::Shut => {}
        }
        if let Some(host) = self.hosts.get_mut(&path) {
            host.in_turn = false;
        }
        self.forget_host_if_unused(path);
        false
    }

    /// What the next one who waits at this host can expect.
    fn prospect(&self, path: Path, now: Instant) -> Prospect {
        let Some(host) = self.hosts.get(&path) else {
            return Prospect::Shut;
        };
        let Some(first) = host.waiting.front() else {
            return Prospect::Shut;
        };
        if let Some(dead) = self.memory.dead(path, !host.in_setup.is_empty(), now) {
            return Prospect::Dead(dead.clone());
        }
        let (address, most) = (path.address(), first.wish.most(self.limits.per_host));
        if host.open >= self.memory.limit(path, most) {
            return Prospect::Full(self.in_the_way(path..=path));
        }
        if self.open_at(address) >= most {
            return Prospect::Full(self.in_the_way(Path::all_to(address)));
        }
        let is_known = self.memory.is_known(path, now);
        let is_suspect = |since: &Instant| !is_known || now.duration_since(*since) >= SUSPECT;
        if host.in_setup.iter().any(is_suspect) {
            return Prospect::Shut;
        }
        if is_known
            || self
                .strangers
                .has_room(operator(address), self.limits.connections)
        {
            Prospect::Open
        } else {
            Prospect::Parked
        }
    }

    /// The oldest kept sessions on these paths, one for each who waits there and for whom none is being closed yet.
    fn in_the_way(&self, paths: RangeInclusive<Path>) -> Vec<u64> {
        let (mut kept, mut waiting, mut closing) = (Vec::new(), 0_usize, 0);
        for (_, host) in self.hosts.range(paths) {
            kept.extend_from_slice(&host.idle);
            waiting += host.waiting.len();
            closing += host.closing;
        }
        kept.sort_unstable();
        kept.truncate(waiting.saturating_sub(closing));
        kept
    }

    /// Gives the host whose turn it is a place, and the next host its turn.
    fn serve_next_host(&mut self, closing: &mut ToClose<S>) {
        let Some(path) = self.turns.pop_front() else {
            return;
        };
        let Some(host) = self.hosts.get_mut(&path) else {
            return;
        };
        host.in_turn = false;
        if let Some(waiting) = host.waiting.pop_front() {
            host.open += 1;
            closing.extend(self.make_room_for(waiting.wish.destination.as_ref()));
            self.grant_place(waiting);
        }
        self.offer_turn(path);
    }

    /// Grants a place that is already counted at its host; takes it back if nobody is there any more.
    fn grant_place(&mut self, waiting: Waiting<S>) {
        let mut seat = waiting.wish.seat();
        self.open += 1;
        self.count_in(&waiting.wish);
        self.begin_setup(&mut seat, Instant::now());
        if let Err(Grant::Place(seat)) = waiting.grant.send(Grant::Place(seat)) {
            self.end_setup(&seat);
            self.leave_all(&seat);
            self.leave_host(seat.path);
        }
    }

    /// Closes the oldest of all kept sessions: others need its place.
    fn make_room(&mut self, closing: &mut ToClose<S>) -> bool {
        let Some(number) = self.idle.keys().next().copied() else {
            return false;
        };
        closing.extend(self.close_idle(number));
        self.open < self.limits.connections
    }

    /// Closes the oldest kept session of a destination that has as many connections as it may have.
    fn make_room_for(&mut self, destination: Option<&Destination>) -> Option<S> {
        let Destination { next_hop, limit } = destination?;
        if self.destinations.get(next_hop).is_none_or(|open| open < limit) {
            return None;
        }
        let is_its = |idle: &Idle<S>| idle.seat.next_hop.as_ref() == Some(next_hop);
        let number = *self.idle.iter().find(|(_, idle)| is_its(idle))?.0;
        self.close_idle(number)
    }
}

fn turn_away<S>(all: VecDeque<Waiting<S>>, dead: &Dead) {
    for waiting in all {
        // Nobody receives it: nobody needs it.
        let _ = waiting.grant.send(Grant::Dead(dead.clone()));
    }
}
