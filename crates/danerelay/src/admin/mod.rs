//! The administrator's access to the running daemon: a Unix stream socket, `admin.socket`.
//!
//! * [`protocol`]: the messages, one line of JSON each. [`selectors`]: which messages a command applies to. [`details`]:
//!   one message with everything known about it.
//! * [`socket`]: the socket in the file system. [`server`]: accepts clients. [`places`]: how many there may be, and which
//!   one has to leave for another. [`peer`]: who the client is.
//! * [`shared`]: what all connections share. [`answers`]: writes the answers. [`walk`]: goes through the queue.
//!   [`looking`]: commands that only read. [`explaining`]: what is done for a destination. [`reporting`]: the
//!   ledger's figures. [`daily`]: the daily mail. [`acting`]: commands that change something; each of these is logged with
//!   who sent it. [`tracing`]: a retry whose deliveries are followed.
//!
//! Whoever may open the socket may do everything. Nothing received through it can end the daemon, and a client that
//! reads slowly or disconnects does not hold up others.

mod acting;
mod answers;
mod daily;
pub(crate) mod details;
mod explaining;
mod looking;
mod peer;
mod places;
pub(crate) mod protocol;
mod reporting;
pub(crate) mod selectors;
mod server;
mod shared;
mod socket;
mod tracing;
pub(crate) mod walk;

pub(crate) use looking::{DESTINATIONS, aged, details_of};
pub(crate) use server::serve;
pub(crate) use shared::{Context, Daily, Reading, ReloadOrder};
pub(crate) use socket::AdminSocket;
