//! What all sessions share, and what is logged about all of them together.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mail::{Alarm, EventLog, Pace};
use parking_lot::Mutex;
use spool::{Accepted, Spool, SpoolError};
use tokio::sync::watch;
use tokio::task::JoinError;
use tokio::time::Instant;

use crate::config::ListenerConfig;
use crate::connections::{Connections, Excess};
use crate::log;
use crate::logins::Logins;

/// At most one shortage is logged in this time, with two events, however many clients connect.
const SHORTAGE: Pace = Pace {
    reminder: None,
    pause: Duration::from_mins(1),
};

/// How often the spool is asked for room while it has none.
const LOOK: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 5000 });

/// What all sessions share.
pub(crate) struct Shared<S> {
    pub(crate) spool: Arc<S>,
    pub(crate) on_accepted: Box<dyn Fn(Accepted) + Send + Sync>,
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) config: watch::Receiver<Arc<ListenerConfig>>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) logins: Logins,
    /// The spool has no room. Which resource is short is not news: a queue at its limit has room for a moment after
    /// each delivery.
    shortage: Mutex<Alarm<()>>,
}

impl<S> Shared<S> {
    pub(crate) fn new(
        spool: Arc<S>,
        config: watch::Receiver<Arc<ListenerConfig>>,
        log: Arc<dyn EventLog>,
        on_accepted: Box<dyn Fn(Accepted) + Send + Sync>,
    ) -> Self {
        Self {
            spool,
            on_accepted,
            log,
            config,
            connections: Arc::default(),
            logins: Logins::default(),
            shortage: Mutex::new(Alarm::new(SHORTAGE)),
        }
    }

    pub(crate) fn report_excess(&self, client: IpAddr, excess: Excess) {
        let limit = match excess {
            Excess::All => "limits.connections",
            Excess::Client => "limits.connections_per_client",
            Excess::Strangers => "limits.connections/8",
            Excess::Network => "limits.connections/32",
        };
        self.log.write(&log::connection_refused(client, limit));
    }

    /// The spool did not accept a message. Clients retry soon, so only the beginning of a shortage is logged.
    pub(crate) fn report_spool_error(&self, client: IpAddr, error: &SpoolError) {
        if matches!(error, SpoolError::Full | SpoolError::TooManyMessages) {
            let is_news = self.shortage.lock().raise((), Instant::now().into_std());
            if is_news {
                self.log.write(&log::spool_full(client, error));
            }
        } else {
            self.log.write(&log::spool_failed(client, error));
        }
    }

    /// The spool has room; if there was a shortage, it is over.
    pub(crate) fn report_room(&self) {
        let over = self.shortage.lock().clear(Instant::now().into_std());
        if let Some(over) = over {
            self.log.write(&log::spool_accepting(over));
        }
    }

    /// If the log says that there is no room, asks the spool again and again: there may be room long before the next message
    /// comes. Never returns.
    pub(crate) async fn look_for_room(&self)
    where
        S: Spool,
    {
        loop {
            tokio::time::sleep(LOOK).await;
            let is_short = self.shortage.lock().stands();
            if is_short && self.spool.create().is_ok() {
                self.report_room();
            }
        }
    }

    /// A task that panicked ended its own connection and nothing else.
    pub(crate) fn report_panic(&self, ended: Result<(), JoinError>) {
        if let Err(error) = ended {
            self.log.write(&log::session_failed(&error));
        }
    }
}

/// Ready once the daemon is shutting down.
pub(crate) async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, and nobody can send the signal.
    let _ = shutdown.wait_for(|stop| *stop).await;
}
