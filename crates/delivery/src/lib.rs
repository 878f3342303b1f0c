//! Delivery: from a queued message to its next hop.
//!
//! The parts, in the order in which a message passes through them:
//!
//! 1. [`when`]: when to deliver, and when to try again.
//! 2. [`route`]: all look-ups for a destination, and the decision about each of its hosts.
//! 3. `attempt`: the hosts in order, and the result for each recipient.
//! 4. [`connections`]: from an address to a session that can send, which only a session that has met its requirement
//!    can.
//! 5. [`transaction`]: MAIL, RCPT, DATA and the content.
//! 6. `settle`: the outcome for each recipient; the line in the log; the report to the sender.
//!
//! `delivery` runs steps 2 to 6. [`clock`]: the time used for all of this; [`config`]: the administrator's settings.
//! [`failure`]: what went wrong in a session; what follows from that is derived from its cause ([`mail::cause`]).
//! `forget`: what an administrator has forgotten. `remembered`: what hosts have shown of their security, for incidents.
//! `session_watch`: who else is shown the results of TLS sessions. `trace`: who is told what happens in a delivery.
//! `window`: how many connections a receiver is given at once; `evidence`: what a failure shows about it.
//!
//! [`probe`] goes as far as `connections` and stops there: it examines a destination without sending.
//!
//! What it never does: connect to a host that the decision ruled out; send over a connection that does not meet its
//! requirement; take a reply as final if authentication was required and the server was not authenticated; keep a
//! connection's place during look-ups, unless its information became too old while it waited for that place.

mod attempt;
pub mod clock;
pub mod config;
pub mod connections;
mod delivery;
mod evidence;
pub mod failure;
mod forget;
pub mod probe;
mod remembered;
pub mod route;
mod session_watch;
mod settle;
mod trace;
pub mod transaction;
pub mod when;
mod window;

use std::sync::Arc;
use std::time::Duration;

use mail::{AddressError, DomainPart};
use spool::Spool;
use tokio::sync::watch;

use crate::settle::reports::delays_gathered;
use crate::when::Ages;
use crate::when::scheduler::{Limits, Scheduler};

pub use clock::{Clock, SystemClock};
pub use config::{DeliveryConfig, RetrySchedule, Reuse, Timeouts, Windows};
pub use connections::{Handshakes, ShakenResult, TlsClient};
pub use delivery::Surroundings;
pub use forget::{Forget, Names};
pub use session_watch::SessionWatch;
pub use trace::{Traces, Watch};
pub use when::handle::SchedulerHandle;
pub use when::{DestinationStanding, Standings};

/// Deliveries in progress get this long to finish once the daemon is told to stop.
pub const GRACE: Duration = Duration::from_secs(30);

/// Starts delivering what is in the spool and what is passed to the handle, until `stop` turns true. The task ends when
/// all deliveries in progress have ended, at most [`GRACE`] later.
///
/// Fails if `config.hostname` is neither a domain name nor an address literal.
pub fn start<S: Spool>(
    config: DeliveryConfig,
    surroundings: Surroundings<S>,
    stop: watch::Receiver<bool>,
) -> Result<(SchedulerHandle, tokio::task::JoinHandle<()>), AddressError> {
    let hostname = DomainPart::parse(&config.hostname)?;
    let (max_age, bounce_max_age) = (config.retry.max_age, config.retry.bounce_max_age);
    let limits = Limits {
        windows: config.windows(),
        longest_delay: config.retry.longest_delay(),
        delays_gathered: delays_gathered(config.delay_warning),
        ages: Ages {
            warning: config.delay_warning,
            end: max_age.min(bounce_max_age),
        },
    };
    let (spool, events) = (Arc::clone(&surroundings.spool), Arc::clone(&surroundings.events));
    let clock = Arc::clone(&surroundings.clock);
    let delivery = Arc::new(delivery::Delivery::new(config, surroundings, hostname));
    let (scheduler, handle) = Scheduler::new(Arc::clone(&delivery), spool, events, clock, limits);
    let running = async move {
        delivery.recall().await;
        scheduler.run(stop, GRACE).await;
    };
    Ok((handle, tokio::spawn(running)))
}
