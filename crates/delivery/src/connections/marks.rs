//! What is remembered about hosts between messages: how their handshakes broke, and which hello they take.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use mail::Cause;
use parking_lot::Mutex;
use tokio::time::Instant;

/// How long a broken handshake is remembered.
const MEMORY: Duration = Duration::from_hours(24);
/// How many hosts are remembered; beyond that everything is forgotten.
const HOSTS: usize = 10_000;

/// Broken handshakes of the last 24 hours, by address.
#[derive(Debug, Default)]
pub(crate) struct HandshakeMarks(Mutex<HashMap<IpAddr, (Cause, Instant)>>);

impl HandshakeMarks {
    /// Remembers that the handshake with `address` broke in this way; true if it broke in the same way before.
    pub(crate) fn mark(&self, address: IpAddr, way: &Cause) -> bool {
        let mut marks = self.0.lock();
        if marks.len() >= HOSTS && !marks.contains_key(&address) {
            marks.clear();
        }
        let before = marks.insert(address, (way.clone(), Instant::now()));
        before.is_some_and(|(so, when)| so == *way && when.elapsed() < MEMORY)
    }

    pub(crate) fn forget(&self, address: IpAddr) {
        self.0.lock().remove(&address);
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.0.lock().clear();
    }
}

/// Hosts whose handshakes work with a small hello and not with a full one, for a day.
#[derive(Debug, Default)]
pub(crate) struct SmallHellos(Mutex<HashMap<IpAddr, Instant>>);

impl SmallHellos {
    pub(crate) fn is_marked(&self, address: IpAddr) -> bool {
        let marked = self.0.lock().get(&address).copied();
        marked.is_some_and(|when| when.elapsed() < MEMORY)
    }

    pub(crate) fn mark(&self, address: IpAddr) {
        let mut marked = self.0.lock();
        if marked.len() >= HOSTS && !marked.contains_key(&address) {
            marked.clear();
        }
        marked.insert(address, Instant::now());
    }

    pub(crate) fn forget(&self, address: IpAddr) {
        self.0.lock().remove(&address);
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
        let address = IpAddr::from([192, 0, 2, 1]);
        assert!(!marks.mark(address, &not_tls));
        assert!(marks.mark(address, &not_tls));
        assert!(!marks.mark(address, &alert));
        assert!(!marks.mark(IpAddr::from([192, 0, 2, 2]), &alert));
        marks.clear();
        assert!(!marks.mark(address, &alert));
    }
}
