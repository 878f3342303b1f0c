//! When writing fails.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use spool::SpoolError;

use super::database::Database;
use super::inbox::Inbox;
use crate::disk::reserve::Reserve;
use crate::shared::Shared;

/// How long to wait before a disk that failed is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// After a failed write: makes room, or reopens the database and checks it, until that helps; false if the spool is to end
/// before it does.
pub(super) fn recover(
    error: &SpoolError,
    database: &mut Database,
    inbox: &mut Inbox,
    reserve: &mut Reserve,
    shared: &Shared,
) -> bool {
    if matches!(error, SpoolError::Full) {
        shared.space.found_full();
        // The reserve is only for what cannot be refused.
        if inbox.must_write() && !reserve.give_back() {
            pause(inbox, error);
            return !inbox.is_closing();
        }
        return true;
    }
    shared.broken.store(true, Ordering::Relaxed);
    while let Err(again) = database.recover() {
        pause(inbox, &again.into());
        if inbox.is_closing() {
            return false;
        }
    }
    shared.broken.store(false, Ordering::Relaxed);
    true
}

/// Waits a little, and refuses the clients that arrived meanwhile.
fn pause(inbox: &mut Inbox, error: &SpoolError) {
    thread::sleep(PAUSE);
    inbox.refuse_new(error);
}
