//! The SMTP server side: decides who may relay, and puts messages into the spool.
//!
//! An overview, in the order in which a connection passes through the parts:
//!
//! * [`Listener`] accepts connections on sockets bound by the caller, counts them (`connections`) and gives each its
//!   own task. Nothing a client does, and no error of `accept`, stops it.
//! * `connection` connects a client's session, its wire and the spool. The client gets its 250 only after the spool has
//!   reported that the message is durable.
//! * `wire` handles the octets: input, output, and the time limits for both.
//! * `session` decides, without I/O: it reads commands (the grammar is in `smtp`) and answers them in order; replies to
//!   pipelined commands are sent together. Its parts: `replies` has the wording; `arrival` takes in what follows DATA:
//!   through the decoder, past the header scanner (`header`), behind our own Received field (`received`), with its
//!   `envelope`; `refusals` logs what a session was refused, in one line.
//! * `client` knows who a client is, and whether it may relay.
//! * [`ListenerConfig`] and [`Limits`] are the administrator's settings.
//!
//! What it never does: change anything in a message below its own Received field (except to put the blank line in front
//! of content that has no header, to turn a left-over line of a mailbox file into a field, to break a line that is
//! too long to be passed on, or, where the settings ask for it, to add missing fields and to rewrite lone LFs), resolve names, or hold the whole content in memory. The client's name in the log and in
//! Received is `unknown`, because no reverse look-up is made and what the client calls itself proves nothing.

mod accept;
mod client;
mod config;
mod connection;
mod connections;
pub mod fuzzing;
mod key_digest;
mod log;
mod logins;
mod pace;
mod proxy;
mod session;
mod shared;
mod tls;
pub mod users;
mod wire;

#[cfg(test)]
mod tests;

pub use accept::{Encryption, Listener};
pub use config::{ClientInReceived, Limits, ListenerConfig, MissingFields};
pub use key_digest::{KeyDigest, NoDigest};
pub use smtp::{LoneLf, LongLines};
pub use tls::{ClientCertificates, ServerTls};
pub use users::Users;
