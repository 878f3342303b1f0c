//! The content of a queued message, read in chunks.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use mail::QueueId;

use crate::blocking::blocking;
use crate::damage::{Damage, Flaw};
use crate::error::SpoolError;

/// The largest chunk that [`ContentReader::next`] gives, in octets.
pub const CHUNK: usize = 64 * 1024;

/// Where the content of a leased message is stored. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Content {
    /// In memory: small messages.
    Inline(Bytes),
    /// In a file of its own, never wholly in memory, and checked while it is read.
    File(BodyFile),
    /// Known not to be what was written: there is nothing to read.
    Damaged(Damage),
}

/// A file that holds one message's content.
#[derive(Debug, Clone)]
pub struct BodyFile {
    path: Arc<Path>,
    expected: Expected,
}

/// What a file is to hold.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// Whose content it is.
    pub id: QueueId,
    /// Octets.
    pub size: u64,
    /// Their CRC-32 (that of ISO 3309); `None` for content stored by an earlier version, which kept none.
    pub sum: Option<u32>,
}

impl BodyFile {
    /// A body at this path.
    pub fn new(path: PathBuf, expected: Expected) -> Self {
        Self {
            path: path.into(),
            expected,
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Content {
    /// Starts reading at the first octet; any number of readers may be active. Content that is damaged or missing gives
    /// [`SpoolError::Damaged`]; a disk that cannot be read now gives [`SpoolError::Io`].
    pub async fn reader(&self) -> Result<ContentReader, SpoolError> {
        match self {
            Self::Inline(bytes) => Ok(ContentReader::Inline(bytes.clone())),
            Self::File(body) => {
                let (path, expected) = (Arc::clone(&body.path), body.expected);
                let source = blocking(move || Source::open(&path, expected)).await?;
                Ok(ContentReader::File(FileReader {
                    source: Some(source),
                    ready: Bytes::new(),
                }))
            }
            Self::Damaged(damage) => Err((*damage).into()),
        }
    }
}

/// Reads content from its beginning to its end.
#[derive(Debug)]
pub enum ContentReader {
    /// The rest of content in memory.
    Inline(Bytes),
    /// Content in a file.
    File(FileReader),
}

/// Reads a file a few chunks ahead, off the runtime's threads.
#[derive(Debug)]
pub struct FileReader {
    /// `None` while a read is in progress, and for good after an error or the end.
    source: Option<Source>,
    ready: Bytes,
}

#[derive(Debug)]
struct Source {
    file: File,
    check: Check,
}

/// Compares what was read with what was written.
#[derive(Debug)]
struct Check {
    expected: Expected,
    seen: u64,
    sum: crc32fast::Hasher,
}

impl ContentReader {
    /// The next chunk, never empty and at most [`CHUNK`] octets; `None` at the end. If content in a file is not what was
    /// written, this gives [`SpoolError::Damaged`] before the last octets are returned.
    pub async fn next(&mut self) -> Result<Option<Bytes>, SpoolError> {
        let ready = match self {
            Self::Inline(rest) => rest,
            Self::File(reader) => {
                if reader.ready.is_empty() {
                    reader.fill().await?;
                }
                &mut reader.ready
            }
        };
        let chunk = ready.split_to(ready.len().min(CHUNK));
        Ok((!chunk.is_empty()).then_some(chunk))
    }
}

impl FileReader {
    async fn fill(&mut self) -> Result<(), SpoolError> {
        let Some(mut source) = self.source.take() else {
            return Ok(());
        };
        let (source, ready) = blocking(move || {
            let ready = source.read()?;
            Ok((source, ready))
        })
        .await?;
        if !ready.is_empty() {
            self.source = Some(source);
        }
        self.ready = ready;
        Ok(())
    }
}

impl Source {
    fn open(path: &Path, expected: Expected) -> Result<Self, SpoolError> {
        let file = File::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Flaw::Missing.of(expected.id).into(),
            _ => SpoolError::from(error),
        })?;
        let check = Check::new(expected);
        Ok(Self { file, check })
    }

    /// The next octets, checked if they are the last; empty at the end.
    fn read(&mut self) -> Result<Bytes, SpoolError> {
        let mut buffer = BytesMut::zeroed(4 * CHUNK);
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let read = match self.file.read(rest) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            if read == 0 {
                break;
            }
            filled += read;
        }
        buffer.truncate(filled);
        self.check.see(&buffer)?;
        Ok(buffer.freeze())
    }
}

impl Check {
    fn new(expected: Expected) -> Self {
        Self {
            expected,
            seen: 0,
            sum: crc32fast::Hasher::new(),
        }
    }

    fn see(&mut self, octets: &[u8]) -> Result<(), SpoolError> {
        self.seen = self.seen.saturating_add(octets.len() as u64);
        self.sum.update(octets);
        let at_end = octets.is_empty() || self.seen >= self.expected.size;
        if !at_end {
            return Ok(());
        }
        let Expected { id, size, sum } = self.expected;
        let flaw = if self.seen != size {
            Flaw::OtherSize
        } else if sum.is_some_and(|sum| sum != self.sum.clone().finalize()) {
            Flaw::Altered
        } else {
            return Ok(());
        };
        Err(flaw.of(id).into())
    }
}
