//! The way through the network to a receiving server.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

/// From which of our addresses to which address and port. What is learned about a server is learned on one path: another
/// port is another service, and a server may refuse one address of ours and take mail from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Path {
    /// The receiver's.
    pub(crate) socket: SocketAddr,
    /// Ours; `None` if the system chooses it.
    pub(crate) source: Option<IpAddr>,
}

impl Path {
    /// The receiving address.
    pub(super) fn address(&self) -> IpAddr {
        self.socket.ip()
    }

    /// All paths to a receiving address.
    pub(super) fn all_to(address: IpAddr) -> RangeInclusive<Self> {
        let last = Ipv6Addr::from_bits(u128::MAX).into();
        let path = |port, source| Self {
            socket: SocketAddr::new(address, port),
            source,
        };
        path(0, None)..=path(u16::MAX, Some(last))
    }
}
