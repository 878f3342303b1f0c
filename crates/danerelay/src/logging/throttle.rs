//! Limits how much of the log is available to sources that could fill it.
//!
//! An event with a [`Source`] is written while the source has lines left: ten at once, and one more each second, or
//! each minute for trouble of our own. All strangers together have a common limit as well, since one of them may have
//! many addresses; clients that may relay have no part in it. Events left out are counted; the next line of the source has their number in its field `more`, and
//! if there is none, a summary has it.
//!
//! A source is forgotten once it has all its lines again, and the table of sources is limited in octets: those that do
//! not fit share one entry.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use mail::Source;
use mail::event::Event;
use mail::event::log::Throttled;
use parking_lot::Mutex;

use crate::rate_limit::{Bucket, RateLimit};

/// The memory limit for the table of sources, in octets.
const TABLE: usize = 256 * 1024;
/// The maximum number of sources; a hash table is at worst a little less than half full.
const SOURCES: usize = TABLE / (2 * size_of::<(Source, SourceState)>() + 2);
/// How many of them can be strangers: the rest is for clients that may relay, and for trouble of our own.
const STRANGE_SOURCES: usize = SOURCES / 4 * 3;
/// After this long without an event of a source, the number left out is logged.
const QUIET: Duration = Duration::from_secs(10);
/// The same after this long if there are events but none is written.
const OVERDUE: Duration = Duration::from_mins(1);
/// Room for new sources is made at most this often.
const SWEEP: Duration = Duration::from_secs(1);
/// How many sources are named at once when the numbers left out are logged.
const NAMED: usize = 10;

/// For a client, and for a library, whose reports a stranger may cause.
const CLIENT: RateLimit = RateLimit::new(10, Duration::from_secs(1));
/// For trouble of our own, which lasts until somebody fixes it.
const TROUBLE: RateLimit = RateLimit::new(10, Duration::from_mins(1));
/// For all strangers together.
const STRANGERS: RateLimit = RateLimit::new(200, Duration::from_millis(50));

/// Counts events by their sources.
#[derive(Default)]
pub(super) struct Throttle(Mutex<Table>);

#[derive(Default)]
struct Table {
    sources: HashMap<Source, SourceState>,
    /// For all strangers together.
    strangers: Bucket<Instant>,
    /// For all sources that do not fit into the table.
    others: SourceState,
    swept: Option<Instant>,
}

/// A source of events.
#[derive(Clone, Copy, Default)]
struct SourceState {
    /// Its lines.
    lines: Bucket<Instant>,
    /// Events left out since the last one written.
    more: u64,
    /// When the last event came.
    seen: Option<Instant>,
    /// When an event was last written, or the number left out was logged.
    told: Option<Instant>,
}

/// How many lines it may have.
fn limit(source: Source) -> RateLimit {
    match source {
        Source::Client(_) | Source::Known(_) | Source::Library(_) => CLIENT,
        Source::Trouble(_) => TROUBLE,
    }
}

/// Whether it may be anybody.
fn is_strange(source: Source) -> bool {
    match source {
        Source::Client(_) | Source::Library(_) => true,
        Source::Known(_) | Source::Trouble(_) => false,
    }
}

/// How many sources there may be before this one.
fn most_before(source: Source) -> usize {
    if is_strange(source) {
        STRANGE_SOURCES
    } else {
        SOURCES
    }
}

impl Throttle {
    /// `Some(n)`: write the event; n before it were left out. `None`: it was only counted.
    pub(super) fn pass(&self, source: Source, now: Instant) -> Option<u64> {
        let mut table = self.0.lock();
        table.make_place(source, now);
        let Table {
            sources,
            strangers,
            others,
            ..
        } = &mut *table;
        let has_place = sources.len() < most_before(source) || sources.contains_key(&source);
        let state = if has_place {
            sources.entry(source).or_default()
        } else {
            others
        };
        let limit = limit(source);
        state.seen = Some(now);
        let is_strange = is_strange(source);
        if !state.lines.is_left(limit, now) || (is_strange && !strangers.is_left(STRANGERS, now)) {
            state.more = state.more.saturating_add(1);
            state.told.get_or_insert(now);
            return None;
        }
        state.lines.take(limit, now);
        if is_strange {
            strangers.take(STRANGERS, now);
        }
        state.told = Some(now);
        Some(std::mem::take(&mut state.more))
    }

