//! Places for connections, in total, at each receiving address and for each destination, and the sessions that are kept
//! in them for the next message.
//!
//! Whoever needs a session asks with a [`Wish`], and gets a kept session on equal terms or a [`Place`] for a new one,
//! whichever comes first, or hears that the address does not answer. Kept sessions never stand in anybody's way: the
//! oldest is closed when its place is needed.
//!
//! `wish`: what is asked for; `path`: from where to where; `host`: what goes on there; `state`: how it is decided;
//! `strangers`: servers that are not known to work have a share of the places; `memory`: what is remembered about paths.

#[cfg(test)]
mod history;
mod host;
mod memory;
mod path;
mod state;
mod strangers;
#[cfg(test)]
mod tests;
mod wish;

use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use self::host::Grant;
pub(crate) use self::host::NotHere;
use self::memory::Dead;
pub(crate) use self::path::Path;
use self::state::{State, ToClose};
pub(crate) use self::wish::{Destination, Wish};
use self::wish::{Part, Seat};
use super::key::ReuseKey;
use crate::config::Windows;
use crate::failure::SessionFailure;
use crate::forget::Names;

/// No wish has this number.
const TAKEN: u64 = 0;

/// A session that can be kept.
pub(super) trait Kept: Send + Sized + 'static {
    /// The terms on which another message may use it; `None` if it has served its time.
    fn key(&self) -> Option<ReuseKey>;

    /// Its place.
    fn place(&self) -> &Place;

    /// Its place.
    fn place_mut(&mut self) -> &mut Place;

    /// Closes it; nobody waits for that.
    fn close(self);
}

/// All places, and the sessions that are kept.
pub(super) struct Places<S>(Arc<Shared<S>>);

struct Shared<S> {
    state: Mutex<State<S>>,
    /// How long a session may wait for its next message.
    idle: Duration,
}

/// Where places come from, and what is learned on their connections goes.
trait Desk: Send + Sync {
    fn take_back(&self, seat: &Seat, part: Part);
    fn greeted(&self, seat: &Seat);
    fn opened(&self, seat: &Seat);
    fn unanswered(&self, seat: &Seat, failure: SessionFailure);
    fn refused(&self, seat: &Seat, failure: &SessionFailure) -> bool;
}

/// The answer to a [`Wish`].
pub(super) enum Entered<S> {
    /// A session that was kept.
    Kept(S),
    /// A place for a new connection.
    Place(Place),
    /// The address does not answer.
    Dead(Dead),
    /// Nothing is known against the address: one who said that it may be is to go elsewhere, or to come again.
    NotHere(NotHere),
}

/// The place of one connection; dropping it gives it back.
pub(crate) struct Place {
    seat: Seat,
    /// What dropping it gives back.
    rest: Part,
    shared: Weak<dyn Desk>,
}

/// What becomes of a wish at first.
enum Asked<'a, S: Kept> {
    Granted(S),
    Waits(Waiter<'a, S>),
}

/// A wish that waits; dropping it ends that.
struct Waiter<'a, S: Kept> {
    wish: &'a Wish,
    number: u64,
    granted: oneshot::Receiver<Grant<S>>,
    /// What is given back if a place is granted and not taken.
    part: Part,
    shared: &'a Arc<Shared<S>>,
}

