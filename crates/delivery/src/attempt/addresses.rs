//! The addresses of one host, in the order in which an attempt tries them.

use std::collections::VecDeque;
use std::net::IpAddr;

use super::target::Target;
use crate::connections::Want;

/// The addresses of a host that an attempt has still to try.
pub(super) struct Addresses {
    /// The one that is tried now.
    pub(super) now: IpAddr,
    rest: VecDeque<IpAddr>,
}

impl Addresses {
    /// `None` if there are none.
    pub(super) fn new(all: Vec<IpAddr>) -> Option<Self> {
        let mut rest = VecDeque::from(all);
        let now = rest.pop_front()?;
        Some(Self { now, rest })
    }

    /// Goes on to the next one. False if there is none.
    pub(super) fn advance(&mut self) -> bool {
        let next = self.rest.pop_front();
        self.now = next.unwrap_or(self.now);
        next.is_some()
    }

    /// Goes on with the next one, and leaves this one for the end.
    pub(super) fn put_off(&mut self) {
        if let Some(next) = self.rest.front().copied() {
            self.change_to(next, false);
        }
    }

    /// Whether there is another one.
    pub(super) fn has_others(&self) -> bool {
        !self.rest.is_empty()
    }

    /// The next one of the other family.
    pub(super) fn rival(&self) -> Option<IpAddr> {
        let mut rest = self.rest.iter().copied();
        rest.find(|address| address.is_ipv4() != self.now.is_ipv4())
    }

    /// Goes on with this one. The one that was tried until now is left for the end, unless it has failed.
    pub(super) fn change_to(&mut self, winner: IpAddr, has_failed: bool) {
        self.rest.retain(|address| *address != winner);
        let loser = std::mem::replace(&mut self.now, winner);
        if !has_failed {
            self.rest.push_back(loser);
        }
    }
}

/// An address, what is required there, and what is wanted for that.
pub(super) struct Runner<'a> {
    pub(super) target: Target<'a>,
    pub(super) want: Want,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn who_loses_is_left_for_the_end_unless_it_has_failed() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let all = ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2"].map(address);
        for (has_failed, expected) in [(false, vec![1, 2, 3, 0]), (true, vec![1, 2, 3])] {
            let mut addresses = Addresses::new(all.to_vec()).unwrap();
            assert_eq!(addresses.rival(), Some(all[1]));
            addresses.change_to(all[1], has_failed);
            let mut order = vec![addresses.now];
            while addresses.advance() {
                order.push(addresses.now);
            }
            assert_eq!(order, expected.into_iter().map(|at| all[at]).collect::<Vec<_>>());
            assert_eq!(addresses.rival(), None);
        }
    }
}
