//! A log that was kept because the disk failed is carried over from its beginning, once the disk works.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use super::checkpoints::carry_over_alone;
use super::schema;
use super::steps::Place;
use super::writer::Writer;
use spool::SpoolError;

impl Writer {
    /// Carries a log over that has been kept for a while, from its beginning: all connections are closed for it, because
    /// `SQLite` remembers, as long as one is open, how much it has carried over.
    ///
    /// Commits wait for it. An error where the database cannot be opened again; what else fails leaves the
    /// log kept for another while.
    pub(super) fn renew_if_due(&mut self) -> Result<(), SpoolError> {
        if !self.shared.checkpoints.renewal_is_due() {
            return Ok(());
        }
        if !works(&self.directories.incoming()) {
            self.shared.checkpoints.postpone_renewal();
            return Ok(());
        }
        let readers = Arc::clone(&self.readers);
        let _paused = readers.pause();
        self.connection = None;
        let carried = self.shared.checkpoints.start_anew(|database| {
            self.shared.fault(Place::Renew)?;
            carry_over_alone(database)
        });
        match carried {
            Ok(()) => tracing::warn!("the disk works: the spool's log is carried over"),
            Err(error) => {
                tracing::warn!(%error, "the spool's log could not be carried over, and is still kept");
            }
        }
        // Before the writer's, so that what stands in the log is on the disk before more is added.
        self.shared.checkpoints.open()?;
        let connection = schema::open_writer(&self.database, self.options.cache_bytes)?;
        Ok(self.take_up(connection)?)
    }
}

/// Whether a file can be written and synced.
fn works(directory: &Path) -> bool {
    let probe = || -> io::Result<()> {
        let mut file = tempfile::tempfile_in(directory)?;
        file.write_all(&[0; 4096])?;
        file.sync_all()
    };
    probe().is_ok()
}
