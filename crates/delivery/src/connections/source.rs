//! Local addresses to connect from.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The configured addresses, rotated within each family.
#[derive(Debug)]
pub(crate) struct SourceAddresses {
    ipv4: Vec<IpAddr>,
    ipv6: Vec<IpAddr>,
    turn: AtomicUsize,
}

impl SourceAddresses {
    pub(crate) fn new(addresses: &[IpAddr]) -> Self {
        let (ipv4, ipv6) = addresses.iter().partition(|address| address.is_ipv4());
        Self {
            ipv4,
            ipv6,
            turn: AtomicUsize::new(0),
        }
    }

    /// The next address of the receiver's family; with `None` the system chooses.
    pub(crate) fn next(&self, receiver: IpAddr) -> Option<IpAddr> {
        let family = if receiver.is_ipv4() {
            &self.ipv4
        } else {
            &self.ipv6
        };
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        family.get(turn.checked_rem(family.len())?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_within_the_family() {
        let four = [IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2])];
        let sources = SourceAddresses::new(&four);
        let receiver = IpAddr::from([198, 51, 100, 1]);
        assert_ne!(sources.next(receiver), sources.next(receiver));
        assert_eq!(sources.next(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])), None);
    }
}
