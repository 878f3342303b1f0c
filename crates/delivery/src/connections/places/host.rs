//! What goes on at one host, on one path to it: who waits there, and which sessions are kept.

use std::collections::VecDeque;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::super::key::ReuseKey;
use super::memory::Dead;
use super::wish::{Seat, Wish};

/// The answer to a wish.
#[derive(Debug)]
pub(super) enum Grant<S> {
    /// A session that was kept.
    Kept(S),
    /// A place for a new connection.
    Place(Seat),
    /// The address does not answer.
    Dead(Dead),
    /// Nothing: who waited is to go elsewhere, or to come again.
    NotHere(NotHere),
}

/// Why one waits no longer at an address, though nothing is known against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotHere {
    /// Another address of the host was sooner, and will do as well.
    Elsewhere,
    /// Too many wait there already.
    Crowded,
}

/// A session that waits for its next message.
#[derive(Debug)]
pub(super) struct Idle<S> {
    pub(super) session: S,
    pub(super) key: ReuseKey,
    pub(super) seat: Seat,
    pub(super) since: Instant,
}

/// A wish that waits.
#[derive(Debug)]
pub(super) struct Waiting<S> {
    pub(super) number: u64,
    pub(super) wish: Wish,
    pub(super) grant: oneshot::Sender<Grant<S>>,
}

/// What goes on at one host.
#[derive(Debug)]
pub(super) struct Host<S> {
    /// Connections that are open, those that are kept and those that are being closed included.
    pub(super) open: usize,
    /// Connections that are being closed.
    pub(super) closing: usize,
    /// Kept sessions, the oldest first.
    pub(super) idle: Vec<u64>,
    /// When each connection was begun whose session is not set up yet.
    pub(super) in_setup: Vec<Instant>,
    pub(super) waiting: VecDeque<Waiting<S>>,
    /// Whether it is in the state's `turns` or `parked`.
    pub(super) in_turn: bool,
}

impl<S> Default for Host<S> {
    fn default() -> Self {
        Self {
            open: 0,
            closing: 0,
            idle: Vec::new(),
            in_setup: Vec::new(),
            waiting: VecDeque::new(),
            in_turn: false,
        }
    }
}
