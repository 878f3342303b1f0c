//! MTA Strict Transport Security (RFC 8461): what a domain's policy is, for how long, and which hosts it allows.
//!
//! A tour:
//!
//! 1. [`record`]: the TXT record says that there is a policy, and its id.
//! 2. [`policy`]: the policy: a mode, a life, and [`pattern`]s of MX hosts.
//! 3. [`entry`]: a policy that was fetched, and how long it counts. `cache`: all of them in memory, within limits; `journal`:
//!    the same on disk, written by a `writer`.
//! 4. [`discovery`]: [`Policies`]: which policy applies to a destination now. [`mod@refresh`]: policies are fetched again before
//!    they end. [`failure`]: why a live policy is not known; [`sources`]: who looks up and fetches. [`fetch`]: the same over HTTPS.
//!
//! Nothing here decides what a policy means for a host: that is the decision's, which has DANE to consider as well. A
//! failure never removes a policy that is in the cache.

mod cache;
pub mod discovery;
pub mod entry;
pub mod failure;
pub mod fetch;
mod journal;
pub mod pattern;
pub mod policy;
pub mod record;
pub mod refresh;
pub mod sources;
#[cfg(test)]
mod tests;
mod writer;

pub use cache::Limits;
pub use discovery::{Discovery, Policies, Sources};
pub use entry::Entry;
pub use failure::{FetchFailure, Trouble};
pub use fetch::HttpsFetch;
pub use pattern::MxPattern;
pub use policy::{Mode, Policy, PolicyFault};
pub use record::{PolicyId, RecordFault};
pub use sources::{AddressLookup, Fetch, TxtLookup};

pub use mail::{Clock, SystemClock};
