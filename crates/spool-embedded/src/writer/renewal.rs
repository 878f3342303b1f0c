//! A log that was kept because the disk failed is checkpointed from its beginning once the disk works.

use std::io::{self, Write};
use std::path::Path;

use mail::event::store::{Failed, Store};

use super::database::Database;
use crate::disk::bodies::Directories;
use crate::error::Result;
use crate::reading::pool::Readers;
use crate::shared::Shared;

/// Octets that are written to see whether the disk takes them: more than the few that a used-up quota may leave.
const PROBE: usize = 64 << 10;

/// Checkpoints, from its beginning, a log that has been kept for a while. All connections are closed for it, because
/// `SQLite` remembers how much it has checkpointed as long as one is open.
///
/// Commits wait for it. An error if the database cannot be reopened; after any other failure the log is kept for another
/// while.
pub(super) fn renew_if_due(
    shared: &Shared,
    database: &mut Database,
    readers: &Readers,
    directories: &Directories,
) -> Result<()> {
    let (checkpoints, teller) = (&shared.checkpoints, &shared.teller);
    if !checkpoints.renewal_is_due() {
        return Ok(());
    }
    if probe(&directories.incoming()).is_err() {
        checkpoints.postpone_renewal();
        return Ok(());
    }
    let _paused = readers.pause();
    database.close();
    match checkpoints.start_anew() {
        Ok(()) => teller.tell(Store::LogCarriedOver),
        Err(error) => teller.failed(Failed::NewLog, &error),
    }
    database.open()
}

/// Whether a file can be written and synced.
pub(super) fn probe(directory: &Path) -> io::Result<()> {
    let mut file = tempfile::tempfile_in(directory)?;
    file.write_all(&vec![0; PROBE])?;
    file.sync_all()
}