    /// The summaries for sources that are quiet now. Sources that have all their lines again are forgotten.
    pub(super) fn sweep(&self, now: Instant) -> Vec<Event> {
        let mut table = self.0.lock();
        let summaries = table.summaries(|state| state.is_due(now), now);
        table.forget(now);
        summaries
    }

    /// The summaries of everything left out and not logged yet.
    pub(super) fn rest(&self) -> Vec<Event> {
        self.0.lock().summaries(|state| state.more > 0, Instant::now())
    }

    /// Whether there is nothing to sweep.
    pub(super) fn is_empty(&self) -> bool {
        let table = self.0.lock();
        table.sources.is_empty() && table.others.more == 0
    }
}

impl Table {
    /// Makes room for a new source if possible.
    fn make_place(&mut self, source: Source, now: Instant) {
        let swept_lately = self
            .swept
            .is_some_and(|swept| now.saturating_duration_since(swept) < SWEEP);
        if self.sources.len() >= most_before(source) && !swept_lately && !self.sources.contains_key(&source) {
            self.swept = Some(now);
            self.forget(now);
        }
    }

    fn forget(&mut self, now: Instant) {
        self.sources.retain(|_, state| !state.is_as_new(now));
        if self.sources.is_empty() {
            self.sources.shrink_to_fit();
        }
    }

    /// One event for each source that has something to report, and one for all beyond [`NAMED`].
    fn summaries(&mut self, is_due: impl Fn(&SourceState) -> bool, now: Instant) -> Vec<Event> {
        let mut due: Vec<(String, u64)> = Vec::new();
        let (mut unnamed, mut more) = (0_u64, 0_u64);
        for (source, state) in &mut self.sources {
            if !is_due(state) {
                continue;
            }
            let left_out = state.tell(now);
            if due.len() < NAMED {
                due.push((source.to_string(), left_out));
            } else {
                unnamed = unnamed.saturating_add(1);
                more = more.saturating_add(left_out);
            }
        }
        if is_due(&self.others) {
            due.push(("others".to_owned(), self.others.tell(now)));
        }
        if unnamed > 0 {
            due.push((format!("{unnamed} others"), more));
        }
        due.into_iter()
            .map(|(source, more)| summary(source, more))
            .collect()
    }
}

impl SourceState {
    /// The number left out, which is logged now.
    fn tell(&mut self, now: Instant) -> u64 {
        self.told = Some(now);
        std::mem::take(&mut self.more)
    }

    fn is_due(&self, now: Instant) -> bool {
        let since =
            |time: Option<Instant>| time.map_or(Duration::ZERO, |time| now.saturating_duration_since(time));
        self.more > 0 && (since(self.seen) >= QUIET || since(self.told) >= OVERDUE)
    }

    fn is_as_new(&self, now: Instant) -> bool {
        self.more == 0 && self.lines.is_full(now)
    }
}

