//! How long deliveries to each domain took in the last hour: the busiest and the slowest of them.
//!
//! A delivery only puts its time into a queue; if that is full, one time is missing. Whoever looks counts what is there.

use std::collections::HashMap;
use std::time::Duration;

use mail::DomainPart;
use parking_lot::Mutex;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::Instant;

/// How many times may wait to be counted.
const WAITING: usize = 8_192;
/// How many domains are counted at once; further ones are not.
const DOMAINS: usize = 10_000;
/// Two halves make up the last hour, or a little more or less of it.
const HALF: Duration = Duration::from_mins(30);

/// Where the times of deliveries go.
pub(super) struct Samples(Sender<(DomainPart, Duration)>);

/// What is counted of them.
pub(super) struct Lately(Mutex<Counting>);

struct Counting {
    arriving: Receiver<(DomainPart, Duration)>,
    /// The present half hour, and when it began.
    now: HashMap<DomainPart, Pace>,
    since: Instant,
    before: HashMap<DomainPart, Pace>,
}

/// The deliveries to one domain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Pace {
    /// How many.
    pub(super) deliveries: u64,
    /// From acceptance to delivery, together.
    pub(super) together: Duration,
    /// The longest of them.
    pub(super) longest: Duration,
}

/// The domains worth showing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Extremes {
    /// With most deliveries.
    pub(super) busiest: Vec<(String, Pace)>,
    /// With the longest times on average.
    pub(super) slowest: Vec<(String, Pace)>,
}

/// Both ends.
pub(super) fn pair() -> (Samples, Lately) {
    let (samples, arriving) = channel(WAITING);
    let counting = Counting {
        arriving,
        now: HashMap::new(),
        since: Instant::now(),
        before: HashMap::new(),
    };
    (Samples(samples), Lately(Mutex::new(counting)))
}

impl Samples {
    /// A delivery to this domain took so long.
    pub(super) fn add(&self, domain: &DomainPart, time: Duration) {
        // If there is no room, this one is missing; nothing waits for that.
        if self.0.capacity() > 0 {
            let _ = self.0.try_send((domain.clone(), time));
        }
    }
}

impl Pace {
    /// The time on average.
    pub(super) fn average(&self) -> Duration {
        u32::try_from(self.deliveries)
            .ok()
            .and_then(|deliveries| self.together.checked_div(deliveries))
            .unwrap_or_default()
    }

    fn add(&mut self, other: Self) {
        self.deliveries = self.deliveries.saturating_add(other.deliveries);
        self.together = self.together.saturating_add(other.together);
        self.longest = self.longest.max(other.longest);
    }
}

impl Lately {
    /// Counts what has arrived.
    pub(super) fn count(&self) {
        let mut counting = self.0.lock();
        while let Ok((domain, time)) = counting.arriving.try_recv() {
            let has_room = counting.now.len() < DOMAINS;
            let pace = Pace {
                deliveries: 1,
                together: time,
                longest: time,
            };
            match counting.now.get_mut(&domain) {
                Some(known) => known.add(pace),
                None if has_room => {
                    counting.now.insert(domain, pace);
                }
                None => {}
            }
        }
        if counting.since.elapsed() >= HALF {
            counting.before = std::mem::take(&mut counting.now);
            counting.since = Instant::now();
        }
    }

    /// The domains worth showing, at most so many of each kind.
    pub(super) fn extremes(&self, most: usize) -> Extremes {
        let counting = self.0.lock();
        let mut all = counting.before.clone();
        for (domain, pace) in &counting.now {
            all.entry(domain.clone()).or_default().add(*pace);
        }
        drop(counting);
        let mut all: Vec<(String, Pace)> = all
            .into_iter()
            .map(|(domain, pace)| (domain.to_string(), pace))
            .collect();
        let mut first = |rank: fn(&Pace) -> (u128, u64)| {
            all.sort_by(|(one, a), (other, b)| rank(b).cmp(&rank(a)).then_with(|| one.cmp(other)));
            all.iter().take(most).cloned().collect()
        };
        Extremes {
            busiest: first(|pace| (pace.deliveries.into(), 0)),
            slowest: first(|pace| (pace.average().as_nanos(), pace.deliveries)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(of: &[(String, Pace)]) -> Vec<&str> {
        of.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_busiest_and_the_slowest_of_the_last_hour() {
        let (samples, lately) = pair();
        let (slow, busy) = (
            DomainPart::parse("slow.example").unwrap(),
            DomainPart::parse("busy.example").unwrap(),
        );
        samples.add(&slow, Duration::from_mins(1));
        for _ in 0..3 {
            samples.add(&busy, Duration::from_secs(1));
        }
        lately.count();
        let extremes = lately.extremes(1);
        assert_eq!(names(&extremes.busiest), ["busy.example"]);
        assert_eq!(names(&extremes.slowest), ["slow.example"]);
        // What is older than an hour is forgotten.
        for _ in 0..2 {
            tokio::time::advance(HALF).await;
            lately.count();
        }
        assert_eq!(lately.extremes(1), Extremes::default());
    }

    #[test]
    fn more_than_there_is_room_for_is_not_counted_and_nothing_waits() {
        let (samples, lately) = pair();
        let domain = DomainPart::parse("a.example").unwrap();
        for _ in 0..WAITING + 10 {
            samples.add(&domain, Duration::from_secs(1));
        }
        lately.count();
        let extremes = lately.extremes(1);
        assert_eq!(extremes.busiest.first().unwrap().1.deliveries, WAITING as u64);
    }
}
