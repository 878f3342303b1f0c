//! HTTP, bounded: so many connections, each with requests of so many octets and for so long.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use spool::Store;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::answers::answer;
use super::places::{Asked, Places};
use super::sources::Monitor;

/// Connections at once; further ones take the place of another ([`Places::make_room`]), or are closed.
const CONNECTIONS: usize = 32;
/// How long a client may take to send the head of a request, and to wait with the next one.
const HEAD: Duration = Duration::from_secs(10);
/// How large that may be, in octets, and the number of its fields. More than 8 KiB hyper cannot be told to refuse.
const HEAD_OCTETS: usize = 8 * 1024;
const FIELDS: usize = 64;
/// For how long a connection takes requests.
const CONNECTION: Duration = Duration::from_mins(1);
/// How long the last answer may then take to be read.
const LAST: Duration = Duration::from_secs(5);
/// The pause after a connection could not be accepted, mostly because there were no file descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// Listens on this address.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves clients until `stop` turns true.
pub(crate) async fn serve<S: Store>(
    listener: TcpListener,
    monitor: Arc<Monitor<S>>,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let mut places = Places::new(CONNECTIONS);
    loop {
        let accepted = tokio::select! {
            // An error means that the sender is gone.
            _ = stop.wait_for(|stop| *stop) => return,
            accepted = listener.accept() => accepted,
        };
        // A panic in one of them has already been logged.
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, client)) => {
                if places.make_room(client.ip()) {
                    let asked = Asked::default();
                    let connection = connections.spawn(attend(stream, Arc::clone(&monitor), asked.clone()));
                    places.take(client.ip(), connection, asked);
                }
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// Serves one client.
async fn attend<S: Store>(stream: TcpStream, monitor: Arc<Monitor<S>>, asked: Asked) {
    let service = service_fn(move |request| {
        asked.set();
        let monitor = Arc::clone(&monitor);
        async move { Ok::<_, Infallible>(answer(&request, &monitor)) }
    });
    let connection = Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_OCTETS)
        .max_headers(FIELDS)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // How it ends concerns only the client.
    if timeout(CONNECTION, connection.as_mut()).await.is_err() {
        connection.as_mut().graceful_shutdown();
        let _ = timeout(LAST, connection).await;
    }
}
