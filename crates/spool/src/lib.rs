//! The durable queue between the listener and the delivery: what every store must do, and the types it does it with.
//!
//! A tour, in the order of a message's way:
//!
//! * [`store`]: [`Spool`], the trait that every store implements and all that the listener and the delivery see.
//! * [`incoming`]: [`Incoming`], content while it is received: in memory while small, in a file beyond that.
//! * [`message`]: [`NewMessage`] is committed and becomes [`Accepted`]; its [`Pending`] parts wait; a [`Lease`] is
//!   the right to deliver one; [`Settlement`]s say what came of it, [`Settled`] what is left. [`Notices`] are what its
//!   sender is still to be told, a [`Report`] tells it.
//! * [`content`]: [`Content`], read from a lease in chunks; [`damage`]: [`Damage`], which makes it unfit for that.
//! * [`leases`]: who delivers what, in the memory of this process.
//! * [`manage`]: [`Inspect`] and [`Manage`], the administrator's side; [`listing`]: [`QueuedMessage`], what `queue list`
//!   shows.
//! * [`ledger`]: [`Ledger`], what settlements have counted. [`incidents`]: [`Incidents`], the security failures that they
//!   have recorded.
//!   [`tls`]: [`TlsTallies`], what they have counted for TLS reports.
//! * [`running`]: [`Running`], the daemon's side: what its start has found, and the end.
//! * [`error`]: [`SpoolError`], by culprit.
//! * `contract`: the tests that every store must pass; with the feature of that name.
//!
//! A message is durable before its client is told so, and each outcome before the next step is taken. Content above
//! [`incoming::INLINE_LIMIT`] is never in memory whole. Nothing here decides when or how to deliver, and nothing here
//! knows a database: the stores are crates of their own.

pub mod blocking;
pub mod content;
#[cfg(feature = "contract")]
pub mod contract;
pub mod damage;
pub mod error;
pub mod incidents;
pub mod incoming;
pub mod leases;
pub mod ledger;
pub mod listing;
pub mod manage;
pub mod message;
pub mod running;
pub mod store;
pub mod tls;

pub use content::{Content, ContentReader};
pub use damage::{Damage, Flaw};
pub use error::SpoolError;
pub use incidents::{
    Before, IncidentNumber, Incidents, KeepIncidents, KnownIncident, Noticed, Shared, Step, Told, Waiting,
    Way,
};
pub use incoming::Incoming;
pub use ledger::{Ledger, LedgerRoom, Tally};
pub use listing::{
    Ages, Declared, DeclaredRecipient, DestinationCount, QueuedMessage, QueuedRecipient, Reason, ReasonCount,
    RecipientState, StateCounts, Summary, Unreadable, in_milliseconds,
};
pub use manage::{Acted, Action, Inspect, Manage, Selected};
pub use message::{
    Accepted, After, Ending, Lease, LeasedRecipient, Leasing, NewMessage, NoticedRecipient, Notices,
    Outcomes, Pending, RecipientIndex, Report, Reported, Settled, Settlement,
};
pub use running::{DiskSpace, InDoubt, Running};
pub use store::{Spool, Store};
pub use tls::{KeepTlsTallies, TlsDay, TlsDomain, TlsTallies, TlsTold};
