//! The SMTP server side: who may relay, and into the spool.
//!
//! A tour, in the order in which a connection meets the parts:
//!
//! * [`Listener`] accepts connections on sockets that were bound for it, counts them (`connections`) and gives
//!   each a task of its own. Nothing a client does, and no error of `accept`, ends it.
//! * `connection` joins a client's session, the wire that it speaks on and the spool. Only when the spool says that a
//!   message is durable is 250 said.
//! * `wire` is the octets: what has come, what leaves, and the time that either may take.
//! * `session` decides, without I/O: it reads commands (the grammar is `smtp`'s) and answers them in order; replies to
//!   pipelined commands leave together. Its rooms: `replies` holds the words; `arrival` takes in what follows DATA, through
//!   the decoder, past the header scanner (`header`), behind our own Received field (`received`), with its `envelope`;
//!   `refusals` tells the log what a session was refused, in one line.
//! * `client` is who a client is, and whether it may relay.
//! * [`ListenerConfig`] and [`Limits`] are what the administrator decides.
//!
//! What it never does: change anything in a message below its own Received field (but to put the blank line in front of
//! content that has no header, to make a field of a left-over line of a mailbox file, or to break a line that is too long
//! to be passed on), resolve names, or hold content
//! in memory whole. The client's name in the log and in Received is `unknown`, because no reverse look-up is made and what
//! the client calls itself proves nothing.

mod accept;
mod client;
mod config;
mod connection;
mod connections;
pub mod fuzzing;
mod key_digest;
mod log;
mod logins;
mod proxy;
mod session;
mod shared;
mod tls;
pub mod users;
mod wire;

#[cfg(test)]
mod tests;

pub use accept::{Encryption, Listener};
pub use config::{Limits, ListenerConfig};
pub use key_digest::{KeyDigest, NoDigest};
pub use smtp::LongLines;
pub use tls::{ClientCertificates, ServerTls};
pub use users::Users;
