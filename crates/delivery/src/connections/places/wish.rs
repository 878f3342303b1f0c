//! What is asked for, and what a connection counts as.

use std::sync::Arc;

use mail::{Domain, Network, NextHop};
use tokio::time::Instant;

use super::super::key::ReuseKey;
use super::path::Path;

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// From where to where.
    pub(crate) path: Path,
    /// The host whose address that is.
    pub(crate) host: Option<Domain>,
    /// How many connections may be open to the address, if the policy says so.
    pub(crate) host_limit: Option<usize>,
    /// The terms on which a kept session may be used instead of a new one; `None`: only a new one will do.
    pub(crate) key: Option<ReuseKey>,
    /// The destination that the session is for, and how many it may have.
    pub(crate) destination: Option<Destination>,
    /// Whether another address of the host will do as well.
    pub(crate) has_others: bool,
    /// Whether who asks comes again later if too many wait already.
    pub(crate) comes_again: bool,
}

/// A destination, and how many connections may be open for it.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    pub(crate) next_hop: Arc<NextHop>,
    pub(crate) limit: usize,
}

/// What a connection counts as.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    pub(super) path: Path,
    pub(super) next_hop: Option<Arc<NextHop>>,
    /// Until the session is set up.
    pub(super) setup: Option<Setup>,
}

/// A connection whose session is not set up yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setup {
    pub(super) since: Instant,
    /// The addresses of the same operator, if this one is not known to work.
    pub(super) stranger: Option<Network>,
}

/// Which part of its places a connection gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of them: it is closed.
    All,
    /// All but the one at its host: it is being closed.
    BeingClosed,
    /// The one at its host, after it was being closed.
    Closed,
    /// All but the one at its host, for a while.
    SteppedBack,
    /// The one at its host, after it had given back the others for a while.
    GivenUp,
}

impl Wish {
    pub(super) fn seat(&self) -> Seat {
        Seat {
            path: self.path,
            next_hop: self.next_hop(),
            setup: None,
        }
    }

    pub(super) fn next_hop(&self) -> Option<Arc<NextHop>> {
        self.destination.as_ref().map(|one| Arc::clone(&one.next_hop))
    }

    /// How many connections may be open to its address.
    pub(super) fn most(&self, per_host: usize) -> usize {
        self.host_limit
            .map_or(per_host, |limit| limit.min(per_host))
            .max(1)
    }
}
