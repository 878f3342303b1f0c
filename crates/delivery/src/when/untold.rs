//! When to tell each message's sender.

use std::collections::{BTreeSet, HashMap};

use mail::QueueId;
use tokio::time::Instant;

/// Reports to be made, by a clock that nobody can set; one per message.
#[derive(Default)]
pub(crate) struct Untold {
    times: BTreeSet<(Instant, QueueId)>,
    messages: HashMap<QueueId, Instant>,
}

impl Untold {
    /// Schedules a report on this message at `at`, unless it already has an earlier one.
    pub(crate) fn insert(&mut self, at: Instant, id: QueueId) {
        if self.messages.get(&id).is_some_and(|known| *known <= at) {
            return;
        }
        if let Some(later) = self.messages.insert(id, at) {
            self.times.remove(&(later, id));
        }
        self.times.insert((at, id));
    }

    /// The time of the first report.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.times.first().map(|(at, _)| *at)
    }

    /// A message whose report is due.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<QueueId> {
        self.times.first().filter(|(at, _)| *at <= now)?;
        let (_, id) = self.times.pop_first()?;
        self.messages.remove(&id);
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_message_is_told_of_once_and_at_the_earliest_time() {
        let mut untold = Untold::default();
        let (id, other, now) = (QueueId::generate(), QueueId::generate(), Instant::now());
        let at = |seconds| now + Duration::from_secs(seconds);
        for seconds in [20, 30, 10, 40] {
            untold.insert(at(seconds), id);
        }
        untold.insert(at(15), other);
        assert_eq!((untold.times.len(), untold.messages.len()), (2, 2));
        assert_eq!(untold.next(), Some(at(10)));
        assert_eq!(untold.take_due(at(9)), None);
        assert_eq!(untold.take_due(at(10)), Some(id));
        assert_eq!(untold.take_due(at(99)), Some(other));
        assert_eq!(untold.take_due(at(99)), None);
        assert!(untold.messages.is_empty());
    }
}
