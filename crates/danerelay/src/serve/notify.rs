//! What systemd is told (`sd_notify(3)`). Without systemd nobody listens, and nothing is said.

use sd_notify::NotifyState;

/// The daemon accepts mail; the words are what `systemctl status` shows.
pub(super) fn ready(status: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(status)]);
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
