//! Connections: from an address to a session that can send.
//!
//! 1. `places`: the limits on open connections, and the sessions that are kept for the next message; `key`: which
//!    message may use one; `paces`: how many messages a minute a host gets;
//!    `source`: the local address.
//! 2. `dialled`: a connection over which nothing has been said. `opening`: connection, greeting, EHLO, STARTTLS; `wire`: octets and replies.
//! 3. `tls`: the handshake; `tls_outcome`: what became of it, for the log; `clearance`: what it achieved; `handshakes`: how many ended how.
//! 4. [`session`]: the states; only the last one can send. `pool`: such a session between messages.
//! 5. `login`: SMTP AUTH at a route's server.
//! 6. `walk`: all of these steps in order; `marks`: how handshakes broke, which decides whether a session may continue
//!    in plain text.

mod clearance;
mod dialled;
mod handshakes;
mod key;
mod login;
mod marks;
mod opening;
mod paces;
mod places;
mod pool;
pub mod session;
mod source;
mod tls;
mod tls_outcome;
mod walk;
mod wire;

pub(crate) use self::dialled::{Dialled, NotOpened};
pub use self::handshakes::{Handshakes, ShakenResult};
pub(crate) use self::login::{log_in, login_offered};
pub(crate) use self::places::{Destination, NotHere, Place};
pub(crate) use self::pool::PooledSession;
pub use self::session::{ClearedSession, Greeted, Secured};
pub use self::tls::TlsClient;
pub(crate) use self::tls::{DanePeer, Ends, Peer, Seen, Witness};
#[cfg(test)]
pub(crate) use self::tls_outcome::TlsFacts;
pub(crate) use self::tls_outcome::TlsOutcome;
pub(crate) use self::walk::{Connections, InClear, Ready, Terms, Want};
