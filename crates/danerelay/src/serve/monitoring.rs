//! Starts what [`monitor`](crate::monitor) does: HTTP for whoever watches the relay.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mail::event::admin::Admin;
use mail::{Event, EventLog};
use spool::Store;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::monitor::{self, Monitor, Sources};

/// How long to wait before an address is tried again that cannot be had: a network may come up after this daemon.
const PAUSE: Duration = Duration::from_mins(1);

/// Serves metrics, health and the status page at `address`. Mail does not wait for an address that cannot be had; it is
/// tried again.
pub(super) async fn start<S: Store>(
    address: SocketAddr,
    sources: Sources<S>,
    log: &Arc<dyn EventLog>,
    stopped: &watch::Receiver<bool>,
) {
    let monitor = Monitor::new(sources);
    tokio::spawn(Arc::clone(&monitor).watch(stopped.clone()));
    let first = bind(address).await;
    if let Err(error) = &first {
        let reason = format!("{address}: {error}");
        log.write(&Event::Admin(Admin::NoStatusPage(reason)));
    }
    let (log, mut stopped) = (Arc::clone(log), stopped.clone());
    tokio::spawn(async move {
        let mut bound = first;
        let (listener, address) = loop {
            if let Ok(bound) = bound {
                break bound;
            }
            let is_over = tokio::select! {
                () = sleep(PAUSE) => false,
                // An error means that the sender is gone.
                _ = stopped.wait_for(|stop| *stop) => true,
            };
            if is_over {
                return;
            }
            bound = bind(address).await;
        };
        log.write(&Event::Admin(Admin::StatusPage(address.to_string())));
        monitor::serve(listener, monitor, stopped).await;
    });
}

async fn bind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = monitor::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
