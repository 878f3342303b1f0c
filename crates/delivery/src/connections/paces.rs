//! How many messages a minute each receiving host gets, whatever their destinations (`[[mx]] messages_per_minute`).
//!
//! They follow at even intervals. A destination that comes too early is told when to come again, and that moment is kept
//! for it: so those that wait come one by one, in the order in which they first came.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mail::{Domain, NextHop};
use parking_lot::Mutex;
use tokio::time::Instant;

/// A moment that was not used is kept for so long: a message may wait as long for a place after its moment has come.
const KEPT: Duration = Duration::from_mins(10);
/// With more hosts than this, those are forgotten that nobody waits for; with more moments at one of them, those that were
/// not used.
const MANY: usize = 1_000;

/// The hosts that have a pace.
#[derive(Debug, Default)]
pub(super) struct Paces(Mutex<HashMap<Domain, Pace>>);

/// What the next messages for one host have to wait for.
#[derive(Debug)]
struct Pace {
    /// The first moment that is free.
    free: Instant,
    /// The moments that are kept, by destination.
    kept: HashMap<Arc<NextHop>, Instant>,
    /// When there are so many of them, those that were not used are forgotten.
    many: usize,
}

impl Paces {
    /// Whether a message for this destination may be sent to the host now, if messages follow at this interval; or when it
    /// may.
    pub(super) fn take(
        &self,
        host: &Domain,
        interval: Duration,
        next_hop: &Arc<NextHop>,
        now: Instant,
    ) -> Result<(), Instant> {
        let mut paces = self.0.lock();
        if paces.len() >= MANY && !paces.contains_key(host) {
            paces.retain(|_, pace| pace.is_needed(now));
        }
        let pace = paces.entry(host.clone()).or_insert_with(|| Pace {
            free: now,
            kept: HashMap::new(),
            many: MANY,
        });
        pace.take(interval, next_hop, now)
    }

    /// Forgets everything: there may be other intervals from now on.
    pub(super) fn clear(&self) {
        self.0.lock().clear();
    }
}

impl Pace {
    fn take(&mut self, interval: Duration, next_hop: &Arc<NextHop>, now: Instant) -> Result<(), Instant> {
        match self.kept.get(next_hop) {
            Some(at) if *at > now => return Err(*at),
            Some(at) => {
                let is_valid = now.duration_since(*at) < KEPT;
                self.kept.remove(next_hop);
                if is_valid {
                    return Ok(());
                }
            }
            None => {}
        }
        let at = self.free.max(now);
        self.free = at + interval;
        if at <= now {
            return Ok(());
        }
        if self.kept.len() >= self.many {
            self.kept.retain(|_, at| *at + KEPT > now);
            self.many = MANY.max(self.kept.len() * 2);
        }
        self.kept.insert(Arc::clone(next_hop), at);
        Err(at)
    }

    fn is_needed(&self, now: Instant) -> bool {
        self.free > now || self.kept.values().any(|at| *at + KEPT > now)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn next_hop(name: &str) -> Arc<NextHop> {
        Arc::new(name.parse().unwrap())
    }

    #[test]
    fn those_that_wait_come_one_by_one_and_in_turn() {
        let (paces, began) = (Paces::default(), Instant::now());
        let (host, other): (Domain, Domain) = ("mx.test".parse().unwrap(), "mx2.test".parse().unwrap());
        let [a, b, c] = ["a.test", "b.test", "c.test"].map(next_hop);
        let take = |next_hop, seconds: u32| {
            let taken = paces.take(&host, SECOND, next_hop, began + SECOND * seconds);
            taken.map_err(|at| (at - began).as_secs())
        };
        assert_eq!([take(&a, 0), take(&a, 0), take(&b, 0)], [Ok(()), Err(1), Err(2)]);
        // It has its moment already.
        assert_eq!([take(&a, 0), take(&b, 1)], [Err(1), Err(2)]);
        assert_eq!([take(&a, 1), take(&a, 1), take(&c, 1)], [Ok(()), Err(3), Err(4)]);
        assert_eq!([take(&b, 2), take(&c, 3), take(&a, 3)], [Ok(()), Err(4), Ok(())]);
        // Who had to wait for a place is not sent to the end again; what nobody used in ten minutes is lost.
        assert_eq!(
            [take(&a, 500), take(&c, 500), take(&b, 500)],
            [Ok(()), Ok(()), Err(501)]
        );
        assert_eq!([take(&b, 1_200), take(&a, 1_200)], [Ok(()), Err(1_201)]);
        assert_eq!(paces.take(&other, SECOND, &a, began), Ok(()));
        paces.clear();
        assert_eq!(take(&b, 1_200), Ok(()));
    }

    #[test]
    fn a_minute_sees_no_more_messages_than_it_may() {
        let (paces, began) = (Paces::default(), Instant::now());
        let host: Domain = "mx.test".parse().unwrap();
        let interval = Duration::from_mins(1) / 90;
        let mut due: Vec<(Instant, Arc<NextHop>)> = (0..20)
            .map(|number| (began, next_hop(&format!("d{number}.test"))))
            .collect();
        let mut sent = Vec::new();
        while sent.len() < 500 {
            due.sort_by_key(|(at, _)| *at);
            let (now, next_hop) = due.remove(0);
            match paces.take(&host, interval, &next_hop, now) {
                Ok(()) => {
                    sent.push(now);
                    due.push((now, next_hop));
                }
                Err(at) => due.push((at, next_hop)),
            }
        }
        let minutes = (*sent.last().unwrap() - began).as_secs_f64() / 60.0;
        assert!((minutes * 90.0 - 499.0).abs() < 1.0, "{minutes}");
        assert!(
            sent.windows(91)
                .all(|some| some[90] - some[0] >= Duration::from_secs(59))
        );
    }
}
