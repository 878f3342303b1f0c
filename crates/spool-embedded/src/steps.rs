//! The steps between which a process can die or a write can fail; tests make them.

/// A step of making something durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Before a large content is synced.
    Sync,
    /// Before it is moved to its place.
    Publish,
    /// Before its directory is synced.
    SyncDirectory,
    /// Before anything is written to the database.
    Begin,
    /// With everything written but the end of the transaction.
    Commit,
    /// With the transaction durable, and nobody knowing.
    Committed,
    /// Before a content without its message is removed.
    Remove,
    /// Before the log is carried over.
    Checkpoint,
    /// Before a log that was kept is carried over.
    Renew,
    /// While the database is opened again.
    Reopen,
}

/// Tests let a process die here.
#[cfg(not(test))]
pub(super) fn reach(_: Place) {}

/// Dies without any tidying up when the place is reached for the n-th time that `SPOOL_DIES_AT` names, as `Commit 3`.
#[cfg(test)]
pub(super) fn reach(place: Place) {
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
