//! How long a client may take.

use std::time::Duration;

use tokio::time::Instant;

use crate::client::Client;
use crate::config::ListenerConfig;
use crate::wire::CONTENT_READ;

/// The maximum time for a client that may not relay.
const STRANGERS_PATIENCE: Duration = Duration::from_mins(2);

/// The deadline for the client's next command, or its next block of content.
#[derive(Debug)]
pub(crate) struct Pace {
    /// How long the client may take.
    pub(crate) limit: Duration,
    /// When it has to be done.
    pub(crate) deadline: Instant,
    /// Octets of content since the deadline was set.
    octets: usize,
}

impl Pace {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit,
            deadline: Instant::now() + limit,
            octets: 0,
        }
    }

    pub(crate) fn renew(&mut self) {
        self.deadline = Instant::now() + self.limit;
        self.octets = 0;
    }

    /// Each block of [`CONTENT_READ`] octets must arrive in time, however small its pieces are.
    pub(crate) fn came(&mut self, octets: usize) {
        self.octets = self.octets.saturating_add(octets);
        if self.octets >= CONTENT_READ {
            self.renew();
        }
    }
}

/// How long the client may take. Nothing that a client without permission to relay may send takes long.
pub(crate) fn patience(config: &ListenerConfig, client: &Client) -> Duration {
    let limit = config.limits.timeout;
    if client.may_relay(config) {
        limit
    } else {
        limit.min(STRANGERS_PATIENCE)
    }
}
