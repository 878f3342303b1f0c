//! When a deferred recipient is tried again, and when it is given up.

use std::time::Duration;

use jiff::Timestamp;
use mail::{ReversePath, TlsTag};

use crate::clock::later;
use crate::config::RetrySchedule;

/// By how much of itself a delay is lengthened at most, so that what failed together does not come back together.
pub(super) const JITTER: f64 = 0.2;

/// How long TLS reports of our own are tried.
const REPORT_AGE: Duration = Duration::from_hours(24);

/// How long one message is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Term {
    /// When it was accepted, as far as that can be trusted.
    pub(crate) accepted: Timestamp,
    /// When it has waited long enough.
    pub(crate) expiry: Timestamp,
    /// The number of attempts that must have ended before it is given up.
    pub(crate) least_attempts: u32,
}

impl Term {
    /// The same, but no longer than this.
    fn at_most(self, age: Duration, schedule: &RetrySchedule) -> Self {
        Self {
            accepted: self.accepted,
            expiry: self.expiry.min(later(self.accepted, age)),
            least_attempts: self.least_attempts.min(schedule.least_attempts(age)),
        }
    }
}

impl RetrySchedule {
    /// How long to try a message accepted at `created`, judged at `now` after `attempts` attempts. If it was accepted
    /// in the future, one of the two clock readings was wrong: then its age is derived from its attempts.
    pub(crate) fn term(
        &self,
        created: Timestamp,
        reverse_path: &ReversePath,
        attempts: u32,
        now: Timestamp,
    ) -> Term {
        let accepted = if created <= now {
            created
        } else {
            now.checked_sub(self.time_of(attempts)).unwrap_or(now)
        };
        let age = self.max_age_of(reverse_path);
        Term {
            accepted,
            expiry: later(accepted, age),
            least_attempts: self.least_attempts(age),
        }
    }

    /// The same for a message with this tag: a TLS report of our own is of no use after a day (RFC 8460 §5.5).
    pub(crate) fn term_of(&self, tag: TlsTag, term: Term) -> Term {
        match tag {
            TlsTag::OwnReport => term.at_most(REPORT_AGE, self),
            TlsTag::Usual | TlsTag::Required | TlsTag::NotRequired => term,
        }
    }

    /// When a waiting message is given up, judged at `now` after `attempts` attempts: at the end of its term, or if it
    /// was hardly tried until then, after the minimum number of attempts.
    pub fn gives_up(
        &self,
        created: Timestamp,
        (reverse_path, tag): (&ReversePath, TlsTag),
        attempts: u32,
        now: Timestamp,
    ) -> Timestamp {
        let term = self.term_of(tag, self.term(created, reverse_path, attempts, now));
        let needed = self.time_of(term.least_attempts.saturating_sub(1));
        let spent = self.time_of(attempts.saturating_sub(1));
        term.expiry.max(later(now, needed.saturating_sub(spent)))
    }

    /// When a message is given up that waits for its turn: at the end of its term, but only after it has waited for at least as
    /// long as the attempts would have taken that it lacks, and the one that it waits for. `since`: when it began to wait.
    pub(crate) fn outwaits(&self, term: Term, attempts: u32, since: Timestamp) -> Timestamp {
        let needed = self.time_of(term.least_attempts.max(attempts.saturating_add(1)));
        let missing = needed.saturating_sub(self.time_of(attempts));
        term.expiry.max(later(since, missing))
    }

    /// The time that this many attempts take, each with the delay after it.
    fn time_of(&self, attempts: u32) -> Duration {
        let listed: Duration = self
            .delays
            .iter()
            .zip(0..attempts)
            .fold(Duration::ZERO, |sum, (delay, _)| sum.saturating_add(*delay));
        let repeated = attempts.saturating_sub(u32::try_from(self.delays.len()).unwrap_or(u32::MAX));
        let last = self.delays.last().copied().unwrap_or_default();
        listed.saturating_add(last.saturating_mul(repeated))
    }

    fn max_age_of(&self, reverse_path: &ReversePath) -> Duration {
        match reverse_path {
            ReversePath::Null => self.bounce_max_age,
            ReversePath::Mailbox(_) => self.max_age,
        }
    }

