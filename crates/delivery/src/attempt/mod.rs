//! One attempt: a leased message, the hosts of its next hop, and the result for each recipient.
//!
//! 1. `ways`: the destination or its route, then the fallback. [`walk`]: the hosts of one way in order, and the addresses of
//!    each (`addresses`); `race`: two of them at nearly the same time. `target`: one address and what is required of it; `visit`: the
//!    connection to it and what is sent; `record`: what the log says about it.
//! 2. `pending`: the recipients during the attempt; `result`: the outcome for each.
//! 3. `logins`: logins that fail are told to the administrator. `sightings`: what is seen of the security of hosts;
//!    `counting`: the same for TLS reports; `judged`: how a session did under each policy.
//! 4. `damage`: a message whose stored content is damaged.

mod addresses;
mod counting;
mod damage;
mod judged;
mod logins;
mod pending;
mod race;
mod record;
mod result;
mod sightings;
mod target;
mod visit;
mod walk;
mod ways;

pub(crate) use self::logins::Logins;
pub(crate) use self::record::HostRecord;
pub(crate) use self::result::{Attempted, Ending, Later, RecipientResult};
pub(crate) use self::walk::Deliverer;
