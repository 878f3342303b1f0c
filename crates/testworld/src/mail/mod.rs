//! Receiving SMTP servers that keep what they receive and fail as told, and the certificates that they present.
//!
//! [`Receiver::builder`] describes a server, [`Receiver::start`](ReceiverBuilder::start) starts it on a loopback address.
//! Its faults and its identity may change while it runs; each connection keeps those in force when it was made.
//! [`Receiver::messages`] is the mail that it took responsibility for, [`Receiver::connections`] every command of every
//! connection, in order, showing what was said before and after TLS.
//!
//! A relay has one port for all hosts, so receivers of one scene share a port on different addresses:
//! [`free_port_on`] finds it.

mod behaviour;
mod fault;
mod identity;
mod ports;
mod receiver;
mod record;
mod session;
mod wire;

pub use fault::{MailFault, Stage};
pub use identity::{Ca, Identity, IdentityBuilder, KeyKind, Validity};
pub use ports::free_port_on;
pub use receiver::{Receiver, ReceiverBuilder};
pub use record::{Connection, Received, TlsSeen};