fn summary(source: String, more: u64) -> Event {
    Event::Throttled(Throttled { source, more })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::{IpAddr, Ipv6Addr};

    use super::*;
    use mail::Network;

    fn client(number: u32) -> Source {
        Source::client(Ipv6Addr::from_bits((0x2001_0db8 << 96) | (u128::from(number) << 64)).into())
    }

    fn texts(events: &[Event]) -> Vec<String> {
        events.iter().map(Event::to_text).collect()
    }

    #[test]
    fn ten_at_once_then_one_a_second_and_what_is_left_out_is_counted() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let source = Source::client(IpAddr::from([192, 0, 2, 1]));
        let (mut written, mut left_out) = (0, 0);
        // A hundred a second for a minute.
        for number in 0..6000 {
            if let Some(more) = throttle.pass(source, start + Duration::from_millis(number * 10)) {
                written += 1;
                left_out += more;
            }
        }
        assert_eq!(written, 10 + 59);
        let end = start + Duration::from_mins(1);
        assert_eq!(texts(&throttle.sweep(end)), Vec::<String>::new());
        let told = texts(&throttle.sweep(end + QUIET));
        let rest = 6000 - written - left_out;
        assert_eq!(
            told,
            [format!(
                "source=\"client 192.0.2.1\", more={rest}, reason=\"further lines of this source were left out\", event=throttled"
            )]
        );
        assert!(
            throttle.is_empty(),
            "it is forgotten when it has all its lines again"
        );
    }

    #[test]
    fn one_that_keeps_quiet_for_a_while_has_lines_again_and_others_have_theirs() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        for _ in 0..20 {
            throttle.pass(client(1), start);
        }
        assert_eq!(throttle.pass(client(1), start), None);
        assert_eq!(throttle.pass(client(2), start), Some(0));
        let later = start + Duration::from_secs(5);
        assert_eq!(throttle.pass(client(1), later), Some(11));
        assert!((0..4).all(|_| throttle.pass(client(1), later) == Some(0)));
        assert_eq!(throttle.pass(client(1), later), None);
    }

    #[test]
    fn trouble_of_our_own_is_told_each_minute() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let accept = Source::Trouble("accept");
        let told = (0..3600).filter(|second| {
            let now = start + Duration::from_secs(*second);
            throttle.pass(accept, now).is_some()
        });
        assert_eq!(told.count(), 10 + 59);
    }

    #[test]
    fn many_sources_have_a_bound_in_common_and_the_table_has_one_in_octets() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let (mut written, mut left_out) = (0_u64, 0_u64);
        // A million networks in ten seconds.
        for number in 0..1_000_000 {
            let now = start + Duration::from_micros(u64::from(number) * 10);
            if let Some(more) = throttle.pass(client(number), now) {
                written += 1;
                left_out += more;
            }
        }
        assert!((200..=401).contains(&written), "{written}");
        {
            let table = throttle.0.lock();
            assert!(table.sources.len() <= SOURCES);
            let octets = table.sources.capacity() * (size_of::<(Source, SourceState)>() + 1);
            assert!(octets <= TABLE, "{octets}");
        }
        // Even now one that may relay has its lines.
        let (known, end) = (
            Source::Known(Network::of(IpAddr::from([192, 0, 2, 1]))),
            start + Duration::from_secs(10),
        );
        assert!((0..10).all(|_| throttle.pass(known, end) == Some(0)));
        // All of them are accounted for, in few lines, and nothing is kept.
        let told = throttle.sweep(start + Duration::from_mins(2));
        assert!(told.len() <= NAMED + 2);
        let counts = told.iter().map(|event| match event {
            Event::Throttled(throttled) => throttled.more,
            _ => 0,
        });
        assert_eq!(written + left_out + counts.sum::<u64>(), 1_000_000);
        assert!(throttle.is_empty());
    }

    #[test]
    fn one_that_others_leave_no_line_is_told_of_all_the_same() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        for number in 1000..1200 {
            throttle.pass(client(number), start);
        }
        assert_eq!(throttle.pass(client(1), start), None);
        let accept = Source::Trouble("accept");
        assert_eq!(
            throttle.pass(accept, start),
            Some(0),
            "our own trouble has no part in it"
        );
        let known = Source::Known(Network::of(IpAddr::from([192, 0, 2, 1])));
        assert_eq!(
            throttle.pass(known, start),
            Some(0),
            "nor have clients that may relay"
        );
        let told = texts(&throttle.sweep(start + QUIET));
        assert_eq!(told.len(), 1);
        assert!(
            told.first()
                .unwrap()
                .starts_with("source=\"client 2001:db8:0:1::/64\", more=1,")
        );
    }
}
