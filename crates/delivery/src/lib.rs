//! Delivery: from a queued message to its next hop.
//!
//! The rooms, in the order in which a message meets them:
//!
//! 1. [`when`]: what is done when, and when it is tried again.
//! 2. [`route`]: all look-ups of a destination, and what is decided about each of its hosts.
//! 3. `attempt`: the hosts in order, and what each recipient got.
//! 4. [`connections`]: from an address to a session that may send. Only a session that has met its requirement can.
//! 5. [`transaction`]: MAIL, RCPT, DATA and the content.
//! 6. `settle`: what becomes of each recipient; the line of the log; the report to the sender.
//!
//! `delivery` leads through 2 to 6. [`clock`]: the time by which all of this goes; [`config`]: what the administrator says.
//! [`failure`]: what went wrong in a session; what follows from that derives from its cause ([`mail::cause`]).
//!
//! [`probe`] goes as far as `connections` does and turns back: for looking at a destination without sending.
//!
//! What it never does: connect to a host that the decision passed over; send over a connection that does not meet its
//! requirement; take a reply for final that somebody unauthenticated gave where authentication was required; hold a
//! connection's place while it looks up names, unless what it knew grew old in waiting for that place.

mod attempt;
pub mod clock;
pub mod config;
pub mod connections;
mod delivery;
pub mod failure;
pub mod probe;
pub mod route;
mod settle;
pub mod transaction;
pub mod when;

use std::sync::Arc;
use std::time::Duration;

use mail::{AddressError, DomainPart};
use spool::Spool;
use tokio::sync::watch;

use crate::settle::reports::delays_gathered;
use crate::when::scheduler::{Limits, Scheduler};

pub use clock::{Clock, SystemClock};
pub use config::{DeliveryConfig, RetrySchedule, Timeouts, Windows};
pub use connections::TlsClient;
pub use delivery::Surroundings;
pub use when::scheduler::SchedulerHandle;

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
    let limits = Limits {
        windows: config.windows(),
        longest_delay: config.retry.longest_delay(),
        delays_gathered: delays_gathered(config.delay_warning),
    };
    let (spool, events) = (Arc::clone(&surroundings.spool), Arc::clone(&surroundings.events));
    let clock = Arc::clone(&surroundings.clock);
    let delivery = Arc::new(delivery::Delivery::new(config, surroundings, hostname));
    let (scheduler, handle) = Scheduler::new(delivery, spool, events, clock, limits);
    Ok((handle, tokio::spawn(scheduler.run(stop, GRACE))))
}
