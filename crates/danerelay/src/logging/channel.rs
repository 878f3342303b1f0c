//! The connection to one open target.

use std::sync::Arc;

use mail::record::Level;

use super::frame::Frame;
use super::queue::Queue;
use super::target::Target;

/// The lines for one target.
pub(super) struct Channel {
    pub(super) level: Level,
    pub(super) frame: Frame,
    pub(super) queue: Queue,
}

impl Channel {
    pub(super) fn new(target: &Target, level: Level) -> Arc<Self> {
        Arc::new(Self {
            level,
            frame: target.frame(),
            queue: Queue::default(),
        })
    }
}
