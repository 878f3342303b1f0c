//! What the sink has seen of one measurement's mail.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Shared by the sink, which fills it, and who waits for the mail.
#[derive(Debug)]
pub(crate) struct Arrivals {
    start: Instant,
    greets: bool,
    seen: Mutex<Seen>,
}

/// All that arrived so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// By message number: when its final dot came, since the start.
    times: Vec<Option<Duration>>,
    /// How many of them are there.
    pub(crate) messages: usize,
    /// When the last of them came.
    pub(crate) last: Duration,
    /// TLS handshakes that were completed.
    pub(crate) tls_sessions: usize,
    /// What must not be: a message that came twice, damaged, or for another recipient.
    pub(crate) wrong: Vec<String>,
}

impl Arrivals {
    /// Nothing yet, of so many messages; the time starts now. If it does not greet, clients are left waiting.
    pub(crate) fn expect(messages: usize, greets: bool) -> Self {
        let seen = Seen {
            times: vec![None; messages],
            ..Seen::default()
        };
        Self {
            start: Instant::now(),
            greets,
            seen: Mutex::new(seen),
        }
    }

    /// How long ago the start was.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Whether clients are greeted.
    pub(crate) fn greets(&self) -> bool {
        self.greets
    }

    /// A client has completed its handshake.
    pub(crate) fn tls_session(&self) {
        self.seen.lock().tls_sessions += 1;
    }

    /// A message's final dot has come: by its envelope it is this one, by its content that one.
    pub(crate) fn message(&self, envelope: Option<usize>, content: Option<usize>) {
        let time = self.start.elapsed();
        let mut seen = self.seen.lock();
        let Some(number) = content.filter(|_| content == envelope) else {
            seen.wrong
                .push(format!("message {envelope:?} has the content of {content:?}"));
            return;
        };
        match seen.times.get_mut(number) {
            Some(place @ None) => {
                *place = Some(time);
                seen.messages += 1;
                seen.last = time;
            }
            Some(Some(_)) => seen.wrong.push(format!("message {number} came twice")),
            None => seen.wrong.push(format!("message {number} was never sent")),
        }
    }

    /// When this message came.
    pub(crate) fn time_of(&self, number: usize) -> Option<Duration> {
        self.seen.lock().times.get(number).copied().flatten()
    }

    /// How many messages have come.
    pub(crate) fn count(&self) -> usize {
        self.seen.lock().messages
    }

    /// All of it so far.
    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_counts_once() {
        let arrivals = Arrivals::expect(2, true);
        arrivals.message(Some(1), Some(1));
        assert_eq!(arrivals.count(), 1);
        assert!(arrivals.time_of(0).is_none() && arrivals.time_of(1).is_some());
        arrivals.message(Some(1), Some(1));
        arrivals.message(Some(0), Some(1));
        arrivals.message(Some(0), None);
        arrivals.message(Some(2), Some(2));
        assert_eq!(arrivals.count(), 1);
        assert_eq!(arrivals.seen().wrong.len(), 4);
    }
}
