//! Limits on open connections: in total, and to one receiving address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A limited number of places; the limit can change while places are taken.
#[derive(Debug)]
pub(crate) struct Window {
    free: Arc<Semaphore>,
    size: Mutex<Size>,
}

#[derive(Debug)]
struct Size {
    limit: usize,
    /// Taken places that must not become free again, because the limit was lowered.
    beyond: usize,
}

/// A place in a window; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Place {
    window: Arc<Window>,
    /// `None` only if the semaphore is closed, which never happens.
    permit: Option<OwnedSemaphorePermit>,
}

impl Window {
    /// A window of at least one place.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
        Arc::new(Self {
            free: Arc::new(Semaphore::new(limit)),
            size: Mutex::new(Size { limit, beyond: 0 }),
        })
    }

    /// Waits for a place.
    pub(crate) async fn enter(self: &Arc<Self>) -> Place {
        let permit = Arc::clone(&self.free).acquire_owned().await.ok();
        let window = Arc::clone(self);
        Place { window, permit }
    }

    /// Changes the number of places, at least one. No place is revoked: after the limit is lowered, it takes effect as
    /// places are given back.
    pub(crate) fn resize(&self, limit: usize) {
        let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
        let mut size = self.size.lock();
        let more = limit.saturating_sub(size.limit);
        let kept = more.min(size.beyond);
        size.beyond -= kept;
        self.free.add_permits(more - kept);
        let fewer = size.limit.saturating_sub(limit);
        size.beyond += fewer - self.free.forget_permits(fewer);
        size.limit = limit;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut size = self.window.size.lock();
        if size.beyond > 0
            && let Some(permit) = self.permit.take()
        {
            size.beyond -= 1;
            permit.forget();
        }
    }
}

/// A window for every receiving address.
#[derive(Debug)]
pub(crate) struct HostWindows(Arc<Mutex<Hosts>>);

#[derive(Debug)]
struct Hosts {
    limit: usize,
    windows: HashMap<IpAddr, Arc<Window>>,
}

/// A place at one address; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct HostPlace {
    address: IpAddr,
    hosts: Arc<Mutex<Hosts>>,
    /// Given back before the window is checked, because a place holds a reference to its window.
    place: Option<Place>,
}

impl HostWindows {
    pub(crate) fn new(limit: usize) -> Self {
        Self(Arc::new(Mutex::new(Hosts {
            limit,
            windows: HashMap::new(),
        })))
    }

    /// Waits for a place at `address`.
    pub(crate) async fn enter(&self, address: IpAddr) -> HostPlace {
        let mut entered = HostPlace {
            address,
            hosts: Arc::clone(&self.0),
            place: None,
        };
        let window = {
            let mut hosts = entered.hosts.lock();
            let limit = hosts.limit;
            let window = hosts.windows.entry(address);
            Arc::clone(window.or_insert_with(|| Window::new(limit)))
        };
        entered.place = Some(window.enter().await);
        entered
    }

    /// Changes the number of places at each address.
    pub(crate) fn resize(&self, limit: usize) {
        let mut hosts = self.0.lock();
        hosts.limit = limit;
        for window in hosts.windows.values() {
            window.resize(limit);
        }
    }
}

impl Drop for HostPlace {
    fn drop(&mut self) {
        self.place = None;
        let mut hosts = self.hosts.lock();
        // No place is taken and nobody is waiting: the map itself holds the only reference.
        if hosts
            .windows
            .get(&self.address)
            .is_some_and(|window| Arc::strong_count(window) == 1)
        {
            hosts.windows.remove(&self.address);
        }
    }
}

/// The places that one connection needs.
#[derive(Debug)]
pub(crate) struct Places {
    /// At the receiving address.
    pub(crate) host: HostPlace,
    /// Among all connections.
    pub(crate) connection: Place,
}

impl Places {
    /// Gives back all except the place at the receiving address.
    pub(super) fn at_host(self) -> HostPlace {
        let Self { host, connection } = self;
        drop(connection);
        host
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const SOON: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn empty_windows_are_forgotten() {
        let windows = HostWindows::new(1);
        let address = IpAddr::from([192, 0, 2, 1]);
        let place = windows.enter(address).await;
        let waiting = tokio::time::timeout(SOON, windows.enter(address)).await;
        assert!(waiting.is_err());
        drop(place);
        let place = windows.enter(address).await;
        drop(place);
        assert!(windows.0.lock().windows.is_empty());
    }

    /// How many places are free.
    async fn free(window: &Arc<Window>) -> usize {
        let mut taken = Vec::new();
        while let Ok(place) = tokio::time::timeout(SOON, window.enter()).await {
            taken.push(place);
        }
        taken.len()
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_changes_while_places_are_taken() {
        let window = Window::new(2);
        let (first, second) = (window.enter().await, window.enter().await);
        window.resize(4);
        assert_eq!(free(&window).await, 2);
        // Smaller than the number taken: the first place given back does not become free.
        window.resize(1);
        assert_eq!(free(&window).await, 0);
        drop(first);
        assert_eq!(free(&window).await, 0);
        drop(second);
        assert_eq!(free(&window).await, 1);
        let held = window.enter().await;
        window.resize(0);
        window.resize(3);
        assert_eq!(free(&window).await, 2);
        drop(held);
        assert_eq!(free(&window).await, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn the_windows_of_all_hosts_change() {
        let windows = HostWindows::new(1);
        let address = IpAddr::from([192, 0, 2, 1]);
        let _place = windows.enter(address).await;
        windows.resize(2);
        assert!(tokio::time::timeout(SOON, windows.enter(address)).await.is_ok());
        let _other = windows.enter(IpAddr::from([192, 0, 2, 2])).await;
        assert!(
            tokio::time::timeout(SOON, windows.enter(IpAddr::from([192, 0, 2, 2])))
                .await
                .is_ok()
        );
    }
}
