//! The durable queue between the listener and the delivery.
//!
//! A tour, in the order of a message's way:
//!
//! * [`store`]: [`Spool`], the trait that every backend implements and all that the other crates see.
//! * [`incoming`]: [`Incoming`], content while it is received: in memory while small, in a file beyond that.
//! * [`message`]: [`NewMessage`] is committed and becomes [`Accepted`]; its [`Pending`] parts wait; a [`Lease`] is
//!   the right to deliver one; [`Settlement`]s say what came of it, [`Settled`] what is left. [`Notices`] are what its
//!   sender is still to be told, a [`Report`] tells it.
//! * [`content`]: [`Content`], read from a lease in chunks, or the [`Damage`] that makes it unfit for that.
//! * [`leases`]: who delivers what, in the memory of this process; `doubts`: what a crash would leave in doubt of it.
//! * [`embedded`]: [`EmbeddedSpool`] on `SQLite`, and [`ReadOnlySpool`] to look into one.
//! * [`manage`]: [`Manage`], the administrator's side; [`listing`]: [`QueuedMessage`], what `queue list` shows.
//! * [`error`]: [`SpoolError`], by culprit.
//!
//! A message is durable before its client is told so, and each outcome before the next step is taken. Content above
//! [`incoming::INLINE_LIMIT`] is never in memory whole. Nothing here decides when or how to deliver.

mod blocking;
pub mod content;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod doubts;
pub mod embedded;
pub mod error;
pub mod incoming;
pub mod leases;
pub mod listing;
pub mod manage;
pub mod message;
pub mod store;

pub use content::{Content, ContentReader, Damage};
pub use doubts::InDoubt;
pub use embedded::{EmbeddedSpool, Options, ReadOnlySpool};
pub use error::SpoolError;
pub use incoming::Incoming;
pub use listing::{
    Declared, DeclaredRecipient, DestinationCount, QueuedMessage, QueuedRecipient, RecipientState,
    StateCounts, Summary, Unreadable, in_milliseconds,
};
pub use manage::{Acted, Action, Manage, Selected};
pub use message::{
    Accepted, Lease, LeasedRecipient, Leasing, NewMessage, NoticedRecipient, Notices, Pending,
    RecipientIndex, Report, Reported, Settled, Settlement,
};
pub use store::Spool;
