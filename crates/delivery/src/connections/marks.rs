//! What is remembered about the TLS of servers between messages: how their handshakes broke, and which hello they take.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use mail::Cause;
use parking_lot::Mutex;
use tokio::time::Instant;

/// How long a broken handshake is remembered.
const MEMORY: Duration = Duration::from_hours(24);
/// How many are remembered; beyond that everything is forgotten.
const SERVERS: usize = 10_000;

/// Broken handshakes of the last 24 hours, by the receiver's address and port.
#[derive(Debug, Default)]
pub(crate) struct HandshakeMarks(Mutex<HashMap<SocketAddr, (Cause, Instant)>>);

impl HandshakeMarks {
    /// Remembers that the handshake with `server` broke in this way; true if it broke in the same way before.
    pub(crate) fn mark(&self, server: SocketAddr, way: &Cause) -> bool {
        let mut marks = self.0.lock();
        if marks.len() >= SERVERS && !marks.contains_key(&server) {
            marks.clear();
        }
        let before = marks.insert(server, (way.clone(), Instant::now()));
        before.is_some_and(|(so, when)| so == *way && when.elapsed() < MEMORY)
    }

    pub(crate) fn forget(&self, server: SocketAddr) {
        self.0.lock().remove(&server);
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.0.lock().clear();
    }
}

/// Servers whose handshakes work with a small hello and not with a full one, for a day.
#[derive(Debug, Default)]
pub(crate) struct SmallHellos(Mutex<HashMap<SocketAddr, Instant>>);

impl SmallHellos {
    pub(crate) fn is_marked(&self, server: SocketAddr) -> bool {
        let marked = self.0.lock().get(&server).copied();
        marked.is_some_and(|when| when.elapsed() < MEMORY)
    }

    pub(crate) fn mark(&self, server: SocketAddr) {
        let mut marked = self.0.lock();
        if marked.len() >= SERVERS && !marked.contains_key(&server) {
            marked.clear();
        }
        marked.insert(server, Instant::now());
    }

    pub(crate) fn forget(&self, server: SocketAddr) {
        self.0.lock().remove(&server);
    }

    pub(crate) fn clear(&self) {
        self.0.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail::cause::{BrokenHandshake, TlsFault};

    #[test]
    fn only_the_same_way_counts() {
        let marks = HandshakeMarks::default();
        let broken = |handshake| Cause::Tls(TlsFault::Handshake(handshake));
        let not_tls = broken(BrokenHandshake::NotTls);
        let alert = broken(BrokenHandshake::Alert("handshake_failure".to_owned()));
        let server = SocketAddr::from(([192, 0, 2, 1], 25));
        assert!(!marks.mark(server, &not_tls));
        assert!(marks.mark(server, &not_tls));
        assert!(!marks.mark(server, &alert));
        for other in [([192, 0, 2, 2], 25), ([192, 0, 2, 1], 465)] {
            assert!(!marks.mark(other.into(), &alert));
        }
        marks.clear();
        assert!(!marks.mark(server, &alert));
    }
}