impl<S: Kept> Places<S> {
    pub(super) fn new(limits: Windows, idle: Duration) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State::new(limits)),
            idle,
        }))
    }

    /// Waits for a kept session or a place.
    pub(super) async fn enter(&self, wish: &Wish) -> Entered<S> {
        let granted = match self.ask(wish) {
            Asked::Granted(session) => Grant::Kept(session),
            Asked::Waits(waiter) => waiter.granted().await,
        };
        match granted {
            Grant::Kept(session) => Entered::kept(session, wish),
            Grant::Dead(dead) => Entered::Dead(dead),
            Grant::NotHere(why) => Entered::NotHere(why),
            Grant::Place(seat) => Entered::Place(Place {
                seat,
                rest: Part::All,
                shared: Arc::<Shared<S>>::downgrade(&self.0),
            }),
        }
    }

    fn ask<'a>(&'a self, wish: &'a Wish) -> Asked<'a, S> {
        let (grant, granted) = oneshot::channel();
        let mut state = self.0.state.lock();
        if let Some(session) = state.take(wish) {
            return Asked::Granted(session);
        }
        let (number, to_close) = state.wait(wish.clone(), grant);
        drop(state);
        close(to_close);
        Asked::Waits(Waiter {
            wish,
            number,
            granted,
            part: Part::All,
            shared: &self.0,
        })
    }

    /// Waits again for what [`Place::step_back`] gave back.
    pub(super) async fn enter_again(&self, place: &mut Place, wish: &Wish) {
        let (grant, granted) = oneshot::channel();
        let (number, to_close) = self.0.state.lock().wait_again(wish.clone(), grant);
        close(to_close);
        let waiter = Waiter {
            wish,
            number,
            granted,
            part: Part::SteppedBack,
            shared: &self.0,
        };
        match waiter.granted().await {
            Grant::Place(seat) => (place.seat, place.rest) = (seat, Part::All),
            // Nobody who has a place at the host is given anything else.
            Grant::Kept(session) => self.keep(session),
            Grant::Dead(_) | Grant::NotHere(_) => {}
        }
    }

    /// A message was sent over it: keeps it for the next one, unless it has served its time.
    pub(super) fn put(&self, session: S) {
        let seat = session.place().seat.clone();
        self.0.state.lock().succeeded(&seat, Instant::now());
        self.keep(session);
    }

    /// Keeps a session for the next message, unless it has served its time.
    pub(super) fn keep(&self, session: S) {
        let Some(key) = session.key() else {
            session.close();
            return;
        };
        let seat = session.place().seat.clone();
        let mut state = self.0.state.lock();
        let to_close = state.put(session, key, seat, Instant::now());
        let needs_watch = state.needs_watch();
        drop(state);
        close(to_close);
        if needs_watch {
            tokio::spawn(watch_age(Arc::downgrade(&self.0)));
        }
    }

    /// How many connections are open.
    pub(super) fn open_ones(&self) -> usize {
        self.0.state.lock().open_ones()
    }

    /// Changes the limits; no place is revoked.
    pub(super) fn resize(&self, limits: Windows) {
        let to_close = self.0.state.lock().resize(limits);
        close(to_close);
    }

    /// Takes out all sessions that are kept, to be closed.
    pub(super) fn take_kept(&self) -> Vec<S> {
        let mut sessions = self.0.state.lock().close_all();
        sessions.iter_mut().for_each(being_closed);
        sessions
    }

    /// Another address of the host was connected to sooner: nobody waits at this one any longer.
    pub(super) fn doubt(&self, path: Path) {
        self.0.state.lock().doubt(path, Instant::now());
    }

    /// Moves the paths that are in doubt to the end.
    pub(super) fn doubted_last(&self, paths: &mut [Path]) {
        let (state, now) = (self.0.state.lock(), Instant::now());
        paths.sort_by_key(|path| state.is_doubted(*path, now));
    }

    /// Forgets what was learned on paths to these hosts and next hops, and closes the sessions that are kept with them. The
    /// ends of the paths.
    pub(super) fn forget_named(&self, names: &Names) -> Vec<SocketAddr> {
        let (sockets, to_close) = self.0.state.lock().forget_named(names);
        close(to_close);
        sockets
    }

    /// Forgets what was learned about servers, and closes all sessions that are kept.
    pub(super) fn forget(&self) {
        let mut state = self.0.state.lock();
        state.forget();
        let to_close = state.close_all();
        drop(state);
        close(to_close);
    }
}

impl<S: Kept> Entered<S> {
    fn kept(mut session: S, wish: &Wish) -> Self {
        // It is counted for this destination by now.
        session.place_mut().seat.next_hop = wish.next_hop();
        Self::Kept(session)
    }
}

