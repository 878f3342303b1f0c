//! Limits on the cost of a look-up. Whoever answers decides how much there is to ask and to check; these limits decide how
//! much of it we do.
//!
//! Two limits apply at once. One is for a single look-up, with its aliases and the keys on its way: a look-up that exceeds
//! it would exceed it for everybody. The other is for a whole walk, that is, all look-ups for one destination: what exceeds
//! only this one can still be looked up for another destination. Results that others asked for and checked before, and that
//! are still cached, cost nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RecordType};
use mail::LookupFailure;
use parking_lot::{Mutex, MutexGuard};

use crate::NoAnswer;
use crate::outage::Outage;

/// Questions per look-up. Twelve aliases, each into its own zone that is not cached, take eighty.
const QUESTIONS: usize = 256;
/// Questions per walk. 32 hosts, each in its own zone that is not cached, take two hundred.
const QUESTIONS_OF_WALK: usize = 768;
/// Signature checks per look-up. The costliest signatures take a third of a millisecond each.
const CHECKS: usize = 256;
/// Signature checks per walk. 32 hosts as above take three hundred.
const CHECKS_OF_WALK: usize = 768;

/// Reading this many records costs as much as a question.
const RECORDS: usize = 64;
/// A signature over up to this many octets counts as one check; a longer one counts as more.
const OCTETS: usize = 4096;
/// This many rounds of a hash take as long as checking a signature.
const ROUNDS: usize = 256;

/// What look-ups have cost so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Questions sent to servers; an answer with very many records counts as several.
    pub questions: usize,
    /// Signatures checked, and other validation work that takes as long; a very long record set counts as several.
    pub checks: usize,
}

#[derive(Debug, Default)]
struct Spent {
    questions: AtomicUsize,
    checks: AtomicUsize,
}

impl Spent {
    fn is_over(&self, questions: usize, checks: usize) -> bool {
        self.questions.load(Ordering::Relaxed) > questions || self.checks.load(Ordering::Relaxed) > checks
    }

    fn cost(&self) -> Cost {
        Cost {
            questions: self.questions.load(Ordering::Relaxed),
            checks: self.checks.load(Ordering::Relaxed),
        }
    }
}

/// The limits for all look-ups for one destination. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Walk(Arc<Spent>);

impl Walk {
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_over(QUESTIONS_OF_WALK, CHECKS_OF_WALK)
    }

    pub(crate) fn cost(&self) -> Cost {
        self.0.cost()
    }
}

/// The limit is reached: nothing more is asked or checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMuch;

/// Without the work that is left undone nothing can be decided (RFC 4035 §4.3, "indeterminate").
impl From<TooMuch> for NoAnswer {
    fn from(TooMuch: TooMuch) -> Self {
        Self::new(LookupFailure::Indeterminate, Outage::TooMuchWork)
    }
}

/// One look-up, as part of its walk.
#[derive(Debug)]
pub(crate) struct Work {
    walk: Walk,
    own: Spent,
    /// The keys or delegation that it waits for, without which nothing can be decided.
    awaited: Mutex<Option<(Name, RecordType)>>,
}

impl Work {
    pub(crate) fn new(walk: &Walk) -> Self {
        Self {
            walk: walk.clone(),
            own: Spent::default(),
            awaited: Mutex::default(),
        }
    }

    /// Whether either limit is reached.
    pub(crate) fn is_over(&self) -> bool {
        self.own.is_over(QUESTIONS, CHECKS) || self.walk.is_over()
    }

    pub(crate) fn is_walk_over(&self) -> bool {
        self.walk.is_over()
    }

    /// To be called before a question.
    pub(crate) fn ask(&self) -> Result<(), TooMuch> {
        self.spend(|spent| &spent.questions, 1)
    }

    /// To be called with each answer.
    pub(crate) fn read(&self, message: &Message) -> Result<(), TooMuch> {
        let records = message.answers.len() + message.authorities.len() + message.additionals.len();
        self.spend(|spent| &spent.questions, records / RECORDS)
    }

    /// Must be called before a signature over so many octets is checked.
    pub(crate) fn check(&self, octets: usize) -> Result<(), TooMuch> {
        self.spend(|spent| &spent.checks, 1 + octets / OCTETS)
    }

    /// Must be called before names are hashed for NSEC3, with the total number of rounds.
    pub(crate) fn hash(&self, rounds: usize) -> Result<(), TooMuch> {
        self.spend(|spent| &spent.checks, rounds / ROUNDS)
    }

    fn spend(&self, counter: impl Fn(&Spent) -> &AtomicUsize, amount: usize) -> Result<(), TooMuch> {
        for spent in [&self.own, &*self.walk.0] {
            counter(spent).fetch_add(amount, Ordering::Relaxed);
        }
        if self.is_over() { Err(TooMuch) } else { Ok(()) }
    }

    /// Notes what is waited for, until [`goes_on`](Self::goes_on) is called.
    pub(crate) fn awaits(&self, name: &Name, record_type: RecordType) {
        *self.awaited_now() = Some((name.clone(), record_type));
    }

    /// The wait is over: what was waited for has arrived, or will not arrive.
    pub(crate) fn goes_on(&self) {
        *self.awaited_now() = None;
    }

    /// The keys or delegation that are waited for.
    pub(crate) fn awaited(&self) -> Option<(Name, RecordType)> {
        self.awaited_now().clone()
    }

    fn awaited_now(&self) -> MutexGuard<'_, Option<(Name, RecordType)>> {
        self.awaited.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_up_ends_at_its_own_limit_and_at_that_of_its_walk() {
        let walk = Walk::default();
        let spend_all = || {
            let work = Work::new(&walk);
            let asked = std::iter::repeat_with(|| work.ask())
                .take_while(Result::is_ok)
                .count();
            (asked, work.is_walk_over())
        };
        for _ in 0..2 {
            assert_eq!(spend_all(), (QUESTIONS, false));
        }
        let (asked, is_walk_over) = spend_all();
        assert!(asked < QUESTIONS && is_walk_over, "{asked}");
        assert_eq!(spend_all(), (0, true));
        assert!(Work::new(&Walk::default()).ask().is_ok());
    }

    #[test]
    fn what_is_long_costs_more() {
        let (walk, checks) = (Walk::default(), |walk: &Walk| walk.cost().checks);
        let work = Work::new(&walk);
        assert_eq!((work.check(100), checks(&walk)), (Ok(()), 1));
        assert_eq!((work.check(65_000), checks(&walk)), (Ok(()), 17));
        assert_eq!((work.hash(151 * 126), checks(&walk)), (Ok(()), 17 + 74));
        assert_eq!((work.hash(1), checks(&walk)), (Ok(()), 17 + 74));
    }
}
