//! The database: its tables, and every statement that is run on it. Nothing here knows about threads, leases or the queue of
//! jobs: each function takes a connection, and those that write run inside the caller's transaction.
//!
//! * [`schema`]: the tables and their versions. [`connections`]: how a connection is set up.
//! * [`columns`]: between our types and the columns. [`state`]: the states of a recipient.
//! * Writing. [`new_message`]: the rows of a new message. [`messages`]: they are inserted and deleted. [`outcomes`]: what
//!   attempts come to, and what is told of them. [`actions`]: what the administrator does.
//! * Reading. [`schedule`]: what waits. [`leasing`]: what a delivery or a report needs. [`stored`]: contents.
//!   [`list`], [`shown`], [`summary`], [`declared`]: what the administrator is shown. [`pages`]: how it goes on where
//!   a page of the database is malformed.
//! * [`tls`]: results of TLS sessions, for reports to the receiving side.
//! * [`ledger`]: outcomes counted by day. [`incidents`]: security failures as they are recorded; [`room`]: how
//!   many there may be; [`known`]: reading them; [`shared`]: messages that wait for several.

pub(crate) mod actions;
pub(crate) mod columns;
pub(crate) mod connections;
pub(crate) mod declared;
pub(crate) mod incidents;
pub(crate) mod known;
pub(crate) mod leasing;
pub(crate) mod ledger;
pub(crate) mod list;
pub(crate) mod messages;
pub(crate) mod new_message;
pub(crate) mod outcomes;
pub(crate) mod pages;
pub(crate) mod room;
pub(crate) mod schedule;
pub(crate) mod schema;
mod shared;
mod shown;
pub(crate) mod state;
pub(crate) mod stored;
pub(crate) mod summary;
pub(crate) mod tls;
