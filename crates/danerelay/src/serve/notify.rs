//! What systemd is told (`sd_notify(3)`). Without systemd nobody listens, and nothing is said.

use std::sync::{Mutex, PoisonError};

use sd_notify::NotifyState;

/// What `systemctl status` shows: where clients connect, and how the resolver is.
pub(super) struct Status {
    listening: String,
    resolver: Mutex<String>,
}

impl Status {
    pub(super) fn new(listening: String, resolver: &str) -> Self {
        Self {
            listening,
            resolver: Mutex::new(resolver.to_owned()),
        }
    }

    pub(super) fn text(&self) -> String {
        let resolver = self.resolver.lock().unwrap_or_else(PoisonError::into_inner);
        format!("{}; {resolver}", self.listening)
    }

    /// Shows at once how the resolver is.
    pub(super) fn set_resolver(&self, words: &str) {
        words.clone_into(&mut self.resolver.lock().unwrap_or_else(PoisonError::into_inner));
        send(&[NotifyState::Status(&self.text())]);
    }
}

/// The daemon accepts mail.
pub(super) fn ready(status: &Status) {
    send(&[NotifyState::Ready, NotifyState::Status(&status.text())]);
}

/// A reload begins; [`ready`] ends it.
pub(super) fn reloading() {
    let mut states = vec![NotifyState::Reloading];
    states.extend(NotifyState::monotonic_usec_now());
    send(&states);
}

/// The daemon is about to end.
pub(super) fn stopping() {
    send(&[
        NotifyState::Stopping,
        NotifyState::Status("finishing transactions"),
    ]);
}

/// A socket of systemd that cannot be written to is no reason to stop relaying.
fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("systemd cannot be notified: {error}");
    }
}
