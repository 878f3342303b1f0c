//! When reports are sent: those of a day in UTC spread over the first hours of the next one (RFC 8460 §4.1), and for a day
//! those again that could not be sent (§5.5).
//!
//! What is still counted was not sent: so a restart neither loses a report nor sends one twice.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use mail::Domain;
use rand::seq::SliceRandom as _;
use spool::{KeepTlsTallies, SpoolError};
use tokio::time::Instant;

use super::sender::{NotSent, Sender, Taken};

/// The first report is sent so long after the day: a session of its last second may be settled later, with its message.
const SETTLED: SignedDuration = SignedDuration::from_hours(1);
/// Within how many seconds after that the others are.
const SPREAD: u64 = 3 * 60 * 60;
/// How long a report is tried.
const PATIENCE: SignedDuration = SignedDuration::from_hours(24);
/// The pauses between the tries, in minutes; the last one repeats.
const PAUSES: [i64; 5] = [15, 30, 60, 120, 240];
/// When to look again whether there is a key.
const KEY_AGAIN: SignedDuration = SignedDuration::from_mins(10);
/// Reports that are sent at once.
const AT_ONCE: usize = 64;
/// Domains that are read at a time.
const PAGE: usize = 500;
/// Reports whose next try is remembered; others are tried again about once an hour.
const REMEMBERED: usize = 10_000;

/// Sends what is due.
pub(crate) struct Schedule<S> {
    sender: Arc<Sender<S>>,
    /// By what this relay differs from others, which send their reports at other times.
    salt: String,
    /// When to try again, and how often it was tried.
    again: HashMap<(Date, Domain), (Timestamp, usize)>,
}

impl<S: KeepTlsTallies> Schedule<S> {
    pub(crate) fn new(sender: Arc<Sender<S>>, salt: String) -> Self {
        Self {
            sender,
            salt,
            again: HashMap::new(),
        }
    }

    /// Sends all reports about days that are over, as far as they are due now. What the spool refuses is tried again like
    /// what others refuse; its first error is returned once everything has had its turn.
    pub(crate) async fn look(&mut self, now: Timestamp) -> Result<(), SpoolError> {
        let begun = Instant::now();
        let mut due = self.due(now).await?;
        // Domains are named by strangers: nobody shall always come first.
        due.shuffle(&mut rand::rng());
        let sender = Arc::clone(&self.sender);
        let sending = due.into_iter().map(|(day, domain)| {
            let sender = &sender;
            async move {
                let sent = sender.send(day, &domain, later(now, begun)).await;
                (day, domain, sent)
            }
        });
        let mut sending = stream::iter(sending).buffer_unordered(AT_ONCE);
        let mut first_error = None;
        while let Some((day, domain, sent)) = sending.next().await {
            let error = self.sent(day, domain, sent, later(now, begun)).await.err();
            first_error = first_error.or(error);
        }
        self.again
            .retain(|(day, _), _| end_of(*day) + PATIENCE + PATIENCE > now);
        first_error.map_or(Ok(()), Err)
    }

    async fn due(&self, now: Timestamp) -> Result<Vec<(Date, Domain)>, SpoolError> {
        let today = now.to_zoned(TimeZone::UTC).date();
        let mut due = Vec::new();
        let days = self.sender.spool.tls_days().await?;
        for day in days.into_iter().filter(|day| day.day < today) {
            let mut after = None;
            loop {
                let page = self.sender.spool.tls_domains(day.day, after.take(), PAGE).await?;
                after = page.last().map(|last| last.domain.clone());
                let is_last = page.len() < PAGE;
                let domains = page.into_iter().map(|one| one.domain);
                let domains = domains.filter(|domain| self.is_due(day.day, domain, now));
                due.extend(domains.map(|domain| (day.day, domain)));
                if is_last {
                    break;
                }
            }
        }
        Ok(due)
    }

