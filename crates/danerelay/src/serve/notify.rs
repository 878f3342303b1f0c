//! What systemd is told (`sd_notify(3)`). Without systemd nobody listens, and nothing is said.
//!
//! The socket of a systemd that hangs takes a few messages and then none. So a thread of its own says what there is to
//! say, and nothing waits for it but, for a moment, the daemon's end.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use mail::printable::Printable;
use parking_lot::Mutex;
use sd_notify::NotifyState;
use tokio::sync::oneshot;

/// Messages that may wait; what comes while so many do is not said.
const WAITING: usize = 16;
/// How long the end waits for systemd to be told of it.
const FAREWELL: Duration = Duration::from_secs(1);

/// What `systemctl status` shows: where clients connect, and how the resolver is.
pub(super) struct Status {
    listening: String,
    resolver: Mutex<String>,
    /// `None` where nobody listens.
    way: Option<SyncSender<Message>>,
}

/// What is said, and who wants to know when it has been.
struct Message {
    text: String,
    said: Option<oneshot::Sender<()>>,
}

impl Status {
    pub(super) fn new(listening: String, resolver: &str) -> Self {
        Self {
            listening,
            resolver: Mutex::new(resolver.to_owned()),
            way: std::env::var_os("NOTIFY_SOCKET").and_then(|_| way()),
        }
    }

    pub(super) fn text(&self) -> String {
        let resolver = self.resolver.lock();
        // Some of these words are those of a name server.
        Printable(&format!("{}; {resolver}", self.listening)).to_string()
    }

    /// Shows at once how the resolver is.
    pub(super) fn set_resolver(&self, words: &str) {
        words.clone_into(&mut self.resolver.lock());
        self.say(&[NotifyState::Status(&self.text())], None);
    }

    fn say(&self, states: &[NotifyState<'_>], said: Option<oneshot::Sender<()>>) {
        let Some(way) = &self.way else {
            return;
        };
        let lines: Vec<String> = states.iter().map(ToString::to_string).collect();
        let text = lines.join("\n");
        if way.try_send(Message { text, said }).is_err() {
            tracing::warn!("systemd cannot be notified: it does not take what it is told");
        }
    }
}

/// The way to systemd, by a thread that may wait there.
fn way() -> Option<SyncSender<Message>> {
    let (way, messages) = sync_channel::<Message>(WAITING);
    let telling = move || {
        for message in messages {
            // A socket of systemd that cannot be written to is no reason to stop relaying.
            if let Err(error) = sd_notify::notify(&[NotifyState::Custom(&message.text)]) {
                tracing::warn!("systemd cannot be notified: {error}");
            }
            if let Some(said) = message.said {
                // Nobody may wait any more.
                let _ = said.send(());
            }
        }
    };
    let thread = thread::Builder::new().name("notify".to_owned()).spawn(telling);
    match thread {
        Ok(_) => Some(way),
        Err(error) => {
            tracing::warn!("systemd cannot be notified: {error}");
            None
        }
    }
}

/// The daemon accepts mail.
pub(super) fn ready(status: &Status) {
    status.say(&[NotifyState::Ready, NotifyState::Status(&status.text())], None);
}

/// A reload begins; [`ready`] ends it.
pub(super) fn reloading(status: &Status) {
    let mut news = vec![NotifyState::Reloading];
    news.extend(NotifyState::monotonic_usec_now());
    status.say(&news, None);
}

/// The daemon is about to end.
pub(super) async fn stopping(status: &Status) {
    let (said, heard) = oneshot::channel();
    let words = "finishing transactions";
    status.say(&[NotifyState::Stopping, NotifyState::Status(words)], Some(said));
    // Where nobody listens the sender is gone already.
    let _ = tokio::time::timeout(FAREWELL, heard).await;
}
