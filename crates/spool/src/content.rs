//! The content of a queued message, read in chunks.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::blocking::blocking;
use crate::error::SpoolError;

/// The largest chunk that [`ContentReader::next`] gives, in octets.
pub const CHUNK: usize = 64 * 1024;

/// Where the content of a leased message is. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Content {
    /// In memory: small messages.
    Inline(Bytes),
    /// In a file of its own, never held in memory whole.
    File(BodyFile),
}

/// A file that holds one message's content.
#[derive(Debug, Clone)]
pub struct BodyFile(Arc<Path>);

impl BodyFile {
    /// A body at this path.
    pub fn new(path: PathBuf) -> Self {
        Self(path.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Content {
    /// Begins to read from the first octet; any number of readers may be at work.
    pub async fn reader(&self) -> Result<ContentReader, SpoolError> {
        match self {
            Self::Inline(bytes) => Ok(ContentReader::Inline(bytes.clone())),
            Self::File(body) => {
                let path = Arc::clone(&body.0);
                let file = blocking(move || Ok(File::open(path)?)).await?;
                Ok(ContentReader::File(FileReader {
                    file: Some(file),
                    ready: Bytes::new(),
                }))
            }
        }
    }
}

/// Reads content from its beginning to its end.
#[derive(Debug)]
pub enum ContentReader {
    /// What is left of content in memory.
    Inline(Bytes),
    /// Content in a file.
    File(FileReader),
}

/// Reads a file ahead by a few chunks, away from the runtime's threads.
#[derive(Debug)]
pub struct FileReader {
    /// `None` while a read is under way, and for good after an error or the end.
    file: Option<File>,
    ready: Bytes,
}

impl ContentReader {
    /// The next chunk, never empty and at most [`CHUNK`] octets; `None` at the end.
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
        let Some(mut file) = self.file.take() else {
            return Ok(());
        };
        let (file, ready) = blocking(move || {
            let mut buffer = BytesMut::zeroed(4 * CHUNK);
            let mut filled = 0;
            while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
                let read = match file.read(rest) {
                    Ok(read) => read,
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error.into()),
                };
                if read == 0 {
                    break;
                }
                filled += read;
            }
            buffer.truncate(filled);
            Ok((file, buffer.freeze()))
        })
        .await?;
        if !ready.is_empty() {
            self.file = Some(file);
        }
        self.ready = ready;
        Ok(())
    }
}
