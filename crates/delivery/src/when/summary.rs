//! What the log is told now and then of a destination that is held up.

use std::time::Duration;

use mail::event::delivery::{DestinationHeldUp, HeldUp};

/// How often the log is told.
pub(super) const EVERY: Duration = Duration::from_mins(1);

/// What the next summary says.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) is_due: bool,
    pub(super) refused: u64,
    pub(super) not_tried: u64,
    /// Messages had to wait for their moment.
    pub(super) is_paced: bool,
}

impl Summary {
    /// Whether it becomes due from now on.
    pub(super) fn begins(&mut self) -> bool {
        let begins = !self.is_due && (self.refused > 0 || self.not_tried > 0 || self.is_paced);
        self.is_due |= begins;
        begins
    }

    /// What it says of a destination that works, for which so many wait; nothing if they only had to wait for their moment,
    /// and none waits any more.
    pub(super) fn told(self, next_hop: String, waiting: u64) -> Option<DestinationHeldUp> {
        let Self {
            refused, not_tried, ..
        } = self;
        let is_paced = refused == 0 && not_tried == 0;
        (!is_paced || waiting > 0).then_some(DestinationHeldUp {
            next_hop,
            how: if is_paced { HeldUp::Paced } else { HeldUp::Limited },
            limit: 0,
            refused,
            not_tried,
            waiting,
            reason: None,
        })
    }
}