    /// The minimum number of attempts before a message may be given up, however old it is: as many as there are listed
    /// delays that fit into `max_age` one after the other, at least one. A clock that was wrong, or a machine that
    /// slept, can make mail look old that was hardly tried.
    pub fn least_attempts(&self, max_age: Duration) -> u32 {
        let fitting = self
            .delays
            .iter()
            .scan(Duration::ZERO, |sum, delay| {
                *sum = sum.saturating_add(*delay);
                (*sum <= max_age).then_some(())
            })
            .count();
        u32::try_from(fitting).unwrap_or(u32::MAX).max(1)
    }

    /// The time of the next attempt after `attempts` attempts (at least one), or `None` if the message is given up.
    /// `jitter` is in 0..=1 and lengthens the delay by up to [`JITTER`]. It never shortens it: a receiver that greylists
    /// refuses a client that comes back too early (RFC 6647). The last attempt is made at the expiry itself, so that no
    /// message is given up without having been tried until then.
    pub(crate) fn next_attempt(
        &self,
        attempts: u32,
        now: Timestamp,
        term: Term,
        jitter: f64,
    ) -> Option<Timestamp> {
        let expired = now >= term.expiry;
        if expired && attempts >= term.least_attempts {
            return None;
        }
        let step = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        let delay = self
            .delays
            .get(step)
            .or(self.delays.last())
            .copied()
            .unwrap_or(Duration::from_hours(1));
        let spread = delay.as_secs_f64() * (1.0 + JITTER * jitter.clamp(0.0, 1.0));
        let next = later(now, Duration::try_from_secs_f64(spread).unwrap_or(Duration::MAX));
        Some(if expired { next } else { next.min(term.expiry) })
    }

    /// The first delay: a message older than that has been tried before.
    pub(crate) fn first_delay(&self) -> Duration {
        self.delays.first().copied().unwrap_or_default()
    }

