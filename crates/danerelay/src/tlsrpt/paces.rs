//! How many reports one operator gets: whoever publishes a record says where reports go, be it to somebody who has never
//! asked for them (RFC 8460 §7).

use std::collections::HashMap;

use jiff::Timestamp;
use parking_lot::Mutex;

/// The most reports for one mail domain or web server within a minute.
const A_MINUTE: u32 = 60;

/// How many reports each host got within this minute.
#[derive(Debug, Default)]
pub(crate) struct Paces(Mutex<(i64, HashMap<String, u32>)>);

impl Paces {
    /// Whether another report may be sent there now; it counts.
    pub(crate) fn take(&self, host: &str, now: Timestamp) -> bool {
        let minute = now.as_second().div_euclid(60);
        let mut kept = self.0.lock();
        if kept.0 != minute {
            *kept = (minute, HashMap::new());
        }
        let sent = kept.1.entry(host.to_owned()).or_default();
        let may = *sent < A_MINUTE;
        *sent = sent.saturating_add(u32::from(may));
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_gets_so_many_a_minute() {
        let paces = Paces::default();
        let now = Timestamp::UNIX_EPOCH;
        let sent = |at| (0..1000).filter(|_| paces.take("a.example", at)).count();
        assert_eq!(sent(now), 60);
        assert!(paces.take("b.example", now));
        assert_eq!(sent(now + jiff::SignedDuration::from_secs(60)), 60);
    }
}
