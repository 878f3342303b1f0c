//! How many transactions were known to be durable, kept beside the database.
//!
//! Damage in the middle of the write-ahead log makes `SQLite` end its recovery there without a word, and a database that
//! was replaced by an older copy looks as good as any. The number in this file is never ahead of what was synced, so a
//! database that counts fewer has lost some.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

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
    pub(crate) fn read(&self) -> Option<u64> {
        let text = match fs::read_to_string(self.path()) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(%error, "cannot read how many transactions were durable");
                return None;
            }
        };
        let number = text.trim_end().parse().ok();
        if number.is_none() {
            tracing::warn!("the number of durable transactions beside the database cannot be read");
        }
        number
    }

    /// Writes the number, durably and as a whole.
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
        assert_eq!(file.read(), None);
        file.write(7).unwrap();
        file.write(12).unwrap();
        assert_eq!(file.read(), Some(12));
        fs::write(directory.path().join("commits"), b"1x").unwrap();
        assert_eq!(file.read(), None);
    }
}
