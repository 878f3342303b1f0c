//! One connection as octets: input, output, and the time limits for both.

use std::net::IpAddr;
use std::time::Duration;

use bytes::BytesMut;
use mail::event::client::{HandshakeFault, ProxyFault};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either::{self, Left as Plain, Right as OverTls};

use crate::proxy::{self, Header};
use crate::tls::{ServerTls, TlsFacts, failed};

/// How much is read at once while commands are expected: the memory taken by an idle connection.
pub(crate) const COMMAND_READ: usize = 2048;
/// How much content is read at once, at most.
pub(crate) const CONTENT_READ: usize = 64 * 1024;

/// How much is read at once as long as no read has filled its buffer: most messages are smaller, and an allocation of
/// 64 KiB for each costs the allocator more than all others.
const FIRST_READ: usize = 16 * 1024;

/// How long a proxy may take for its header.
const PROXY_HEADER: Duration = Duration::from_secs(10);

/// How long a handshake may take, as a whole.
const HANDSHAKE: Duration = Duration::from_mins(1);

/// How long sending the final reply of a session may take.
const FAREWELL: Duration = Duration::from_secs(5);

/// Why reading or writing failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The client is gone, or does not take our replies.
    Lost,
    /// The client took too long.
    TimedOut,
}

/// The underlying connection, in plain text or over TLS.
type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// A connection with its input that has not been used yet.
pub(crate) struct Wire {
    /// To be consumed from the front.
    pub(crate) input: BytesMut,
    stream: Stream,
    /// How much the last read had room for.
    room: usize,
    /// Whether it filled that.
    is_filled: bool,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            input: BytesMut::new(),
            stream: Plain(stream),
            room: 0,
            is_filled: false,
        }
    }

    /// Reads the header that a proxy sends first, and nothing of what follows: that may be a handshake. Returns the client's
    /// address, if the header gives one.
    pub(crate) async fn proxied(&mut self) -> Result<Option<IpAddr>, ProxyFault> {
        let deadline = Instant::now() + PROXY_HEADER;
        let mut octets = BytesMut::new();
        loop {
            let missing = match proxy::header(&octets) {
                Header::Incomplete { missing } => missing,
                Header::Own => return Ok(None),
                Header::Client(address) => return Ok(Some(address)),
                Header::Invalid => return Err(ProxyFault::Invalid),
            };
            let mut header = (&mut self.stream).take(missing);
            match timeout_at(deadline, header.read_buf(&mut octets)).await {
                Err(_) => return Err(ProxyFault::Late),
                Ok(Err(_) | Ok(0)) => return Err(ProxyFault::Closed),
                Ok(Ok(_)) => {}
            }
        }
    }

    /// Starts TLS. Input received in plain text so far is discarded (RFC 3207 §4.2); any that still arrives is not a
    /// valid handshake.
    pub(crate) async fn secure(self, tls: &ServerTls) -> Result<(Self, TlsFacts), HandshakeFault> {
        let Plain(stream) = self.stream else {
            return Err(HandshakeFault::Nested);
        };
        let shaken = timeout(HANDSHAKE, tls.accept(stream)).await;
        let stream = shaken
            .map_err(|_| HandshakeFault::Late)?
            .map_err(|error| failed(&error))?;
        let facts = TlsFacts::of(stream.get_ref().1);
        let secured = Self {
            input: BytesMut::new(),
            stream: OverTls(Box::new(stream)),
            room: 0,
            is_filled: false,
        };
        Ok((secured, facts))
    }

    /// Reads what is available, at least one octet and at most `most` and what the buffer has room for already. The
    /// buffer grows as long as it is filled. Returns how much it was.
    pub(crate) async fn read(&mut self, most: usize, deadline: Instant) -> Result<usize, Broken> {
        if most < self.room {
            // A new buffer for the input frees the memory that content needed.
            self.input = BytesMut::from(&*self.input);
        }
        let room = if self.is_filled { 2 * self.room } else { self.room };
        self.room = room.max(FIRST_READ).min(most);
        self.input.reserve(self.room);
        match timeout_at(deadline, self.stream.read_buf(&mut self.input)).await {
            Err(_) => Err(Broken::TimedOut),
            Ok(Err(_) | Ok(0)) => Err(Broken::Lost),
            Ok(Ok(octets)) => {
                self.is_filled = octets >= self.room;
                Ok(octets)
            }
        }
    }

    /// Sends octets, and discards them in any case. A client that does not read them cannot be told anything else
    /// either.
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

    /// Sends the final reply and closes. RFC 5321 §3.8 requires the reply; whether it arrives no longer matters.
    pub(crate) async fn close(mut self, last_words: &[u8]) {
        let _ = timeout(FAREWELL, async {
            self.stream.write_all(last_words).await?;
            self.stream.shutdown().await
        })
        .await;
    }
}
