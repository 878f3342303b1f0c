//! How many connections one receiving address sees from us at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The limit, and who is inside.
#[derive(Debug)]
pub(crate) struct HostLimits {
    limit: usize,
    hosts: Arc<Mutex<HashMap<IpAddr, Arc<Semaphore>>>>,
}

/// A place at one address; it is given back when dropped.
pub(crate) struct Slot {
    address: IpAddr,
    hosts: Arc<Mutex<HashMap<IpAddr, Arc<Semaphore>>>>,
    /// `None` only while it is being dropped, or where the semaphore was closed, which never happens.
    permit: Option<OwnedSemaphorePermit>,
}

impl HostLimits {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            hosts: Arc::default(),
        }
    }

    /// Waits for a place at `address`.
    pub(crate) async fn enter(&self, address: IpAddr) -> Slot {
        let semaphore = {
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(
                hosts
                    .entry(address)
                    .or_insert_with(|| Arc::new(Semaphore::new(self.limit))),
            )
        };
        let permit = semaphore.acquire_owned().await.ok();
        Slot {
            address,
            hosts: Arc::clone(&self.hosts),
            permit,
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.permit = None;
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody inside and nobody waiting: the map itself holds the only reference.
        if hosts
            .get(&self.address)
            .is_some_and(|semaphore| Arc::strong_count(semaphore) == 1)
        {
            hosts.remove(&self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn empty_places_are_forgotten() {
        let limits = HostLimits::new(1);
        let address = IpAddr::from([192, 0, 2, 1]);
        let slot = limits.enter(address).await;
        let waiting = tokio::time::timeout(std::time::Duration::from_millis(20), limits.enter(address)).await;
        assert!(waiting.is_err());
        drop(slot);
        let slot = limits.enter(address).await;
        drop(slot);
        assert!(limits.hosts.lock().is_ok_and(|hosts| hosts.is_empty()));
    }
}
