//! How many reports one operator gets: whoever publishes a record says where reports go, be it to somebody who has never
//! asked for them (RFC 8460 §7).

use std::collections::HashMap;

use jiff::Timestamp;
use parking_lot::Mutex;

/// The most reports for one mail domain or web server within a minute.
const A_MINUTE: u32 = 60;
/// And within a day.
const A_DAY: u32 = 2_000;
/// Hosts whose day is remembered; of others only the minute counts.
const REMEMBERED: usize = 10_000;

/// How many reports each host got within this minute and this day.
#[derive(Debug, Default)]
pub(crate) struct Paces(Mutex<Sent>);

#[derive(Debug, Default)]
struct Sent {
    minute: Span,
    day: Span,
}

#[derive(Debug, Default)]
struct Span {
    number: i64,
    sent: HashMap<String, u32>,
}

impl Paces {
    /// Whether another report may be sent there now; it counts.
    pub(crate) fn take(&self, host: &str, now: Timestamp) -> bool {
        let mut sent = self.0.lock();
        let Sent { minute, day } = &mut *sent;
        minute.begin(now.as_second().div_euclid(60));
        day.begin(now.as_second().div_euclid(24 * 60 * 60));
        let may = minute.of(host) < A_MINUTE && day.of(host) < A_DAY;
        if may {
            minute.add(host);
            if day.sent.len() < REMEMBERED || day.sent.contains_key(host) {
                day.add(host);
            }
        }
        may
    }
}

impl Span {
    fn begin(&mut self, number: i64) {
        if self.number != number {
            *self = Self {
                number,
                sent: HashMap::new(),
            };
        }
    }

    fn of(&self, host: &str) -> u32 {
        self.sent.get(host).copied().unwrap_or(0)
    }

    fn add(&mut self, host: &str) {
        let sent = self.sent.entry(host.to_owned()).or_default();
        *sent = sent.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_gets_so_many_a_minute() {
        let paces = Paces::default();
        let minute = |number| Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_mins(number);
        let sent = |at| (0..1000).filter(|_| paces.take("a.example", at)).count();
        assert_eq!(sent(minute(0)), 60);
        assert!(paces.take("b.example", minute(0)));
        assert_eq!(sent(minute(1)), 60);
        assert_eq!(
            (2..100).map(|number| sent(minute(number))).sum::<usize>(),
            2_000 - 120
        );
        assert_eq!(sent(minute(24 * 60)), 60);
    }
}
