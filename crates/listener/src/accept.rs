//! Accepting connections.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mail::{Alarm, EventLog, Pace};
use spool::{Accepted, Spool};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client::Client;
use crate::config::ListenerConfig;
use crate::connection::Connection;
use crate::log;
use crate::session::replies;
use crate::shared::{Shared, stopped};
use crate::wire::Wire;

/// How long to wait after an error of `accept` that does not concern one connection alone.
const BACK_OFF: Duration = Duration::from_millis(200);

/// For want of file descriptors each attempt fails, and one now and then succeeds.
const FAILING: Pace = Pace {
    reminder: Some(Duration::from_mins(1)),
    pause: Duration::from_mins(1),
};

/// Takes mail from clients into a spool.
pub struct Listener<S> {
    shared: Arc<Shared<S>>,
}

impl<S: Spool> Listener<S> {
    /// A listener that puts messages into `spool`, writes its events to `log`, and calls `on_accepted` with each
    /// message that is durable, after its event and before the client is told. The hook must neither block nor
    /// panic. New connections get the settings that `config` holds when they come.
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

    /// Serves clients on `sockets` until `shutdown` becomes true or its sender is gone, then lets sessions that
    /// are in the middle of a transaction finish it. Returns when the last session has ended; whoever will not
    /// wait for that drops the future, which ends them.
    pub async fn run(&self, sockets: Vec<TcpListener>, shutdown: watch::Receiver<bool>) {
        let mut loops = JoinSet::new();
        for socket in sockets {
            loops.spawn(accept_loop(Arc::clone(&self.shared), socket, shutdown.clone()));
        }
        while let Some(ended) = loops.join_next().await {
            self.shared.report_panic(ended);
        }
    }
}

async fn accept_loop<S: Spool>(
    shared: Arc<Shared<S>>,
    socket: TcpListener,
    mut shutdown: watch::Receiver<bool>,
) {
    let mut sessions = JoinSet::new();
    let stop = shutdown.clone();
    let mut failing = Alarm::new(FAILING);
    loop {
        tokio::select! {
            biased;
            () = stopped(&mut shutdown) => break,
            Some(ended) = sessions.join_next() => shared.report_panic(ended),
            accepted = socket.accept() => match accepted {
                Ok((stream, peer)) => {
                    if let Some(over) = failing.clear(Instant::now().into_std()) {
                        shared.log.write(&log::accepting(over));
                    }
                    sessions.spawn(shared.admit(stream, peer, stop.clone()));
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

/// One line for a client for whom there is no place; a client that does not take it at once learns nothing.
async fn turn_away(mut stream: TcpStream, config: &ListenerConfig) {
    let line = replies::too_many_connections(&config.hostname);
    let _ = tokio::time::timeout(BACK_OFF, stream.write_all(line.as_bytes())).await;
}

/// The client went away between its connection and our `accept`; the next one may be well.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

impl<S: Spool> Shared<S> {
    /// The life of a new connection: a session, or one line where there are too many.
    fn admit(
        self: &Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        shutdown: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let config = Arc::clone(&self.config.borrow());
        // A socket for both families shows IPv4 clients as mapped addresses.
        let client = peer.ip().to_canonical();
        let admitted = self.connections.admit(client, &config.limits);
        let shared = Arc::clone(self);
        async move {
            match admitted {
                Ok(counted) => {
                    // Only latency is lost where this fails.
                    let _ = stream.set_nodelay(true);
                    let (client, wire) = (Client::at(client), Wire::new(stream));
                    Connection::new(shared, client, wire, shutdown).run().await;
                    drop(counted);
                }
                Err(excess) => {
                    shared.report_excess(client, excess);
                    turn_away(stream, &config).await;
                }
            }
        }
    }
}

impl<S> fmt::Debug for Listener<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("connections", &self.shared.connections.all())
            .finish_non_exhaustive()
    }
}
