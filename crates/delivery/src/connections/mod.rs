//! Connections: from an address to a session that may send.
//!
//! 1. `places`: the right to have one connection open, in all and at one address; `source`: the local address.
//! 2. `opening`: connection, greeting, EHLO, STARTTLS; `wire`: octets and replies.
//! 3. `tls`: the handshake; `clearance`: what it achieved.
//! 4. [`session`]: the states, of which only the last can send.
//! 5. `walk`: all of this one after the other; `marks`: in which way handshakes broke, by which a session may go on in
//!    clear.

mod clearance;
mod marks;
mod opening;
mod places;
pub mod session;
mod source;
mod tls;
mod walk;
mod wire;

pub(crate) use self::places::Places;
pub use self::session::{ClearedSession, Greeted, Secured};
pub use self::tls::TlsClient;
pub(crate) use self::tls::{DanePeer, Peer, TlsFacts, Witness};
pub(crate) use self::walk::{Connections, InClear};
