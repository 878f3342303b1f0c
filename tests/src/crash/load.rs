//! The clients.

use super::ledger::Ledger;
use super::letter::{Letter, SENDER};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How soon a client tries to connect again.
const AGAIN: Duration = Duration::from_millis(10);
/// How soon a client that was refused sends its next message.
const REFUSED: Duration = Duration::from_millis(30);
/// So many deliveries may be waiting before the clients pause.
const BACKLOG: usize = 300;
/// How long a client waits for a reply.
const PATIENCE: Duration = Duration::from_secs(30);

/// Clients at work.
pub struct Load {
    stop: watch::Sender<bool>,
    sessions: JoinSet<()>,
}

/// What one client knows.
struct Client {
    relay: SocketAddr,
    ledger: Ledger,
    numbers: Arc<AtomicU64>,
    chance: StdRng,
    stop: watch::Receiver<bool>,
}

impl Load {
    /// Starts `sessions` clients; must be called within a runtime.
    pub fn start(sessions: u64, relay: SocketAddr, ledger: &Ledger, chance: &mut StdRng) -> Self {
        let (stop, stopped) = watch::channel(false);
        let numbers = Arc::new(AtomicU64::new(1));
        let clients = (0..sessions).map(|_| Client {
            relay,
            ledger: ledger.clone(),
            numbers: Arc::clone(&numbers),
            chance: StdRng::seed_from_u64(chance.random()),
            stop: stopped.clone(),
        });
        Self {
            sessions: clients.map(Client::run).collect(),
            stop,
        }
    }

    /// Lets each client finish the message that it is sending.
    pub async fn end(&mut self) {
        self.stop.send_replace(true);
        while self.sessions.join_next().await.is_some() {}
    }
}

impl Client {
    async fn run(mut self) {
        while !self.has_to_stop() {
            // The relay may be dead, or die in the middle of anything.
            if self.connection().await.is_err() {
                sleep(AGAIN).await;
            }
        }
    }

    fn has_to_stop(&self) -> bool {
        *self.stop.borrow()
    }

    async fn connection(&mut self) -> io::Result<()> {
        let mut connection = Connection(BufReader::new(TcpStream::connect(self.relay).await?));
        connection.0.get_ref().set_nodelay(true)?;
        connection.expect(220).await?;
        connection.send(b"EHLO client.test\r\n").await?;
        connection.expect(250).await?;
        while !self.has_to_stop() {
            if self.ledger.waiting() > BACKLOG {
                sleep(AGAIN).await;
                continue;
            }
            let number = self.numbers.fetch_add(1, Ordering::Relaxed);
            let letter = Letter::any(number, &mut self.chance);
            let reply = connection.submit(&letter).await?;
            match reply.code {
                250 => self.ledger.acknowledge(&letter, reply.queue_id()),
                code => {
                    self.ledger.refuse(&letter, code);
                    sleep(REFUSED).await;
                }
            }
        }
        connection.send(b"QUIT\r\n").await
    }
}

struct Connection(BufReader<TcpStream>);

struct Reply {
    code: u16,
    /// Its last line.
    text: String,
}

impl Reply {
    fn queue_id(&self) -> &str {
        self.text.rsplit(' ').next().unwrap_or_default()
    }
}

impl Connection {
    /// Sends one message and returns the reply that decided it.
    async fn submit(&mut self, letter: &Letter) -> io::Result<Reply> {
        let mut envelope = format!("MAIL FROM:<{SENDER}>\r\n");
        for recipient in &letter.recipients {
            write!(envelope, "RCPT TO:<{}>\r\n", recipient.address()).expect("a string takes everything");
        }
        envelope += "DATA\r\n";
        self.send(envelope.as_bytes()).await?;
        let mut refusal = None;
        for _ in 0..=letter.recipients.len() {
            let reply = self.reply().await?;
            if reply.code != 250 {
                refusal.get_or_insert(reply);
            }
        }
        let go_on = self.reply().await?;
        match (refusal, go_on.code) {
            (None, 354) => {
                self.send(&letter.to_data()).await?;
                self.reply().await
            }
            // Some recipients were refused: neither the partial message nor the session is of any use.
            (Some(_), 354) => Err(io::Error::other("a part of the recipients")),
            (refusal, _) => {
                self.send(b"RSET\r\n").await?;
                self.expect(250).await?;
                Ok(refusal.unwrap_or(go_on))
            }
        }
    }

    async fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(octets).await
    }

    async fn expect(&mut self, code: u16) -> io::Result<()> {
        let reply = self.reply().await?;
        if reply.code == code {
            Ok(())
        } else {
            Err(io::Error::other(reply.text))
        }
    }

    async fn reply(&mut self) -> io::Result<Reply> {
        loop {
            let mut line = String::new();
            if timeout(PATIENCE, self.0.read_line(&mut line)).await?? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            // A relay that dies while it speaks leaves half a line.
            let Some(line) = line.strip_suffix("\r\n") else {
                return Err(io::ErrorKind::UnexpectedEof.into());
            };
            if line.as_bytes().get(3) != Some(&b'-') {
                let code = line.get(..3).and_then(|code| code.parse().ok());
                return Ok(Reply {
                    code: code.ok_or_else(|| io::Error::other("a reply without a code"))?,
                    text: line.to_owned(),
                });
            }
        }
    }
}
