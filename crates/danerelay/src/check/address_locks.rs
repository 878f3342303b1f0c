//! One connection at a time to each address, however many hosts and domains it serves.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Mutex as Place, OwnedMutexGuard};

/// Who may connect to which address.
#[derive(Default)]
pub(super) struct AddressLocks(Mutex<HashMap<IpAddr, Arc<Place<()>>>>);

/// The lock of one, or its place in the queue. When the last one leaves, nothing of the address is kept.
pub(super) struct AddressLock<'a> {
    locks: &'a AddressLocks,
    address: IpAddr,
    held: Option<OwnedMutexGuard<()>>,
}

impl AddressLocks {
    /// Waits until nobody else connects to this address.
    pub(super) async fn lock(&self, address: IpAddr) -> AddressLock<'_> {
        let place = Arc::clone(self.0.lock().entry(address).or_default());
        let mut lock = AddressLock {
            locks: self,
            address,
            held: None,
        };
        lock.held = Some(place.lock_owned().await);
        lock
    }
}

impl Drop for AddressLock<'_> {
    fn drop(&mut self) {
        self.held = None;
        let mut places = self.locks.0.lock();
        if places
            .get(&self.address)
            .is_some_and(|place| Arc::strong_count(place) == 1)
        {
            places.remove(&self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn one_at_a_time_and_nothing_is_left_of_those_who_went() {
        let locks = AddressLocks::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        let first = locks.lock(address).await;
        let mut second = Box::pin(locks.lock(address));
        assert!(second.as_mut().now_or_never().is_none());
        let _other = locks.lock(IpAddr::from([192, 0, 2, 2])).await;
        drop(first);
        drop(second.await);
        // Who gives up leaves nothing behind, either.
        let third = locks.lock(address).await;
        assert!(Box::pin(locks.lock(address)).now_or_never().is_none());
        drop(third);
        assert_eq!(locks.0.lock().len(), 1);
    }
}