    /// The longest delay: nothing waits longer for its next attempt, except for the jitter.
    pub(crate) fn longest_delay(&self) -> Duration {
        self.delays.iter().max().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MINUTE: u64 = 60;

    fn schedule() -> RetrySchedule {
        RetrySchedule {
            delays: vec![Duration::from_mins(5), Duration::from_mins(10)],
            max_age: Duration::from_hours(120),
            bounce_max_age: Duration::from_hours(1),
        }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_second(1_000_000 + i64::try_from(seconds).unwrap()).unwrap()
    }

    fn sender() -> ReversePath {
        ReversePath::parse("a@b.example").unwrap()
    }

    /// The seconds from one attempt to the next.
    fn delay(schedule: &RetrySchedule, attempts: u32, jitter: f64) -> i64 {
        let term = schedule.term(at(0), &sender(), 0, at(0));
        let next = schedule.next_attempt(attempts, at(0), term, jitter).unwrap();
        next.as_second() - at(0).as_second()
    }

    #[test]
    fn a_report_of_our_own_is_tried_for_a_day() {
        let schedule = RetrySchedule {
            delays: vec![Duration::from_hours(4)],
            max_age: Duration::from_hours(120),
            bounce_max_age: Duration::from_hours(120),
        };
        let usual = schedule.term(at(0), &ReversePath::Null, 0, at(0));
        let report = schedule.term_of(TlsTag::OwnReport, usual);
        assert_eq!(report.expiry, at(24 * 60 * MINUTE));
        assert_eq!(schedule.term_of(TlsTag::NotRequired, usual), usual);
        let short = schedule.term_of(
            TlsTag::OwnReport,
            Term {
                expiry: at(MINUTE),
                ..usual
            },
        );
        assert_eq!(short.expiry, at(MINUTE));
    }

    #[test]
    fn the_last_delay_repeats_until_the_expiry() {
        let schedule = schedule();
        let after = |attempts| delay(&schedule, attempts, 0.0);
        assert_eq!((after(1), after(2), after(9)), (300, 600, 600));
        let term = schedule.term(at(0), &sender(), 0, at(0));
        let late = term.expiry.checked_sub(Duration::from_secs(30)).unwrap();
        assert_eq!(schedule.next_attempt(9, late, term, 0.5), Some(term.expiry));
        assert_eq!(schedule.next_attempt(9, term.expiry, term, 0.5), None);
    }

    #[test]
    fn jitter_lengthens_a_delay_by_a_fifth_at_most() {
        let after = |jitter| delay(&schedule(), 1, jitter);
        assert_eq!((after(0.0), after(1.0)), (300, 360));
    }

    #[test]
    fn the_longest_delay_ends_at_the_expiry() {
        let schedule = RetrySchedule {
            delays: vec![Duration::MAX],
            ..schedule()
        };
        let term = schedule.term(at(0), &ReversePath::Null, 0, at(0));
        assert_eq!(schedule.next_attempt(1, at(0), term, 1.0), Some(term.expiry));
    }

    #[test]
    fn messages_without_a_sender_expire_on_their_own_clock() {
        let term = schedule().term(at(0), &ReversePath::Null, 9, at(5));
        assert_eq!(term.expiry, at(60 * MINUTE));
    }

    #[test]
    fn what_was_hardly_tried_is_not_given_up_however_old_it_looks() {
        let schedule = schedule();
        let years_later = at(100_000 * 60 * MINUTE);
        let term = schedule.term(at(0), &sender(), 0, years_later);
        assert_eq!(term.least_attempts, 2);
        assert_eq!(
            schedule.next_attempt(1, years_later, term, 0.0),
            Some(later(years_later, Duration::from_mins(5)))
        );
        assert_eq!(schedule.next_attempt(2, years_later, term, 0.0), None);
    }

    #[test]
    fn what_is_said_of_the_end_is_when_it_comes() {
        let schedule = schedule();
        let gives_up =
            |created, attempts, now| schedule.gives_up(created, (&sender(), TlsTag::Usual), attempts, now);
        let days = |days: u64| at(days * 24 * 60 * MINUTE);
        assert_eq!(gives_up(at(0), 0, at(0)), days(5));
        assert_eq!(gives_up(at(0), 9, days(1)), days(5));
        // The machine slept, or the clock was wrong: two attempts, five minutes apart.
        assert_eq!(
            gives_up(at(0), 0, days(9)),
            later(days(9), Duration::from_mins(5))
        );
        assert_eq!(
            gives_up(at(0), 1, days(9)),
            later(days(9), Duration::from_mins(5))
        );
        assert_eq!(gives_up(at(0), 2, days(9)), days(9));
        assert_eq!(gives_up(days(9), 0, at(0)), days(5));
    }

    #[test]
    fn who_waits_for_a_turn_has_the_time_of_the_attempts_it_lacks() {
        let schedule = schedule();
        let outwaits = |attempts, since| {
            let term = schedule.term(at(0), &sender(), attempts, since);
            schedule.outwaits(term, attempts, since)
        };
        let days = |days: u64| at(days * 24 * 60 * MINUTE);
        let after = |minutes| later(days(9), Duration::from_mins(minutes));
        assert_eq!(outwaits(0, at(0)), days(5));
        // The clock was wrong until then, or the message was held.
        assert_eq!(outwaits(0, days(9)), after(15));
        assert_eq!(outwaits(1, days(9)), after(10));
        assert_eq!(outwaits(7, days(9)), after(10));
    }

    #[test]
    fn only_delays_that_fit_into_the_age_count() {
        let schedule = schedule();
        let least = |minutes| schedule.least_attempts(Duration::from_mins(minutes));
        assert_eq!(
            (least(0), least(5), least(14), least(15), least(1000)),
            (1, 1, 1, 2, 2)
        );
    }

    #[test]
    fn mail_from_the_future_is_as_old_as_its_attempts_show() {
        let schedule = schedule();
        let accepted = |attempts| {
            let future = at(1_000_000 * MINUTE);
            let term = schedule.term(future, &sender(), attempts, at(1_000 * MINUTE));
            term.accepted
        };
        assert_eq!(accepted(0), at(1_000 * MINUTE));
        assert_eq!(accepted(1), at(995 * MINUTE));
        assert_eq!(accepted(4), at(965 * MINUTE));
    }
}
