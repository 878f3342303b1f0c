//! What connections count as: in total, at their host, for their destination, and until their session is set up.

use std::net::IpAddr;
use std::sync::Arc;

use mail::NextHop;
use tokio::time::Instant;

use super::super::path::Path;
use super::super::strangers::operator;
use super::super::wish::{Seat, Setup, Wish};
use super::State;

impl<S> State<S> {
    pub(super) fn begin_setup(&mut self, seat: &mut Seat, now: Instant) {
        let is_known = self.memory.is_known(seat.path, now);
        let stranger = (!is_known).then(|| operator(seat.path.address()));
        if let Some(network) = stranger {
            self.strangers.enter(network);
        }
        self.hosts.entry(seat.path).or_default().in_setup.push(now);
        seat.setup = Some(Setup { since: now, stranger });
    }

    pub(super) fn end_setup(&mut self, seat: &Seat) {
        let Some(Setup { since, stranger }) = seat.setup else {
            return;
        };
        if let Some(host) = self.hosts.get_mut(&seat.path)
            && let Some(position) = host.in_setup.iter().position(|one| *one == since)
        {
            host.in_setup.swap_remove(position);
        }
        if let Some(network) = stranger {
            self.strangers.leave(network);
            self.turns.extend(self.parked.drain(..));
        }
    }

    pub(super) fn closing(&mut self, path: Path) {
        if let Some(host) = self.hosts.get_mut(&path) {
            host.closing += 1;
        }
    }

    pub(super) fn leave_all(&mut self, seat: &Seat) {
        self.open = self.open.saturating_sub(1);
        self.count_out(seat.next_hop.as_ref());
    }

    pub(super) fn count_in(&mut self, wish: &Wish) {
        if let Some(destination) = &wish.destination {
            *self
                .destinations
                .entry(Arc::clone(&destination.next_hop))
                .or_default() += 1;
        }
    }

    pub(super) fn count_out(&mut self, next_hop: Option<&Arc<NextHop>>) {
        if let Some(next_hop) = next_hop
            && let Some(open) = self.destinations.get_mut(next_hop)
        {
            *open = open.saturating_sub(1);
            if *open == 0 {
                self.destinations.remove(next_hop);
            }
        }
    }

    pub(super) fn leave_host(&mut self, path: Path) {
        if let Some(host) = self.hosts.get_mut(&path) {
            host.open = host.open.saturating_sub(1);
        }
        self.offer_turns(path.address());
        self.forget_host_if_unused(path);
    }

    /// Open connections to an address, on all paths.
    pub(super) fn open_at(&self, address: IpAddr) -> usize {
        let hosts = self.hosts.range(Path::all_to(address));
        hosts.map(|(_, host)| host.open).sum()
    }

    pub(super) fn forget_host_if_unused(&mut self, path: Path) {
        if let Some(host) = self.hosts.get(&path)
            && host.open == 0
            && host.waiting.is_empty()
            && !host.in_turn
        {
            self.hosts.remove(&path);
        }
    }
}
