//! The embedded store: `SQLite` in write-ahead mode, with large contents in files beside it.
//!
//! Each of these uses only those listed after it:
//!
//! * [`store`]: [`EmbeddedSpool`]. [`managing`]: the administrator's side of it. [`read_only`]: [`ReadOnlySpool`], to
//!   inspect a spool without being its daemon.
//! * [`start`]: what is checked before anything is accepted. [`opened`]: the parts of an open spool that all callers use.
//! * [`writer`]: the one thread that writes, in groups, and a second thread for work that nothing waits for.
//! * [`shared`]: what the writer and the callers share.
//! * [`reading`]: read-only connections, and the messages just accepted.
//! * [`log`]: `SQLite`'s write-ahead log, and how it is copied into the database.
//! * [`sql`]: the tables, and all statements.
//! * [`disk`]: the files beside the database.
//! * [`options`]: what can be configured. [`error`]: what can go wrong. [`steps`]: where a process can die and a write can
//!   fail. [`telling`]: how events reach the log.

mod disk;
mod error;
mod log;
mod managing;
mod opened;
mod options;
mod read_only;
mod reading;
mod shared;
mod sql;
mod start;
mod steps;
mod store;
mod telling;
#[cfg(test)]
mod tests;
mod writer;

pub use options::Options;
pub use read_only::ReadOnlySpool;
pub use store::EmbeddedSpool;
