//! Delivery: from a queued message to its next hop.
//!
//! The parts, in the order in which a message meets them:
//!
//! 1. [`scheduler`]: what is done when. `schedule`: what waits for its time; `turns`: what is due, by destination; `untold`:
//!    whose sender is told when.
//! 2. [`route`]: all look-ups of a destination, the facts, and the decision of crate `policy` about them.
//! 3. `attempt`: the hosts in order, the second round of soft-fail, and what each recipient got; `round`: one address of
//!    one host.
//! 4. `session`: connection, greeting, EHLO, STARTTLS; `tls`: the handshake; `clearance`: what it achieved, as a value
//!    without which nothing is sent.
//! 5. `transaction`: MAIL, RCPT, DATA, content; `original`: the parameters of RCPT.
//! 6. `settle` and `retry`: what becomes of each recipient, and when it is tried again; `record`: the log line.
//! 7. `reports`: what the sender is told of what failed, waits or was relayed.
//!
//! `delivery` leads through 2 to 7. [`clock`]: the time by which all of this goes.
//!
//! [`probe`] goes as far as `session` does and turns back: for looking at a destination without sending.
//!
//! [`failure`] is the one mapping from what a server did to status, log words and finality.
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
mod original;
pub mod probe;
mod record;
mod reports;
mod retry;
mod round;
pub mod route;
mod schedule;
pub mod scheduler;
mod settle;
pub mod transaction;
mod turns;
mod untold;

use std::sync::Arc;
use std::time::Duration;

use mail::{AddressError, DomainPart};
use spool::Spool;
use tokio::sync::watch;

pub use clock::{Clock, SystemClock};
pub use config::{DeliveryConfig, RetrySchedule, Timeouts, Windows};
pub use connections::TlsClient;
pub use delivery::Surroundings;
pub use scheduler::SchedulerHandle;

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
        windows: config.windows(),
        longest_delay: config.retry.longest_delay(),
        delays_gathered: reports::delays_gathered(config.delay_warning),
    };
    let (spool, events) = (Arc::clone(&surroundings.spool), Arc::clone(&surroundings.events));
    let clock = Arc::clone(&surroundings.clock);
    let delivery = Arc::new(delivery::Delivery::new(config, surroundings, hostname));
    let (scheduler, handle) = scheduler::Scheduler::new(delivery, spool, events, clock, limits);
    Ok((handle, tokio::spawn(scheduler.run(stop, GRACE))))
}
