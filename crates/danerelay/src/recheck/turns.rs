//! How many tests run at once: some in all, and few at the hosts of one provider, however many of the names it serves.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use mail::Domain;
use mail::registrable;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Tests that look up or connect at once.
const AT_ONCE: usize = 20;
/// Those of them that connect to hosts of one provider.
const AT_A_PROVIDER: usize = 3;

/// Who may run now.
pub(super) struct Turns {
    all: Arc<Semaphore>,
    /// By the registrable part of the hosts' names.
    providers: Mutex<HashMap<Domain, Arc<Semaphore>>>,
}

/// Held while a test runs. `None` never is: no semaphore is closed.
type Turn = Option<OwnedSemaphorePermit>;

impl Default for Turns {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(AT_ONCE)),
            providers: Mutex::default(),
        }
    }
}

impl Turns {
    /// Waits until one more test may run.
    pub(super) async fn one(&self) -> Turn {
        Arc::clone(&self.all).acquire_owned().await.ok()
    }

    /// Waits until one more test may connect to these hosts. The providers are taken in the order of their names, so that no
    /// two tests wait for each other.
    pub(super) async fn at(&self, hosts: impl Iterator<Item = &Domain>) -> Vec<Turn> {
        let providers: BTreeSet<Domain> = hosts.map(registrable::of).collect();
        let mut turns = Vec::new();
        for provider in providers {
            let places = self.places(provider);
            turns.push(places.acquire_owned().await.ok());
        }
        turns
    }

    fn places(&self, provider: Domain) -> Arc<Semaphore> {
        let mut providers = self.providers.lock();
        // Nobody waits at or holds these.
        providers.retain(|_, places| Arc::strong_count(places) > 1);
        let places = providers.entry(provider);
        Arc::clone(places.or_insert_with(|| Arc::new(Semaphore::new(AT_A_PROVIDER))))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures_util::FutureExt as _;

    use super::*;

    fn names(names: &[&str]) -> Vec<Domain> {
        names.iter().map(|name| Domain::parse(name).unwrap()).collect()
    }

    #[tokio::test]
    async fn few_at_once_connect_to_one_provider_and_others_go_on() {
        let turns = Turns::default();
        let theirs = names(&["a.mx.provider.example", "b.mx.provider.example"]);
        let mut held = Vec::new();
        for _ in 0..AT_A_PROVIDER {
            held.push(turns.at(theirs.iter()).now_or_never().unwrap());
        }
        let one = names(&["c.provider.example", "mx.other.example"]);
        assert!(turns.at(one.iter()).now_or_never().is_none(), "one too many");
        let other = names(&["mx.other.example"]);
        assert!(
            turns.at(other.iter()).now_or_never().is_some(),
            "it holds up nobody else"
        );
        held.pop();
        assert!(turns.at(one.iter()).now_or_never().is_some());
        // Nothing stays of those who are done.
        held.clear();
        drop(turns.at(other.iter()).await);
        assert_eq!(turns.providers.lock().len(), 1);
    }

    #[tokio::test]
    async fn there_is_a_most_in_all() {
        let turns = Turns::default();
        let held: Vec<Turn> = (0..AT_ONCE).filter_map(|_| turns.one().now_or_never()).collect();
        assert_eq!(held.len(), AT_ONCE);
        assert!(turns.one().now_or_never().is_none());
    }
}
