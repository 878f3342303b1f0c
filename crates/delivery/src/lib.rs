//! Delivery: from a queued message to its next hop.
//!
//! The parts, in the order in which a message meets them:
//!
//! 1. [`scheduler`]: what is due when; how much goes to one destination at once.
//! 2. [`route`]: all look-ups of a destination, the facts, and the decision of crate `policy` about them.
//! 3. `attempt`: the hosts in order, the second round of soft-fail, and what each recipient got.
//! 4. `session`: connection, greeting, EHLO, STARTTLS; `tls`: the handshake; `clearance`: what it achieved, as a value
//!    without which nothing is sent.
//! 5. `transaction`: MAIL, RCPT, DATA, content.
//! 6. `settle` and `retry`: what becomes of each recipient, and when it is tried again; `record`: the log line;
//!    `undeliverable`: the report to the sender of what failed for good.
//!
//! [`probe`] goes as far as `session` does and turns back: for looking at a destination without sending.
//!
//! [`failure`] is the one mapping from what a server did to status, log words and finality.
//!
//! What it never does: connect to a host that the decision passed over; send over a connection that does not meet its
//! requirement; take a reply for final that somebody unauthenticated gave where authentication was required; hold a
//! connection's place while it looks up names.

mod attempt;
mod clearance;
pub mod config;
mod delivery;
pub mod failure;
mod host_limits;
mod marks;
pub mod probe;
mod record;
mod retry;
pub mod route;
pub mod scheduler;
mod session;
mod settle;
mod source;
pub mod stage;
mod tls;
mod transaction;
mod undeliverable;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use mail::{AddressError, DomainPart};
use spool::Spool;
use tokio::sync::watch;

pub use config::{DeliveryConfig, RetrySchedule, Timeouts};
pub use delivery::Surroundings;
pub use scheduler::SchedulerHandle;
pub use tls::TlsClient;

/// Deliveries under way get this long to end once the daemon is told to stop.
pub const GRACE: Duration = Duration::from_secs(30);

/// Starts delivering what is in the spool, and what the handle is told of, until `stop` turns true. The task ends when
/// everything under way has ended, at most [`GRACE`] later.
///
/// Fails if `config.hostname` is neither a domain name nor an address literal.
pub fn start<S: Spool>(
    config: DeliveryConfig,
    surroundings: Surroundings<S>,
    stop: watch::Receiver<bool>,
) -> Result<(SchedulerHandle, tokio::task::JoinHandle<()>), AddressError> {
    let hostname = DomainPart::parse(&config.hostname)?;
    let limits = scheduler::Limits {
        connections: config.connections,
        per_destination: config.connections_per_destination,
    };
    let (spool, events) = (Arc::clone(&surroundings.spool), Arc::clone(&surroundings.events));
    let delivery = Arc::new(delivery::Delivery::new(config, surroundings, hostname));
    let (scheduler, handle) = scheduler::Scheduler::new(delivery, spool, events, limits);
    Ok((handle, tokio::spawn(scheduler.run(stop, GRACE))))
}