    async fn sent(
        &mut self,
        day: Date,
        domain: Domain,
        sent: Result<Taken, NotSent>,
        now: Timestamp,
    ) -> Result<(), SpoolError> {
        match sent {
            Ok(_) | Err(NotSent::Nothing(_)) => {
                self.again.remove(&(day, domain));
                Ok(())
            }
            Err(NotSent::Spool(error)) => {
                self.again_or_never(day, domain, now).await?;
                Err(error)
            }
            // It was not tried: when there is a key, it has all its tries.
            Err(NotSent::NoKey(_)) => self.wait(day, domain, now).await,
            Err(error) if error.is_passing() => self.again_or_never(day, domain, now).await,
            // Nobody wants it, or nobody can get it: why, the log has.
            Err(_) => self.sender.drop_report(day, &domain, None).await,
        }
    }

    fn is_due(&self, day: Date, domain: &Domain, now: Timestamp) -> bool {
        match self.again.get(&(day, domain.clone())) {
            Some((at, _)) => *at <= now,
            // Perhaps it failed already: then it has its turn once an hour.
            None if self.again.len() >= REMEMBERED => {
                let turn = (self.first(day, domain).as_second() - now.as_second()).div_euclid(60);
                turn < 0 && turn.rem_euclid(60) == 0
            }
            None => self.first(day, domain) <= now,
        }
    }

    /// When the report for a domain is sent: at the same time after a restart.
    fn first(&self, day: Date, domain: &Domain) -> Timestamp {
        end_of(day) + SETTLED + SignedDuration::from_secs(spread(&format!("{} {day} {domain}", self.salt)))
    }

    async fn again_or_never(&mut self, day: Date, domain: Domain, now: Timestamp) -> Result<(), SpoolError> {
        let tries = self.tries(day, &domain);
        let pause = PAUSES.get(tries).or(PAUSES.last()).copied().unwrap_or(60);
        let next = (now + SignedDuration::from_mins(pause), tries + 1);
        self.at(day, domain, next).await
    }

    /// Looks again soon. That is no try.
    async fn wait(&mut self, day: Date, domain: Domain, now: Timestamp) -> Result<(), SpoolError> {
        let tries = self.tries(day, &domain);
        self.at(day, domain, (now + KEY_AGAIN, tries)).await
    }

    fn tries(&self, day: Date, domain: &Domain) -> usize {
        let known = self.again.get(&(day, domain.clone()));
        known.map_or(0, |(_, tries)| *tries)
    }

    /// Tries it again at this time, or never if that is too late.
    async fn at(&mut self, day: Date, domain: Domain, next: (Timestamp, usize)) -> Result<(), SpoolError> {
        let first = self.first(day, &domain);
        let key = (day, domain);
        if next.0 > first + PATIENCE {
            self.again.remove(&key);
            let why = "it could not be sent within 24 hours";
            return self.sender.drop_report(day, &key.1, Some(why)).await;
        }
        if self.again.len() < REMEMBERED || self.again.contains_key(&key) {
            self.again.insert(key, next);
        }
        Ok(())
    }
}

/// What the time is, some time after the look began.
fn later(now: Timestamp, begun: Instant) -> Timestamp {
    let passed = SignedDuration::try_from(begun.elapsed()).unwrap_or_default();
    now.checked_add(passed).unwrap_or(now)
}

/// The first second after a day.
fn end_of(day: Date) -> Timestamp {
    let next = day.tomorrow().unwrap_or(day).to_zoned(TimeZone::UTC);
    next.map_or(Timestamp::MAX, |next| next.timestamp())
}

/// A number of seconds below [`SPREAD`], always the same for the same text (FNV-1a).
fn spread(text: &str) -> i64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    i64::try_from((hash >> 16) % SPREAD).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_spread_over_four_hours_after_midnight() {
        let day = jiff::civil::date(2026, 11, 29);
        assert_eq!(end_of(day).to_string(), "2026-11-30T00:00:00Z");
        let starts: Vec<i64> = (0..100)
            .map(|number| spread(&format!("relay.example {day} d{number}.example")))
            .collect();
        let quarter = |from: i64| {
            starts
                .iter()
                .filter(|start| (from..from + 2700).contains(start))
                .count()
        };
        for from in [0, 2700, 5400, 8100] {
            assert!((10..45).contains(&quarter(from)), "{from}: {}", quarter(from));
        }
        assert!(starts.iter().all(|start| (0..10_800).contains(start)));
    }
}
