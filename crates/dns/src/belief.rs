//! What each trusted server (one whose AD bit is believed) has shown, and what raises doubts about it.
//!
//! Evidence belongs to the server that gave it, and to the time when it was given. An answer without AD means something only
//! if its server validates, so the same server must have set AD on the answer to a question asked later.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, watch};

use crate::NoAnswer;
use crate::fault::Fault;
use crate::flight::Flights;

/// After this many failures in a row, the resolver is suspected rather than the names.
const DOUBTFUL: usize = 5;

/// A point in the order of our exchanges with one server. Later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

/// Why a server has not proved that it validates.
#[derive(Debug, Clone)]
pub(crate) enum Unproved {
    /// It answers for the signed root without setting AD.
    DoesNotValidate,
    /// It gives no answer.
    Failed(NoAnswer),
}

/// What one server has shown about its validation.
pub(crate) struct Credit {
    clock: AtomicU64,
    /// When the last question that it answered with AD was asked. 0 if it has shown nothing, or has since shown that it does
    /// not validate.
    shown: AtomicU64,
    /// A fault found by a self-test that no validating resolver has.
    found_out: Mutex<Option<Fault>>,
    /// How often it lost our trust.
    losses: AtomicUsize,
    /// The question by which it shows that it validates. Look-ups that need this at the same time share it.
    pub(crate) proving: Flights<(), Result<Moment, Unproved>>,
}

impl Credit {
    /// It has shown nothing.
    pub(crate) fn new() -> Self {
        Self {
            clock: AtomicU64::new(0),
            shown: AtomicU64::new(0),
            found_out: Mutex::default(),
            losses: AtomicUsize::new(0),
            proving: Flights::new(),
        }
    }

    /// The present moment, which is later than everything before.
    pub(crate) fn now(&self) -> Moment {
        Moment(self.clock.fetch_add(1, Ordering::SeqCst).saturating_add(1))
    }

    /// Records that it set AD on the answer to a question asked at that moment.
    pub(crate) fn show(&self, asked: Moment) {
        self.shown.fetch_max(asked.0, Ordering::SeqCst);
    }

    /// Whether it has set AD since it was last seen not to.
    pub(crate) fn has_shown(&self) -> bool {
        self.shown.load(Ordering::SeqCst) > 0
    }

    /// Whether it has set AD on the answer to a question asked since that moment.
    pub(crate) fn has_shown_since(&self, moment: Moment) -> bool {
        self.shown.load(Ordering::SeqCst) >= moment.0
    }

    /// Records that it has shown that it does not validate.
    pub(crate) fn lose(&self) {
        if self.shown.swap(0, Ordering::SeqCst) > 0 {
            self.losses.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Records a fault found by a self-test that no validating resolver has; `None` if there was no such fault.
    pub(crate) fn judge(&self, fault: Option<Fault>) {
        let mut found_out = self.found_out();
        if fault.is_some() && found_out.is_none() {
            self.losses.fetch_add(1, Ordering::SeqCst);
        }
        *found_out = fault;
    }

    /// Why none of its answers count, if that is so.
    pub(crate) fn distrust(&self) -> Option<Fault> {
        self.found_out().clone()
    }

    fn found_out(&self) -> MutexGuard<'_, Option<Fault>> {
        self.found_out.lock()
    }

    pub(crate) fn losses(&self) -> usize {
        self.losses.load(Ordering::SeqCst)
    }
}

/// The initial self-tests that are still to come. Look-ups wait for them.
#[derive(Clone)]
pub(crate) struct Expectations(Arc<watch::Sender<usize>>);

impl Expectations {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    pub(crate) fn add(&self) -> Expected {
        self.0
            .send_modify(|expected| *expected = expected.saturating_add(1));
        Expected(self.clone())
    }

    /// Returns when no more of them are to come.
    pub(crate) async fn met(&self) {
        // This cannot fail: we own the other end.
        let _ = self.0.subscribe().wait_for(|expected| *expected == 0).await;
    }
}

/// A self-test that is about to begin. Look-ups wait for it, each within its deadline, until this is dropped after the test
/// was made or could not be made.
#[must_use = "look-ups wait as long as it lives"]
pub struct Expected(Expectations);

impl Drop for Expected {
    fn drop(&mut self) {
        let expectations = &self.0.0;
        expectations.send_modify(|expected| *expected = expected.saturating_sub(1));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_afterwards_says_something_about_an_answer() {
        let credit = Credit::new();
        let before = credit.now();
        let answered = credit.now();
        credit.show(before);
        assert!(credit.has_shown() && !credit.has_shown_since(answered));
        credit.show(credit.now());
        assert!(credit.has_shown_since(answered));
        // An older question that is answered late does not lower the value.
        credit.show(before);
        assert!(credit.has_shown_since(answered));
        credit.lose();
        assert!(!credit.has_shown());
    }

    #[test]
    fn only_belief_that_was_there_can_be_lost() {
        let credit = Credit::new();
        credit.lose();
        assert_eq!(credit.losses(), 0);
        credit.show(credit.now());
        credit.lose();
        credit.lose();
        assert_eq!(credit.losses(), 1);
        credit.judge(Some(Fault::NotValidating));
        credit.judge(Some(Fault::NotValidating));
        assert_eq!(credit.losses(), 2);
        credit.judge(None);
        assert_eq!(credit.distrust(), None);
    }
}
