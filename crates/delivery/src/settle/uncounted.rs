//! Sessions of attempts that were not settled, because their messages are tried again at once: they are counted with the
//! next settlement.

use std::sync::atomic::{AtomicBool, Ordering};

use mail::TlsSession;
use parking_lot::Mutex;

/// The most that wait; further ones are not counted.
const WAITING: usize = 1_000;
/// The most of them that one settlement counts.
const A_SETTLEMENT: usize = 200;

/// Sessions that no settlement has counted yet.
#[derive(Debug, Default)]
pub(crate) struct Uncounted {
    waiting: Mutex<Vec<TlsSession>>,
    /// Whether any wait: read without the lock at each settlement.
    wait: AtomicBool,
}

impl Uncounted {
    /// Keeps these for the next settlement.
    pub(crate) fn keep(&self, sessions: Vec<TlsSession>) {
        let mut waiting = self.waiting.lock();
        let room = WAITING.saturating_sub(waiting.len());
        waiting.extend(sessions.into_iter().take(room));
        self.wait.store(!waiting.is_empty(), Ordering::Relaxed);
    }

    /// These, and some of those that wait.
    pub(crate) fn with(&self, mut sessions: Vec<TlsSession>) -> Vec<TlsSession> {
        if self.wait.load(Ordering::Relaxed) {
            let mut waiting = self.waiting.lock();
            let taken = waiting.len().min(A_SETTLEMENT);
            sessions.extend(waiting.drain(..taken));
            self.wait.store(!waiting.is_empty(), Ordering::Relaxed);
        }
        sessions
    }
}
