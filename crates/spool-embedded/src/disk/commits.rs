//! How many transactions were known to be durable, kept beside the database.
//!
//! If the write-ahead log is damaged in the middle, `SQLite` ends its recovery there without an error, and a database that
//! was replaced by an older copy looks like any other. The number in this file is never higher than what was synced, so a
//! database with a lower count has lost transactions.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use mail::event::store::{Failed, Store};

use crate::telling::Teller;

/// The file.
#[derive(Debug, Clone)]
pub(crate) struct CommitsFile {
    directory: PathBuf,
}

impl CommitsFile {
    /// In the directory of the spool.
    pub(crate) fn of(spool: &Path) -> Self {
        Self {
            directory: spool.to_owned(),
        }
    }

    /// The number, if one was written.
    pub(crate) fn read(&self, teller: &Teller) -> Option<u64> {
        let text = match fs::read_to_string(self.path()) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                teller.failed(Failed::ReadDurable, &error);
                return None;
            }
        };
        let number = text.trim_end().parse().ok();
        if number.is_none() {
            teller.tell(Store::DurableUnclear);
        }
        number
    }

    /// Writes the number, durably and atomically.
    pub(crate) fn write(&self, commits: u64) -> io::Result<()> {
        let new = self.directory.join("commits.new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        writeln!(file, "{commits}")?;
        file.sync_data()?;
        fs::rename(new, self.path())?;
        File::open(&self.directory)?.sync_all()
    }

    fn path(&self) -> PathBuf {
        self.directory.join("commits")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_number_is_kept_and_nonsense_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let file = CommitsFile::of(directory.path());
        assert_eq!(file.read(&Teller::nobody()), None);
        file.write(7).unwrap();
        file.write(12).unwrap();
        assert_eq!(file.read(&Teller::nobody()), Some(12));
        fs::write(directory.path().join("commits"), b"1x").unwrap();
        assert_eq!(file.read(&Teller::nobody()), None);
    }
}
