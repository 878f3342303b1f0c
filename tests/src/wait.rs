//! Waiting for another program: polling often enough to be quick, and never for ever.
#![allow(clippy::disallowed_types, reason = "the time that really passes is meant")]

use std::net::{SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long anything here may take: far above what is normal, for the sake of a busy machine.
pub const LIMIT: Duration = Duration::from_secs(30);

const STEP: Duration = Duration::from_millis(50);

/// Calls `look` until it finds something, and panics with `what` after [`LIMIT`].
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until_within(LIMIT, what, look)
}

/// The same with another limit, for work that is more than one letter.
pub fn until_within<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain for {what}");
        sleep(STEP);
    }
}

/// Waits until `address` accepts TCP connections.
pub fn until_listening(what: &str, address: SocketAddr) {
    until(&format!("{what} on {address}"), || {
        TcpStream::connect_timeout(&address, STEP).ok()
    });
}
