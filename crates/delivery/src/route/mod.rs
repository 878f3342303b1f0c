//! From a next hop to a decision and the hosts that it speaks of.
//!
//! All look-ups of one destination run before the first connection: first MX, then the addresses of its hosts, eight at once,
//! and behind each host's addresses its TLSA records.
//!
//! 1. [`search`]: the look-ups, the facts, and the decision of crate `policy` about them. `own`: whether a host is this
//!    relay; `origin`: how it came to be one of the destination's.
//! 2. [`hosts`]: [`RouteHost`], all that is known of a host; [`Candidate`]: with what is decided about it.
//! 3. [`found`]: [`Route`]; `age`: how long it holds; `look_ups`: how it is found anew.

mod age;
pub mod found;
pub mod hosts;
mod look_ups;
mod origin;
mod own;
pub mod search;

pub use self::found::Route;
pub(crate) use self::found::too_late;
pub use self::hosts::{Candidate, RouteHost};
pub(crate) use self::look_ups::LookUps;
pub use self::search::find;
