//! Large contents, each in its own file below `bodies/`, in 256 directories named by the last octet of the id.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mail::QueueId;
use mail::event::store::Store;
use spool::SpoolError;
use tempfile::NamedTempFile;

use crate::steps::{Place, reach};
use crate::telling::Teller;

/// The directories of a spool.
#[derive(Debug, Clone)]
pub(crate) struct Directories {
    bodies: Arc<Path>,
    incoming: Arc<Path>,
    teller: Teller,
}

/// A content in its final place whose message is not yet known to be durable. Dropping this removes it.
#[derive(Debug)]
pub(crate) struct Published {
    path: PathBuf,
    kept: bool,
    teller: Teller,
}

impl Directories {
    /// The directories below `spool`; nothing on the disk is touched.
    pub(crate) fn of(spool: &Path, teller: Teller) -> Self {
        Self {
            bodies: spool.join("bodies").into(),
            incoming: spool.join("incoming").into(),
            teller,
        }
    }

    /// Makes what is missing, durably.
    pub(crate) fn make(&self, spool: &Path) -> Result<(), SpoolError> {
        make_directory(spool)?;
        make_directory(&self.incoming)?;
        make_directory(&self.bodies)?;
        for shard in 0..=u8::MAX {
            make_directory(&self.bodies.join(format!("{shard:02x}")))?;
        }
        sync_directory(&self.bodies)?;
        sync_directory(spool)?;
        Ok(())
    }

    /// Where content that is being received goes.
    pub(crate) fn incoming(&self) -> Arc<Path> {
        Arc::clone(&self.incoming)
    }

    /// Where the content of a message is, if it is in a file.
    pub(crate) fn body(&self, id: QueueId) -> PathBuf {
        self.shard(id).join(id.to_string())
    }

    fn shard(&self, id: QueueId) -> PathBuf {
        let [.., last] = id.to_bytes();
        self.bodies.join(format!("{last:02x}"))
    }

    /// Syncs a file, moves it to its final place and syncs that. Blocks on the disk.
    pub(crate) fn publish(&self, id: QueueId, file: NamedTempFile) -> Result<Published, SpoolError> {
        reach(Place::Sync);
        file.as_file().sync_data()?;
        let path = self.body(id);
        reach(Place::Publish);
        let _: File = file
            .persist_noclobber(&path)
            .map_err(|refused| match refused.error.kind() {
                io::ErrorKind::AlreadyExists => SpoolError::Duplicate(id),
                _ => refused.error.into(),
            })?;
        let published = Published {
            path,
            kept: false,
            teller: self.teller.clone(),
        };
        reach(Place::SyncDirectory);
        sync_directory(&self.shard(id))?;
        Ok(published)
    }

    /// Removes a content whose message has left the spool.
    pub(crate) fn remove(&self, path: &Path) {
        remove(path, &self.teller);
    }

    /// Removes contents that were still being received when the last process ended.
    pub(crate) fn clear_incoming(&self) -> Result<(), SpoolError> {
        for entry in fs::read_dir(&self.incoming)? {
            fs::remove_file(entry?.path())?;
        }
        Ok(())
    }

    /// The ids of all contents in files.
    pub(crate) fn stored(&self) -> Result<Vec<QueueId>, SpoolError> {
        let mut found = Vec::new();
        for shard in fs::read_dir(&self.bodies)? {
            let shard = shard?.path();
            if !shard.is_dir() {
                continue;
            }
            for entry in fs::read_dir(shard)? {
                let name = entry?.file_name();
                // Files whose names are not ids are not ours to remove.
                found.extend(name.to_str().and_then(|name| name.parse::<QueueId>().ok()));
            }
        }
        Ok(found)
    }
}

impl Published {
    /// The message is durable, or may be: the file is kept.
    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        if !self.kept {
            remove(&self.path, &self.teller);
        }
    }
}

/// Removes a content whose message has left the spool. One that cannot be removed now is an orphan, removed at the next
/// start.
fn remove(path: &Path, teller: &Teller) {
    reach(Place::Remove);
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => teller.tell(Store::NotRemoved {
            path: path.to_owned(),
            error: error.to_string(),
        }),
    }
}

fn make_directory(path: &Path) -> io::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| match error.kind() {
        // A file, or a dangling link.
        io::ErrorKind::AlreadyExists => {
            let named = format!("{} is not a directory", path.display());
            io::Error::new(io::ErrorKind::NotADirectory, named)
        }
        _ => error,
    })
}

pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
