//! Content being received: in memory while it is small, in a temporary file beyond that.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tempfile::NamedTempFile;

use crate::blocking::blocking;
use crate::error::SpoolError;

/// Content of up to this many octets is kept in memory and stored beside its envelope; larger content goes to a file.
pub const INLINE_LIMIT: usize = 128 * 1024;

/// How much is collected before it is written to the file.
const WRITE_SIZE: usize = 256 * 1024;

/// Tells how much may still be written.
pub trait Room: std::fmt::Debug + Send + Sync {
    /// [`SpoolError::Full`] if so many octets may not be written now. This counts nothing and reserves nothing for the
    /// caller. Cheap directly after [`crate::Spool::create`]; otherwise it may block on the disk.
    fn has(&self, octets: u64) -> Result<(), SpoolError>;

    /// Counts so many octets as written from now on, or fails with [`SpoolError::Full`]. Blocks on the disk.
    fn take(&self, octets: u64) -> Result<(), SpoolError>;
}

/// The content of a message being received. Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct Incoming {
    directory: Arc<Path>,
    /// What limits the file; `None` if only the disk does.
    room: Option<Arc<dyn Room>>,
    size: u64,
    sum: crc32fast::Hasher,
    buffer: BytesMut,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Memory,
    File(NamedTempFile),
    /// A write is under way or failed.
    Lost,
}

/// Complete content, ready to be committed.
#[derive(Debug)]
pub enum Complete {
    /// At most [`INLINE_LIMIT`] octets.
    Memory(Bytes),
    /// Larger content, written but not synced.
    File(NamedTempFile),
}

impl Incoming {
    /// Content that goes to `directory` if it is large.
    pub fn new(directory: Arc<Path>) -> Self {
        Self {
            directory,
            room: None,
            size: 0,
            sum: crc32fast::Hasher::new(),
            buffer: BytesMut::new(),
            place: Place::Memory,
        }
    }

    /// Like [`Incoming::new`], but fails with [`SpoolError::Full`] as soon as the file would exceed the room there is.
    pub fn within(directory: Arc<Path>, room: Arc<dyn Room>) -> Self {
        Self {
            room: Some(room),
            ..Self::new(directory)
        }
    }

    /// [`SpoolError::Full`] if content of the size that its client declares cannot be accepted now, counting what others
    /// have sent so far. To be called directly after [`crate::Spool::create`].
    ///
    /// No room is reserved for it: a client that declares much and sends nothing does not hold up others. Up to
    /// [`INLINE_LIMIT`] nothing is checked: sending so little in vain does no harm, and most transactions are spared the
    /// check.
    pub fn fits(&self, declared: u64) -> Result<(), SpoolError> {
        match &self.room {
            Some(room) if declared > INLINE_LIMIT as u64 => room.has(declared),
            Some(_) | None => Ok(()),
        }
    }

    /// Octets so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// CRC-32 (that of ISO 3309) of the octets so far.
    pub fn checksum(&self) -> u32 {
        self.sum.clone().finalize()
    }

    /// Appends octets. After an error, or if its future was dropped before it was ready, the content is
    /// [`SpoolError::Incomplete`].
    pub async fn append(&mut self, octets: &[u8]) -> Result<(), SpoolError> {
        let keep = match &self.place {
            Place::Memory => INLINE_LIMIT,
            Place::File(_) => WRITE_SIZE,
            Place::Lost => return Err(SpoolError::Incomplete),
        };
        self.buffer.extend_from_slice(octets);
        self.sum.update(octets);
        self.size = self.size.saturating_add(octets.len() as u64);
        if self.buffer.len() > keep {
            self.flush().await?;
        }
        Ok(())
    }

    /// Ends the content.
    pub async fn complete(mut self) -> Result<Complete, SpoolError> {
        if matches!(self.place, Place::File(_)) {
            self.flush().await?;
        }
        match self.place {
            Place::Memory => Ok(Complete::Memory(self.buffer.freeze())),
            Place::File(file) => Ok(Complete::File(file)),
            Place::Lost => Err(SpoolError::Incomplete),
        }
    }

    async fn flush(&mut self) -> Result<(), SpoolError> {
        let place = std::mem::replace(&mut self.place, Place::Lost);
        let directory = Arc::clone(&self.directory);
        let room = self.room.clone();
        let mut buffer = std::mem::take(&mut self.buffer);
        let (file, buffer) = blocking(move || {
            if let Some(room) = room {
                room.take(buffer.len() as u64)?;
            }
            let mut file = match place {
                Place::Memory => NamedTempFile::new_in(directory)?,
                Place::File(file) => file,
                Place::Lost => return Err(SpoolError::Incomplete),
            };
            file.as_file_mut().write_all(&buffer)?;
            buffer.clear();
            Ok((file, buffer))
        })
        .await?;
        self.place = Place::File(file);
        self.buffer = buffer;
        Ok(())
    }
}
