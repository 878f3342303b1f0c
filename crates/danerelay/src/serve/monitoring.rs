//! Starts what [`monitor`](crate::monitor) does: HTTP for whoever watches the relay.

use std::net::SocketAddr;
use std::sync::Arc;

use mail::event::admin::Admin;
use mail::{Event, EventLog};
use spool::Store;
use tokio::sync::watch;

use crate::monitor::{self, Monitor, Sources};

/// Serves metrics, health and the status page at `address`. Mail does not wait for an address that cannot be had.
pub(super) async fn start<S: Store>(
    address: SocketAddr,
    sources: Sources<S>,
    log: &dyn EventLog,
    stopped: &watch::Receiver<bool>,
) {
    let bound = match monitor::bind(address).await {
        Ok(listener) => listener.local_addr().map(|address| (listener, address)),
        Err(error) => Err(error),
    };
    let (listener, address) = match bound {
        Ok(bound) => bound,
        Err(error) => {
            let reason = format!("{address}: {error}");
            return log.write(&Event::Admin(Admin::NoStatusPage(reason)));
        }
    };
    log.write(&Event::Admin(Admin::StatusPage(address.to_string())));
    let monitor = Monitor::new(sources);
    tokio::spawn(Arc::clone(&monitor).watch(stopped.clone()));
    tokio::spawn(monitor::serve(listener, monitor, stopped.clone()));
}
