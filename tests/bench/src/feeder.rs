//! The client: parallel sessions, each with many messages, MAIL, RCPT and DATA in one go.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::runtime;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::arrivals::Arrivals;
use crate::letter::Writer;
use crate::wire::Wire;
use crate::work::{Manner, Work};

/// How long a reply, or the arrival of a message that travels alone, may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a relay is idle between messages that travel alone.
const IDLE: Duration = Duration::from_millis(20);
/// The first ones of these find neither cached answers nor an open connection; they do not count.
const WARM_UP: usize = 5;

/// What a client sees of a relay.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// When the last message was accepted, since the start.
    pub(crate) last: Duration,
    /// Of each message: from the first octet of MAIL to the reply to the final dot.
    pub(crate) accepting: Vec<Duration>,
    /// Of each message that travels alone: from the first octet of MAIL to its arrival.
    pub(crate) travelling: Vec<Duration>,
}

/// One session's means.
struct Client {
    wire: Wire<TcpStream>,
    writer: Writer,
    arrivals: Arc<Arrivals>,
    seen: Seen,
}

/// Does this work with the relay, and returns when all messages are accepted.
///
/// # Errors
/// If the relay did not accept one of them.
pub(crate) fn feed(relay: SocketAddr, work: Work, arrivals: &Arc<Arrivals>) -> io::Result<Seen> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let next = Arc::new(AtomicUsize::new(0));
        let writer = Writer::new(work.destinations);
        let mut sessions = JoinSet::new();
        for _ in 0..work.sessions {
            let (next, writer, arrivals) = (Arc::clone(&next), writer.clone(), Arc::clone(arrivals));
            sessions.spawn(async move {
                let mut client = Client::connect(relay, writer, arrivals).await?;
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= work.messages {
                        return client.quit().await;
                    }
                    match work.manner {
                        Manner::Through | Manner::Held => client.submit(number).await?,
                        Manner::OneByOne => client.submit_alone(number).await?,
                    }
                }
            });
        }
        let mut all = Seen::default();
        while let Some(seen) = sessions.join_next().await {
            let seen = seen.map_err(io::Error::other)??;
            all.last = all.last.max(seen.last);
            all.accepting.extend(seen.accepting);
            all.travelling.extend(seen.travelling);
        }
        Ok(all)
    })
}

impl Client {
    async fn connect(relay: SocketAddr, writer: Writer, arrivals: Arc<Arrivals>) -> io::Result<Self> {
        let stream = TcpStream::connect(relay).await?;
        stream.set_nodelay(true)?;
        let mut client = Self {
            wire: Wire::new(stream),
            writer,
            arrivals,
            seen: Seen::default(),
        };
        client.expect(b"220").await?;
        client.wire.say(b"EHLO client.test\r\n");
        client.expect(b"250").await?;
        Ok(client)
    }

    async fn submit(&mut self, number: usize) -> io::Result<()> {
        let start = self.arrivals.elapsed();
        let envelope = self.writer.envelope(number);
        self.wire.say(envelope.as_bytes());
        for code in [b"250", b"250", b"354"] {
            self.expect(code).await?;
        }
        self.wire.say(&self.writer.content(number));
        self.expect(b"250").await?;
        self.seen.last = self.arrivals.elapsed();
        self.seen.accepting.push(self.seen.last - start);
        Ok(())
    }

    /// The same, and then waits for its arrival, and a little longer.
    async fn submit_alone(&mut self, number: usize) -> io::Result<()> {
        let start = self.arrivals.elapsed();
        self.submit(number).await?;
        let arrived = loop {
            if let Some(arrived) = self.arrivals.time_of(number) {
                break arrived;
            }
            if self.arrivals.elapsed() - start > PATIENCE {
                return Err(io::Error::other(format!("message {number} has not arrived")));
            }
            sleep(Duration::from_millis(1)).await;
        };
        if number >= WARM_UP {
            self.seen.travelling.push(arrived - start);
        }
        sleep(IDLE).await;
        Ok(())
    }

    async fn quit(mut self) -> io::Result<Seen> {
        self.wire.say(b"QUIT\r\n");
        self.expect(b"221").await?;
        Ok(self.seen)
    }

    async fn expect(&mut self, code: &[u8; 3]) -> io::Result<()> {
        timeout(PATIENCE, self.wire.expect(code))
            .await
            .map_err(|_| io::Error::other("the relay does not reply"))?
    }
}
