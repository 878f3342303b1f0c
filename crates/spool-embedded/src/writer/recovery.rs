//! When writing fails.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use spool::SpoolError;

use super::Writer;
use crate::log::checkpoints::Extent;

/// How long to wait before a full disk is tried again, and how often clients are answered while nothing can be written.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 1000 });
/// The longest wait before a disk that fails is tried again: each time the whole database is read and checked.
const LONGEST: Duration = Duration::from_secs(30);

impl Writer {
    /// After a failed write: makes room, or reopens the database and checks it, until something has been written; an error
    /// if the spool is to end before that.
    pub(super) fn recover(&mut self, mut error: SpoolError) -> Result<(), SpoolError> {
        let mut wait = Duration::ZERO;
        loop {
            self.shared.complaint.lock().failed(&error);
            let is_full = matches!(error, SpoolError::Full);
            let may_go_on = if is_full {
                self.make_room(&error)
            } else {
                // Until something has been written: a disk that can only be read is no use to clients.
                self.shared.broken.store(true, Ordering::Relaxed);
                self.pause(wait, &error)
            };
            if !may_go_on {
                return Err(error);
            }
            match self.try_again(is_full) {
                Ok(()) => break,
                Err(again) => error = again,
            }
            wait = longer(wait);
        }
        self.shared.broken.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// On a full disk: makes room for what cannot be refused, or waits; false if the spool is to end.
    fn make_room(&mut self, error: &SpoolError) -> bool {
        self.shared.space.found_full();
        if !self.inbox.must_write() {
            return true;
        }
        // A log that is in the database as a whole begins anew, in the room that it has. Whether it was possible the next
        // attempt shows.
        let _ = self.shared.checkpoints.carry_over(Extent::Possible);
        self.shared.note_owed();
        self.reserve.give_back() || self.pause(PAUSE, error)
    }

    /// Writes what is waiting; after anything but a full disk, or a failed reopening, the database is reopened first, and
    /// something is written in any case.
    fn try_again(&mut self, is_full: bool) -> Result<(), SpoolError> {
        if !is_full || !self.database.is_open() {
            self.database.recover()?;
        } else if !self.inbox.must_write() {
            return Ok(());
        }
        self.write_next()
    }

    /// Waits, and refuses the clients that arrive meanwhile; false if the spool is to end.
    fn pause(&mut self, wait: Duration, error: &SpoolError) -> bool {
        let mut left = wait;
        while !left.is_zero() {
            thread::sleep(PAUSE.min(left));
            left = left.saturating_sub(PAUSE);
            self.inbox.refuse_new(error);
            if self.inbox.is_closing() {
                return false;
            }
        }
        true
    }
}

/// How long to wait the next time.
fn longer(wait: Duration) -> Duration {
    wait.saturating_mul(2).clamp(PAUSE, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_fails_is_tried_at_once_and_then_less_and_less_often() {
        let mut waits = vec![Duration::ZERO];
        for _ in 0..20 {
            waits.extend(waits.last().map(|wait| longer(*wait)));
        }
        assert!(waits.is_sorted());
        assert_eq!(waits.iter().filter(|wait| wait.is_zero()).count(), 1);
        assert_eq!(waits.last(), Some(&LONGEST));
    }
}
