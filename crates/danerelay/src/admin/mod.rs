//! The administrator's door into the running daemon: a Unix stream socket, `admin.socket`.
//!
//! * [`protocol`]: what is said through it, a line of JSON at a time. [`selectors`]: whom a command is about.
//!   [`letter`]: one message with all that is known of it.
//! * [`door`]: the socket in the file system. [`server`]: who comes in. [`places`]: how many, and who makes room for whom.
//!   [`peer`]: who it is.
//! * [`office`]: what all connections share. [`answers`]: what is written back. [`walk`]: the way through the queue. [`looking`]: commands that change
//!   nothing. [`explaining`]: what is done for a destination. [`acting`]: commands that change something; each of these is
//!   logged with who asked.
//!
//! Whoever may open the socket may do everything. Nothing that comes in through it ends the daemon, and nobody who
//! reads slowly or goes away keeps anything from others.

mod acting;
mod answers;
mod door;
mod explaining;
pub(crate) mod letter;
mod looking;
mod office;
mod peer;
mod places;
pub(crate) mod protocol;
pub(crate) mod selectors;
mod server;
pub(crate) mod walk;

pub(crate) use door::Door;
pub(crate) use looking::{DESTINATIONS, aged, letter_of};
pub(crate) use office::{ReloadOrder, Surroundings};
pub(crate) use server::serve;
