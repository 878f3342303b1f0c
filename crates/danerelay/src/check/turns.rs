//! One connection at a time to each address, however many hosts and domains it serves.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Mutex as Place, OwnedMutexGuard};

/// Who may connect to which address.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<IpAddr, Arc<Place<()>>>>);

/// The turn of one, or its place in the queue. When the last one leaves, nothing of the address is kept.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    address: IpAddr,
    held: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Waits until nobody else connects to this address.
    pub(super) async fn take(&self, address: IpAddr) -> Turn<'_> {
        let place = Arc::clone(self.0.lock().entry(address).or_default());
        let mut turn = Turn {
            turns: self,
            address,
            held: None,
        };
        turn.held = Some(place.lock_owned().await);
        turn
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.held = None;
        let mut places = self.turns.0.lock();
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
        let turns = Turns::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        let first = turns.take(address).await;
        let mut second = Box::pin(turns.take(address));
        assert!(second.as_mut().now_or_never().is_none());
        let _other = turns.take(IpAddr::from([192, 0, 2, 2])).await;
        drop(first);
        drop(second.await);
        // Who gives up leaves nothing behind, either.
        let third = turns.take(address).await;
        assert!(Box::pin(turns.take(address)).now_or_never().is_none());
        drop(third);
        assert_eq!(turns.0.lock().len(), 1);
    }
}
