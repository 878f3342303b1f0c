//! The steps between which a process can die and a write can fail; tests trigger these.

#[cfg(test)]
use std::{
    collections::VecDeque,
    sync::{Arc, mpsc},
};

#[cfg(test)]
use parking_lot::Mutex;
#[cfg(test)]
use rusqlite::ffi::ErrorCode;
#[cfg(test)]
use tokio::sync::oneshot;

/// A step of making something durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Before a large content is synced.
    Sync,
    /// Before it is moved to its place.
    Publish,
    /// Before its directory is synced.
    SyncDirectory,
    /// Before anything is written to the database.
    Begin,
    /// After everything but the end of the transaction is written.
    Commit,
    /// When the transaction is durable, but nobody knows.
    Committed,
    /// Before a content without its message is removed.
    Remove,
    /// Before the log is carried over.
    Checkpoint,
    /// Before a kept log is checkpointed.
    Renew,
    /// While the database is being reopened.
    Reopen,
    /// Before it is found out why a write was refused.
    Probe,
}

/// Errors that tests have ordered: they occur in this order, each at its own place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    #[cfg(test)]
    ordered: Arc<Mutex<VecDeque<(Place, ErrorCode)>>>,
    /// Where the writer is to wait, once: whom it tells that it does, and until when.
    #[cfg(test)]
    held: Arc<Mutex<Option<Held>>>,
}

#[cfg(test)]
type Held = (Place, oneshot::Sender<()>, mpsc::Receiver<()>);

#[cfg(not(test))]
impl Faults {
    /// Tests let the process die here, or order an error at this place.
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "faults exist in tests only"
    )]
    pub(crate) fn at(&self, place: Place) -> rusqlite::Result<()> {
        reach(place);
        Ok(())
    }
}

#[cfg(test)]
impl Faults {
    pub(crate) fn at(&self, place: Place) -> rusqlite::Result<()> {
        reach(place);
        let held = self.held.lock().take_if(|(at, ..)| *at == place);
        if let Some((_, reached, released)) = held {
            let _ = reached.send(());
            let _ = released.recv();
        }
        let mut ordered = self.ordered.lock();
        match ordered.front() {
            Some((at, code)) if *at == place => {
                let code = rusqlite::ffi::Error {
                    code: *code,
                    extended_code: 0,
                };
                ordered.pop_front();
                Err(rusqlite::Error::SqliteFailure(code, None))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Orders these errors, after those already ordered.
    pub(crate) fn order(&self, faults: &[(Place, ErrorCode)]) {
        self.ordered.lock().extend(faults);
    }

    /// The writer waits at this place, the next time that it is there, until what is returned second is dropped. The first
    /// tells when it has come.
    pub(crate) fn hold(&self, place: Place) -> (oneshot::Receiver<()>, mpsc::Sender<()>) {
        let (reached, has_come) = oneshot::channel();
        let (release, released) = mpsc::channel();
        *self.held.lock() = Some((place, reached, released));
        (has_come, release)
    }

    /// Whether all have happened.
    pub(crate) fn are_over(&self) -> bool {
        self.ordered.lock().is_empty()
    }
}

/// Tests let a process die here.
#[cfg(not(test))]
pub(crate) fn reach(_: Place) {}

/// Dies without cleaning up when the place is reached for the n-th time, as `SPOOL_DIES_AT` says, for example `Commit 3`.
#[cfg(test)]
pub(crate) fn reach(place: Place) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    static DEADLY: OnceLock<Option<(String, usize)>> = OnceLock::new();
    static REACHED: AtomicUsize = AtomicUsize::new(0);
    let deadly = DEADLY.get_or_init(|| {
        let words = std::env::var("SPOOL_DIES_AT").ok()?;
        let (name, count) = words.split_once(' ')?;
        Some((name.to_owned(), count.parse().ok()?))
    });
    if let Some((name, count)) = deadly
        && *name == format!("{place:?}")
        && REACHED.fetch_add(1, Ordering::SeqCst) + 1 == *count
    {
        std::process::abort();
    }
}