impl Place {
    /// Gives back all but the place at the host, until [`Places::enter_again`].
    pub(super) fn step_back(&mut self) {
        self.give_back(Part::SteppedBack);
        self.seat.setup = None;
        self.rest = Part::GivenUp;
    }

    /// The session is set up, or the server has said why not: it works.
    pub(super) fn greeted(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.greeted(&self.seat);
            self.seat.setup = None;
        }
    }

    /// A session has been opened.
    pub(super) fn opened(&self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.opened(&self.seat);
        }
    }

    /// The server does not answer.
    pub(super) fn unanswered(&self, failure: SessionFailure) {
        if let Some(shared) = self.shared.upgrade() {
            shared.unanswered(&self.seat, failure);
        }
    }

    /// The server says that it has enough connections. False if it has none but this one: then it is down.
    pub(super) fn refused(&self, failure: &SessionFailure) -> bool {
        let shared = self.shared.upgrade();
        shared.is_some_and(|shared| shared.refused(&self.seat, failure))
    }

    /// The connection is being closed: only the place at its host is needed until then.
    pub(super) fn closing(&mut self) {
        if self.rest == Part::All {
            self.give_back(Part::BeingClosed);
            self.seat.setup = None;
            self.rest = Part::Closed;
        }
    }

    fn give_back(&self, part: Part) {
        if let Some(shared) = self.shared.upgrade() {
            shared.take_back(&self.seat, part);
        }
    }
}

impl<S: Kept> Desk for Shared<S> {
    fn take_back(&self, seat: &Seat, part: Part) {
        let to_close = self.state.lock().leave(seat, part);
        close(to_close);
    }

    fn greeted(&self, seat: &Seat) {
        let to_close = self.state.lock().greeted(seat, Instant::now());
        close(to_close);
    }

    fn opened(&self, seat: &Seat) {
        self.state.lock().opened(seat);
    }

    fn unanswered(&self, seat: &Seat, failure: SessionFailure) {
        self.state.lock().unanswered(seat, failure, Instant::now());
    }

    fn refused(&self, seat: &Seat, failure: &SessionFailure) -> bool {
        self.state.lock().refused(seat, failure, Instant::now())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.give_back(self.rest);
    }
}

impl<S: Kept> Waiter<'_, S> {
    async fn granted(mut self) -> Grant<S> {
        loop {
            // The sender is dropped only with all places, and these belong to whoever waits here.
            if let Ok(grant) = (&mut self.granted).await {
                self.number = TAKEN;
                return grant;
            }
            std::future::pending::<()>().await;
        }
    }
}

impl<S: Kept> Drop for Waiter<'_, S> {
    fn drop(&mut self) {
        if self.number == TAKEN || self.shared.state.lock().cancel(self.number, self.wish.path) {
            return;
        }
        match self.granted.try_recv() {
            Ok(Grant::Kept(session)) => {
                if let Entered::Kept(session) = Entered::kept(session, self.wish) {
                    Places(Arc::clone(self.shared)).keep(session);
                }
            }
            Ok(Grant::Place(seat)) => self.shared.take_back(&seat, self.part),
            Ok(Grant::Dead(_) | Grant::NotHere(_)) | Err(_) => {}
        }
    }
}

/// Closes sessions whose place has already been given back, except at their host.
fn close<S: Kept>(sessions: ToClose<S>) {
    for mut session in sessions {
        being_closed(&mut session);
        session.close();
    }
}

fn being_closed(session: &mut impl Kept) {
    session.place_mut().rest = Part::Closed;
}

/// Closes sessions that wait too long, until none is left.
async fn watch_age<S: Kept>(shared: Weak<Shared<S>>) {
    while let Some(shared) = shared.upgrade() {
        let idle = shared.idle;
        let (to_close, oldest) = {
            let mut state = shared.state.lock();
            match Instant::now().checked_sub(idle) {
                Some(then) => state.idle_since(then),
                None => (Vec::new(), Some(Instant::now())),
            }
        };
        drop(shared);
        close(to_close);
        match oldest {
            Some(oldest) => sleep_until(oldest + idle).await,
            None => return,
        }
    }
}
