//! A complete world for mail on loopback: a private signed DNS tree and receiving servers with every fault, in process.
//!
//! `danerelay demo` and the tests of other crates use it; nothing leaves the machine and no privileges are needed.
//! A tour:
//!
//! 1. [`dns`]: [`World`](dns::World) is one name server for a signed root and all zones below it. Zones are signed, unsigned
//!    or bogus; questions can be made to fail; records change while it runs.
//! 2. [`mail`]: [`Ca`](mail::Ca) and [`Identity`](mail::Identity) are certificates and the TLSA records that match them;
//!    [`Receiver`](mail::Receiver) is a receiving SMTP server that keeps what it gets and fails as it is told.
//! 3. [`web`]: a web server over TLS, with the same identities.
//!
//! ```
//! # async fn scene() -> Result<(), testworld::WorldError> {
//! use testworld::dns::World;
//! use testworld::mail::{Ca, Receiver};
//!
//! let world = World::start().await?;
//! let identity = Ca::new("Demo CA")?.issue(&["mx.good.demo"])?;
//! let receiver = Receiver::builder("mx.good.demo").identity(&identity).start().await?;
//! world.domain("demo").signed().add()?;
//! world.domain("good.demo").signed().mx(10, "mx.good.demo", receiver.address()).tlsa(identity.tlsa_3_1_1()).add()?;
//! # Ok(()) }
//! ```
//!
//! It refuses to listen on anything but loopback addresses, and never reads the system's resolver or trust store.
//! Tasks end when the handles that started them are dropped.

pub mod dns;
mod error;
pub mod mail;
pub mod web;

use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

pub use error::WorldError;
pub use hickory_proto::rr::{Name, RecordType};

/// The pause after a failed accept, so that a lack of file descriptors does not become a busy loop.
const ACCEPT_AGAIN: Duration = Duration::from_millis(10);

fn must_be_loopback(ip: IpAddr) -> Result<(), WorldError> {
    if ip.is_loopback() {
        Ok(())
    } else {
        Err(WorldError::NotLoopback(ip))
    }
}

/// A task that ends when its handle is dropped.
struct TaskGuard(tokio::task::AbortHandle);

impl TaskGuard {
    fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(task).abort_handle())
    }
}

impl Drop for TaskGuard {
    fn drop(&mut self) {
        self.0.abort();
    }
}
