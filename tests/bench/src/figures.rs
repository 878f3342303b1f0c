//! What a measurement has found.

use std::time::Duration;

use crate::contender::Contender;
use crate::work::Work;

/// One measurement: whose, of what, and what it has found or why it is void.
pub(crate) struct Row {
    pub(crate) contender: Contender,
    pub(crate) work: Work,
    pub(crate) result: Result<Figures, String>,
}

/// One relay's figures for one piece of work.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    /// Messages accepted a second, from the first connection to the last 250.
    pub(crate) accepted: f64,
    /// Messages through the relay a second, from the first connection to the last arrival; none if they are held.
    pub(crate) through: Option<f64>,
    /// Processor time of the relay's processes, in milliseconds a message.
    pub(crate) relay_cost: f64,
    /// The same of feeder and sink.
    pub(crate) lab_cost: f64,
    /// The most memory that was seen of the relay's processes (PSS), in MB.
    pub(crate) memory: f64,
    /// TLS sessions that the sink has seen.
    pub(crate) tls_sessions: usize,
    /// Calls of fsync and fdatasync, a message, where they can be counted.
    pub(crate) syncs: Option<f64>,
    /// From MAIL to the reply to the final dot.
    pub(crate) accepting: Spread,
    /// From MAIL to the arrival, of messages that travel alone.
    pub(crate) travelling: Option<Spread>,
}

impl Figures {
    /// In a few words.
    pub(crate) fn brief(&self) -> String {
        let through = self.through.map(|rate| format!("{rate:.0}/s through, "));
        format!(
            "{:.0}/s accepted, {}{:.2} ms a message",
            self.accepted,
            through.unwrap_or_default(),
            self.relay_cost
        )
    }
}

/// The middle and the far end of many times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spread {
    pub(crate) median: Duration,
    /// The 99th percentile.
    pub(crate) slow: Duration,
}

impl Spread {
    /// Of these times; none if there are none.
    pub(crate) fn of(mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        let last = times.len().checked_sub(1)?;
        Some(Self {
            median: times[last / 2],
            slow: times[last * 99 / 100],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_in_order() {
        let times = (1..=101).rev().map(Duration::from_millis).collect();
        let spread = Spread {
            median: Duration::from_millis(51),
            slow: Duration::from_millis(100),
        };
        assert_eq!(Spread::of(times), Some(spread));
        assert_eq!(Spread::of(Vec::new()), None);
    }
}
