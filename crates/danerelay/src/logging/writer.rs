//! The thread that writes lines to one target.

use std::time::Duration;

use mail::event::log::LogTrouble;
use mail::event::{Event, EventLog};

use super::channel::Channel;
use super::queue::{Batch, Taken};
use super::target::Target;

/// The pause before a target that fails is tried again.
const PAUSE: Duration = Duration::from_millis(250);
/// How often a failing target is tried again after another one has replaced it.
const LAST_TRIES: u32 = 20;
/// How often to check for events left out, while there are any.
const SWEEP: Duration = Duration::from_secs(1);

/// The log whose lines are written.
pub(super) trait Written: EventLog {
    /// Whether events were left out and not logged yet.
    fn has_left_out(&self) -> bool;
    /// Logs how many events were left out from sources that are quiet now.
    fn tell_left_out(&self);
}

/// Writes the lines of the channel's queue until it is closed.
pub(super) fn run(logger: &dyn Written, channel: &Channel, mut target: Target) {
    let mut batch = Batch::default();
    loop {
        let nap = logger.has_left_out().then_some(SWEEP);
        match channel.queue.take(&mut batch, nap) {
            Taken::Lines { lost } => {
                if lost > 0 {
                    batch.push(&channel.frame.of(&gap(lost)));
                }
                write(logger, channel, &mut target, &batch);
                batch.clear();
            }
            Taken::Nothing => {}
            Taken::Closed => return,
        }
        logger.tell_left_out();
    }
}

/// Writes a batch, with as many attempts as needed.
fn write(logger: &dyn Written, channel: &Channel, target: &mut Target, batch: &Batch) {
    let mut written = 0;
    let mut has_complained = false;
    let mut tries = 0_u32;
    while let Err(error) = target.write(batch, &mut written) {
        if !has_complained {
            target.complain(&error);
            has_complained = true;
        }
        if channel.queue.pause(PAUSE) {
            tries = tries.saturating_add(1);
        }
        if tries > LAST_TRIES {
            // The log has another target by now: it is reported there.
            logger.write(&gap(batch.lines_from(written)));
            return;
        }
    }
}

/// The event in place of missing lines.
fn gap(lost: u64) -> Event {
    Event::Log(LogTrouble::Lost(lost))
}
