//! A TLS connection to one server (RFC 7858), kept open for later questions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::{BoxFuture, select_ok};
use hickory_net::NetError;
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::runtime::iocompat::AsyncIoTokioAsStd;
use hickory_net::tcp::{TcpClientStream, TcpStream};
use hickory_net::xfer::{DnsExchange, DnsHandle, DnsMultiplexer, FirstAnswer};
use hickory_proto::op::{DnsRequest, DnsResponse};
use parking_lot::Mutex;
use rustls::pki_types::ServerName;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::server::TlsServer;

/// The most questions in progress on one connection.
const QUESTIONS: usize = 4096;

/// The channel to one server. Questions share a connection (RFC 7858 §3.4); if the server has closed it, a new one is made.
pub(crate) struct Channel {
    server: TlsServer,
    open: tokio::sync::Mutex<Option<Connection>>,
    /// Why the last handshake failed.
    obstacle: Mutex<Option<String>>,
    /// The longest that one question may take, including a handshake.
    patience: Duration,
}

/// Clones share one connection, which stays open as long as one of them exists.
#[derive(Clone)]
struct Connection {
    exchange: DnsExchange<TokioRuntimeProvider>,
    /// How many answers came over it.
    answers: Arc<AtomicUsize>,
}

impl Connection {
    async fn ask(&self, request: DnsRequest) -> Result<DnsResponse, NetError> {
        let answer = self.exchange.send(request).first_answer().await?;
        self.answers.fetch_add(1, Ordering::Relaxed);
        Ok(answer)
    }

    fn answers(&self) -> usize {
        self.answers.load(Ordering::Relaxed)
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.answers, &other.answers)
    }
}

impl Channel {
    pub(crate) fn new(server: TlsServer, patience: Duration) -> Self {
        Self {
            server,
            open: tokio::sync::Mutex::default(),
            obstacle: Mutex::default(),
            patience,
        }
    }

    /// Asks one question. A connection that was already open may be dead without our knowing: if nothing arrived on it
    /// during the first half of the time, the question is also asked over a new one.
    pub(crate) async fn ask(&self, request: DnsRequest) -> Result<DnsResponse, NetError> {
        let (connection, is_new) = self.connection().await?;
        if is_new {
            return connection.ask(request).await;
        }
        let before = connection.answers();
        let mut answer: BoxFuture<'_, _> = Box::pin(connection.ask(request.clone()));
        match timeout(self.patience / 2, &mut answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => self.ask_anew(&connection, request).await,
            // Others were answered, so it is this question that takes long.
            Err(_) if connection.answers() != before => answer.await,
            Err(_) => {
                let again: BoxFuture<'_, _> = Box::pin(self.ask_anew(&connection, request));
                select_ok([answer, again]).await.map(|(first, _)| first)
            }
        }
    }

    async fn ask_anew(&self, dead: &Connection, request: DnsRequest) -> Result<DnsResponse, NetError> {
        self.forget(dead).await;
        let (connection, _) = self.connection().await?;
        connection.ask(request).await
    }

    /// Why there is no connection, if that is so.
    pub(crate) fn obstacle(&self) -> Option<String> {
        let obstacle = self.obstacle.lock();
        obstacle.as_ref().map(|cause| {
            format!(
                "tls://{}@{}: {cause}",
                self.server.name.as_ref(),
                self.server.address
            )
        })
    }

    /// The open connection, or a new one and `true`. Concurrent callers wait for the same handshake.
    async fn connection(&self) -> Result<(Connection, bool), NetError> {
        let mut open = self.open.lock().await;
        if let Some(connection) = &*open {
            return Ok((connection.clone(), false));
        }
        let made = self.connect().await;
        let obstacle = made.as_ref().err().map(ToString::to_string);
        *self.obstacle.lock() = obstacle;
        let made = made?;
        *open = Some(made.clone());
        Ok((made, true))
    }

    /// Sends nothing more over a connection. Those waiting for an answer on it may go on waiting.
    async fn forget(&self, dead: &Connection) {
        let mut open = self.open.lock().await;
        if open.as_ref().is_some_and(|connection| connection.is(dead)) {
            *open = None;
        }
    }

    async fn connect(&self) -> std::io::Result<Connection> {
        let address = self.server.address;
        let tcp = tokio::net::TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::DnsName(self.server.name.clone());
        let tls = TlsConnector::from(Arc::clone(&self.server.client))
            .connect(name, tcp)
            .await?;
        let (stream, handle) = TcpStream::from_stream(AsyncIoTokioAsStd(tls), address);
        let questions = DnsMultiplexer::new(TcpClientStream::from_stream(stream), handle)
            .with_timeout(self.patience)
            .with_max_active_requests(QUESTIONS);
        let (exchange, background) = DnsExchange::from_stream(questions);
        // It ends with the connection or when the last handle for asking is dropped.
        tokio::spawn(background);
        Ok(Connection {
            exchange,
            answers: Arc::default(),
        })
    }
}
