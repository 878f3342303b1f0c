//! From a next hop to a decision and the hosts that it is about.
//!
//! All look-ups of one destination run before the first connection: first MX, then the addresses of its hosts, eight
//! hosts at a time, and after each host's addresses its TLSA records; beside all of that the domain's MTA-STS policy.
//!
//! 1. `target`: the next hop to begin with: the recipient's domain, a route or a fallback.
//! 2. [`search`]: the look-ups, the facts, and the decision of crate `policy` about them. `own`: whether a host is this
//!    relay; `ignored`: addresses to which no stranger may lead; `forms`: addresses within others; `mta_sts`: what the
//!    domain's policy says, and `sts_sources`, by which it is found; `origin`: how a host became one of the destination's.
//! 3. [`hosts`]: [`RouteHost`], the findings about a host; [`Candidate`]: a host with the decision about it.
//! 4. [`found`]: [`Route`]; `age`: how long it is valid; `look_ups`: how to repeat the look-ups; `telling`: what a trace
//!    says about it.

mod age;
mod forms;
pub mod found;
pub mod hosts;
mod ignored;
mod look_ups;
mod mta_sts;
mod origin;
mod own;
pub mod search;
mod sts_sources;
mod target;
mod telling;

pub use self::found::Route;
pub(crate) use self::found::too_late;
pub use self::hosts::{Candidate, RouteHost};
pub(crate) use self::look_ups::LookUps;
pub use self::mta_sts::Sts;
pub use self::search::{Means, Sought, find};
pub use self::sts_sources::StsLookups;
pub use self::target::Way;
