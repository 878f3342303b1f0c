//! What is known of the resolver, and what raises a doubt.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_proto::rr::Name;
use tokio::sync::{Notify, watch};

use crate::Mode;
use crate::validate::Validator;

/// So many failures without an answer in between are the resolver's rather than those of the names.
const DOUBTFUL: usize = 20;

/// What can change while look-ups are under way. What was looked up with another state is not kept.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) mode: Mode,
    pub(crate) belief: Belief,
    pub(crate) insecure: Vec<Name>,
    pub(crate) validator: Arc<Validator>,
}

/// What the AD bit of the servers is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Belief {
    /// Not known yet.
    Untested,
    /// The servers validate.
    Shown,
    /// They do not.
    Refuted,
}

impl State {
    /// Whether every answer would be without meaning.
    pub(crate) fn is_refuted(&self) -> bool {
        match (self.mode, self.belief) {
            (Mode::TrustAd, Belief::Refuted) => true,
            (Mode::TrustAd, Belief::Untested | Belief::Shown) | (Mode::Validate, _) => false,
        }
    }
}

/// Ends the wait for a self-test, even one that is broken off.
pub(crate) struct Testing<'a>(&'a watch::Sender<bool>);

impl<'a> Testing<'a> {
    pub(crate) fn new(testing: &'a watch::Sender<bool>) -> Self {
        testing.send_replace(true);
        Self(testing)
    }
}

impl Drop for Testing<'_> {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

/// Failures in a row.
#[derive(Default)]
pub(crate) struct Doubt {
    failures: AtomicUsize,
    arose: Notify,
}

impl Doubt {
    pub(crate) fn note(&self, failed: bool) {
        if !failed {
            self.failures.store(0, Ordering::Relaxed);
        } else if self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= DOUBTFUL {
            self.failures.store(0, Ordering::Relaxed);
            self.raise();
        }
    }

    pub(crate) fn raise(&self) {
        self.arose.notify_one();
    }

    pub(crate) async fn arisen(&self) {
        self.arose.notified().await;
    }
}
