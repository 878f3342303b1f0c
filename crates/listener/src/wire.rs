//! One connection as octets: what has come, what leaves, and the time that either may take.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

/// How much is read at once while commands are expected: what an idle connection keeps in memory.
pub(crate) const COMMAND_READ: usize = 2048;
/// How much content is read at once.
pub(crate) const CONTENT_READ: usize = 64 * 1024;

/// How long the last words of a session may take to leave.
const FAREWELL: Duration = Duration::from_secs(5);

/// Why nothing more comes or leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The client is gone, or does not take our replies.
    Lost,
    /// The client took too long.
    TimedOut,
}

/// A connection with what has come of it and is not used yet.
pub(crate) struct Wire {
    /// To be taken from the front.
    pub(crate) input: BytesMut,
    stream: TcpStream,
    /// What was asked for at the last read.
    room: usize,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            input: BytesMut::new(),
            stream,
            room: 0,
        }
    }

    /// Reads what is there, at least one octet, into a buffer with room for `room`. How much it was.
    pub(crate) async fn read(&mut self, room: usize, deadline: Instant) -> Result<usize, Broken> {
        if room < self.room {
            // A fresh buffer for what has come gives back the room that content needed.
            self.input = BytesMut::from(&*self.input);
        }
        self.room = room;
        self.input.reserve(room);
        match timeout_at(deadline, self.stream.read_buf(&mut self.input)).await {
            Err(_) => Err(Broken::TimedOut),
            Ok(Err(_) | Ok(0)) => Err(Broken::Lost),
            Ok(Ok(octets)) => Ok(octets),
        }
    }

    /// Sends octets, and forgets them in any case. A client that does not take them cannot be told anything either.
    pub(crate) async fn write(&mut self, output: &mut BytesMut, limit: Duration) -> Result<(), Broken> {
        if output.is_empty() {
            return Ok(());
        }
        let sending = async {
            self.stream.write_all(output).await?;
            self.stream.flush().await
        };
        let sent = timeout(limit, sending).await;
        output.clear();
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Broken::Lost),
        }
    }

    /// Says the last words and closes. RFC 5321 §3.8 wants them said; whether they arrive changes nothing any more.
    pub(crate) async fn close(mut self, last_words: &[u8]) {
        let _ = timeout(FAREWELL, async {
            self.stream.write_all(last_words).await?;
            self.stream.shutdown().await
        })
        .await;
    }
}
