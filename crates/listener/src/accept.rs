//! Accepting connections.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use mail::event::client::{BeginFault, HandshakeFault};
use mail::{Alarm, EventLog, Pace};
use spool::{Accepted, Spool};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::client::Client;
use crate::config::ListenerConfig;
use crate::connection::Connection;
use crate::connections::{ClientClass, Counted, Excess};
use crate::log;
use crate::session::replies;
use crate::shared::{Shared, stopped};
use crate::wire::Wire;

/// How long to wait after an error of `accept` that does not concern a single connection only.
const BACK_OFF: Duration = Duration::from_millis(200);

/// Without file descriptors most attempts fail, and one succeeds now and then.
const FAILING: Pace = Pace {
    reminder: Some(Duration::from_mins(1)),
    pause: Duration::from_mins(1),
};

/// How connections to a socket begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// In plain text; STARTTLS may follow.
    StartTls,
    /// With a TLS handshake (RFC 8314 §3.3).
    Implicit,
}

/// Accepts mail from clients into a spool.
pub struct Listener<S> {
    shared: Arc<Shared<S>>,
}

impl<S: Spool> Listener<S> {
    /// A listener that stores messages in `spool`, writes its events to `log`, and calls `on_accepted` with each
    /// message that is durable, after its event has been logged and before the client gets its reply. The hook must
    /// neither block nor panic. New settings in `config` apply to new connections, and to open ones from their next
    /// transaction.
    pub fn new(
        spool: Arc<S>,
        config: watch::Receiver<Arc<ListenerConfig>>,
        log: Arc<dyn EventLog>,
        on_accepted: impl Fn(Accepted) + Send + Sync + 'static,
    ) -> Self {
        Self {
            shared: Arc::new(Shared::new(spool, config, log, Box::new(on_accepted))),
        }
    }

    /// How many clients are connected.
    pub fn connections(&self) -> usize {
        self.shared.connections.all()
    }

    /// Serves clients on `sockets` until `shutdown` becomes true or its sender is dropped, then lets sessions that are
    /// in the middle of a transaction finish it. Returns when the last session has ended; to stop earlier, drop the
    /// future, which ends all sessions.
    pub async fn run(&self, sockets: Vec<(TcpListener, Encryption)>, shutdown: watch::Receiver<bool>) {
        let mut loops = JoinSet::new();
        for (socket, encryption) in sockets {
            let shared = Arc::clone(&self.shared);
            loops.spawn(accept_loop(shared, socket, encryption, shutdown.clone()));
        }
        let serve = async {
            while let Some(ended) = loops.join_next().await {
                self.shared.report_panic(ended);
            }
        };
        tokio::select! {
            () = serve => {}
            () = self.shared.look_for_room() => {}
        }
    }
}

async fn accept_loop<S: Spool>(
    shared: Arc<Shared<S>>,
    socket: TcpListener,
    encryption: Encryption,
    mut shutdown: watch::Receiver<bool>,
) {
    let mut sessions = JoinSet::new();
    let stop = shutdown.clone();
    let mut failing = Alarm::new(FAILING);
    loop {
        let end_due = failing.end_due().map(Instant::from_std);
        tokio::select! {
            biased;
            () = stopped(&mut shutdown) => break,
            () = sleep_until(end_due.unwrap_or_else(Instant::now)), if end_due.is_some() => {
                if let Some(over) = failing.clear(Instant::now().into_std()) {
                    shared.log.write(&log::accepting(over));
                }
            }
            Some(ended) = sessions.join_next() => shared.report_panic(ended),
            accepted = socket.accept() => match accepted {
                Ok((stream, peer)) => {
                    if let Some(over) = failing.clear(Instant::now().into_std()) {
                        shared.log.write(&log::accepting(over));
                    }
                    // A socket for both families shows IPv4 clients as mapped addresses.
                    let arrived = Arrived { stream, peer: peer.ip().to_canonical(), encryption };
                    sessions.spawn(arrived.serve(Arc::clone(&shared), stop.clone()));
                }
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    if failing.raise(error.kind(), Instant::now().into_std()) {
                        shared.log.write(&log::accept_failed(&error));
                    }
                    tokio::time::sleep(BACK_OFF).await;
                }
            },
        }
    }
    drop(socket);
    while let Some(ended) = sessions.join_next().await {
        shared.report_panic(ended);
    }
}

/// The client disconnected before our `accept`; the next connection may be fine.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

/// A new connection.
struct Arrived {
    stream: TcpStream,
    peer: IpAddr,
    encryption: Encryption,
}

impl Arrived {
    /// Handles the connection: a session, or a single line if there are too many connections. What comes before a session
    /// ends with a shutdown.
    async fn serve<S: Spool>(self, shared: Arc<Shared<S>>, mut shutdown: watch::Receiver<bool>) {
        let begun = tokio::select! {
            biased;
            () = stopped(&mut shutdown) => return,
            begun = self.begin(&shared) => begun,
        };
        if let Some((wire, client, counted)) = begun {
            Connection::new(shared, client, counted, shutdown).run(wire).await;
        }
    }

    /// Finds out who the client is, counts the connection as that client's, and secures it where TLS comes first; none if
    /// there will be no session.
    async fn begin<S: Spool>(self, shared: &Shared<S>) -> Option<(Wire, Client, Counted)> {
        let config = Arc::clone(&shared.config.borrow());
        let mut wire = Wire::new(self.stream);
        let mut counted = match shared.connections.admit(&config.limits) {
            Ok(counted) => counted,
            Err(excess) => {
                turn_away(shared, self.peer, excess, wire).await;
                return None;
            }
        };
        let failed = |client, fault| shared.log.write(&log::not_begun(client, fault));
        let mut client = Client::at(self.peer);
        if config.proxies.iter().any(|proxy| proxy.contains(&self.peer)) {
            let named = wire.proxied().await;
            let named = named.map_err(|fault| failed(self.peer, BeginFault::Proxy(fault)));
            if let Some(address) = named.ok()? {
                client = Client::at(address);
            }
        }
        let class = ClientClass::of(&client, &config);
        if let Err(excess) = counted.identify(client.address, class, &config.limits) {
            turn_away(shared, client.address, excess, wire).await;
            return None;
        }
        if self.encryption == Encryption::Implicit {
            let secured = match &config.tls {
                Some(tls) => Box::pin(wire.secure(tls)).await,
                None => Err(HandshakeFault::NoCertificate),
            };
            let secured = secured.map_err(|fault| failed(client.address, BeginFault::Tls(fault)));
            let (secured, facts) = secured.ok()?;
            wire = secured;
            client.tls = Some(facts);
        }
        Some((wire, client, counted))
    }
}

/// Sends one line to a client that exceeds a limit; a client that does not read it at once is not told.
async fn turn_away<S>(shared: &Shared<S>, client: IpAddr, excess: Excess, mut wire: Wire) {
    shared.report_excess(client, excess);
    let line = replies::too_many_connections(&shared.config.borrow().hostname) + "\r\n";
    let _ = wire.write(&mut BytesMut::from(line.as_str()), BACK_OFF).await;
}

impl<S> fmt::Debug for Listener<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("connections", &self.shared.connections.all())
            .finish_non_exhaustive()
    }
}
