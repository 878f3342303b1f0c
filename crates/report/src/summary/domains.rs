//! The details of the ledger, domain by domain: only one of them is in memory at a time.

use std::cmp::Reverse;
use std::sync::Arc;

use mail::DomainPart;
use parking_lot::Mutex;
use spool::{Ledger, SpoolError, Tally};

use super::gathering::awaited;
use super::question::{Period, Question};

/// What is made of the tallies of domains.
pub(super) trait Collect: Default + Send + 'static {
    /// One of the domain that is being read.
    fn add(&mut self, tally: &Tally);

    /// The domain has no more.
    fn close(&mut self, domain: &DomainPart);
}

/// Reads the figures of some days, and how many entries cannot be read. Mail that is not asked for is left out.
pub(super) async fn collect<L: Ledger, C: Collect>(
    ledger: &L,
    question: &Arc<Question>,
    days: Period,
) -> Result<(C, u64), SpoolError> {
    let reading = Arc::new(Mutex::new(Reading::<C>::default()));
    let (filled, asked) = (Arc::clone(&reading), Arc::clone(question));
    let visit = move |tally: Tally| {
        filled.lock().add(&asked, &tally);
        awaited(&filled)
    };
    let unreadable = ledger.sums(days.range(), visit).await?;
    let mut reading = std::mem::take(&mut *reading.lock());
    reading.close();
    Ok((reading.collected, unreadable))
}

struct Reading<C> {
    collected: C,
    domain: Option<DomainPart>,
    /// Whether mail to this domain is asked for.
    counts: bool,
}

impl<C: Default> Default for Reading<C> {
    fn default() -> Self {
        Self {
            collected: C::default(),
            domain: None,
            counts: false,
        }
    }
}

impl<C: Collect> Reading<C> {
    fn add(&mut self, question: &Question, tally: &Tally) {
        if self.domain != tally.key.domain {
            self.close();
            self.domain.clone_from(&tally.key.domain);
            self.counts =
                self.domain.is_some() && question.counts(question.is_internal(self.domain.as_ref()));
        }
        if self.counts {
            self.collected.add(tally);
        }
    }

    fn close(&mut self) {
        if let Some(domain) = &self.domain
            && self.counts
        {
            self.collected.close(domain);
        }
    }
}

/// The first of any number of things, by a rank: only twice as many as wanted are in memory.
#[derive(Debug)]
pub(super) struct Best<T> {
    wanted: usize,
    found: Vec<(u64, T)>,
}

impl<T> Best<T> {
    pub(super) const fn new(wanted: usize) -> Self {
        Self {
            wanted,
            found: Vec::new(),
        }
    }

    /// Nothing of rank 0 is wanted.
    pub(super) fn add(&mut self, rank: u64, one: T) {
        if rank == 0 {
            return;
        }
        self.found.push((rank, one));
        if self.found.len() >= self.wanted.saturating_mul(2) {
            self.cut();
        }
    }

    /// Of the same rank the one that came first is first.
    fn cut(&mut self) {
        self.found.sort_by_key(|(rank, _)| Reverse(*rank));
        self.found.truncate(self.wanted);
    }

    /// The first ones in order.
    pub(super) fn first(mut self) -> Vec<T> {
        self.cut();
        self.found.into_iter().map(|(_, one)| one).collect()
    }
}
