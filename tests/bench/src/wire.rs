//! SMTP's lines and contents over a stream, for both ends: as few system calls as there can be.

use std::io;

use bytes::BytesMut;
use memchr::{memchr, memmem};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const END_OF_CONTENT: &[u8] = b"\r\n.\r\n";
/// How much is read at once, in octets: a message of 10 KB and what comes with it.
const ROOM: usize = 16 * 1024;

/// One end of a connection.
pub(crate) struct Wire<S> {
    stream: S,
    input: BytesMut,
    output: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            input: BytesMut::with_capacity(ROOM),
            output: Vec::new(),
        }
    }

    /// The stream; what is not read yet is lost.
    pub(crate) fn into_stream(self) -> S {
        self.stream
    }

    /// Says this, as soon as there is nothing left to read or [`Wire::flush`] is called.
    pub(crate) fn say(&mut self, text: &[u8]) {
        self.output.extend_from_slice(text);
    }

    /// Sends all that is said.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        if !self.output.is_empty() {
            self.stream.write_all(&self.output).await?;
            self.stream.flush().await?;
            self.output.clear();
        }
        Ok(())
    }

    /// The next line with its line end.
    pub(crate) async fn line(&mut self) -> io::Result<BytesMut> {
        self.until(|octets| memchr(b'\n', octets), 1).await
    }

    /// A content up to and with its final dot.
    pub(crate) async fn content(&mut self) -> io::Result<BytesMut> {
        self.until(
            |octets| memmem::find(octets, END_OF_CONTENT),
            END_OF_CONTENT.len(),
        )
        .await
    }

    /// The code of the next reply; [`io::Error`] with its text if it is another one than `expected`.
    pub(crate) async fn expect(&mut self, expected: &[u8; 3]) -> io::Result<()> {
        loop {
            let line = self.line().await?;
            if line.get(3) == Some(&b'-') {
                continue;
            }
            if line.starts_with(expected) {
                return Ok(());
            }
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            return Err(io::Error::other(format!("the relay said {text}")));
        }
    }

    /// All up to an end of this length, which `find` finds.
    async fn until(&mut self, find: impl Fn(&[u8]) -> Option<usize>, length: usize) -> io::Result<BytesMut> {
        let mut searched = 0;
        loop {
            if let Some(place) = find(&self.input[searched..]) {
                return Ok(self.input.split_to(searched + place + length));
            }
            searched = self.input.len().saturating_sub(length - 1);
            self.flush().await?;
            self.input.reserve(ROOM);
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
