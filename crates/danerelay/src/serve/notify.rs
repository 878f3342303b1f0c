//! Reports to systemd (`sd_notify(3)`). Without systemd nothing is sent.
//!
//! If systemd hangs, its socket accepts a few messages and then no more. So a separate thread sends them, and nothing
//! waits for it except, for a moment, the shutdown.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use delivery::SchedulerHandle;
use mail::printable::Printable;
use parking_lot::Mutex;
use sd_notify::NotifyState;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

/// The maximum number of waiting messages; further ones are dropped.
const WAITING: usize = 16;
/// How long the shutdown waits until systemd has been told.
const FAREWELL: Duration = Duration::from_secs(1);

/// What `systemctl status` shows: where clients connect, the state of the resolver, and whether the files on disk are in
/// force.
pub(super) struct Status {
    listening: String,
    resolver: Mutex<String>,
    refused: Mutex<Option<Files>>,
    /// `None` without systemd.
    way: Option<SyncSender<Message>>,
}

/// Files that are read again together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Files {
    /// The policy and what it names.
    Policy,
    /// The configuration, and the policy with it.
    Configuration,
}

/// A message, and who waits until it has been sent.
struct Message {
    text: String,
    said: Option<oneshot::Sender<()>>,
}

impl Status {
    pub(super) fn new(listening: String, resolver: &str) -> Self {
        Self {
            listening,
            resolver: Mutex::new(resolver.to_owned()),
            refused: Mutex::default(),
            way: std::env::var_os("NOTIFY_SOCKET").and_then(|_| way()),
        }
    }

    pub(super) fn text(&self) -> String {
        let resolver = self.resolver.lock();
        // Some of this text comes from a name server.
        let refused = match *self.refused.lock() {
            None => "",
            Some(Files::Policy) => "; policy refused: the earlier one is in force",
            Some(Files::Configuration) => "; configuration refused: the earlier one is in force",
        };
        Printable(&format!("{}; {resolver}{refused}", self.listening)).to_string()
    }

    /// Shows the state of the resolver at once.
    pub(super) fn set_resolver(&self, words: &str) {
        words.clone_into(&mut self.resolver.lock());
        self.say(&[NotifyState::Status(&self.text())], None);
    }

    /// Shows whether these files, just read, are in force.
    pub(super) fn set_read<T, E>(&self, files: Files, outcome: &Result<T, E>) {
        {
            let mut refused = self.refused.lock();
            match outcome {
                // The policy alone does not mend what is wrong with the configuration.
                Ok(_) if *refused <= Some(files) => *refused = None,
                Ok(_) => {}
                Err(_) => *refused = (*refused).max(Some(files)),
            }
        }
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

/// The connection to systemd: a thread that may block.
fn way() -> Option<SyncSender<Message>> {
    let (way, messages) = sync_channel::<Message>(WAITING);
    let telling = move || {
        for message in messages {
            // If systemd's socket cannot be written to, that is no reason to stop relaying.
            if let Err(error) = sd_notify::notify(&[NotifyState::Custom(&message.text)]) {
                tracing::warn!("systemd cannot be notified: {error}");
            }
            if let Some(said) = message.said {
                // The waiting task may be gone.
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

/// Tells systemd that the daemon works, three times in the time after which systemd would start it anew (`WatchdogSec=`). It
/// works while its tasks run and the scheduler answers; it is not asked whether the disk or the network does, which no new
/// start would mend.
pub(super) async fn watchdog(status: Arc<Status>, scheduler: SchedulerHandle) {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return;
    };
    let pause = limit / 3;
    loop {
        if timeout(pause, scheduler.answers()).await == Ok(true) {
            status.say(&[NotifyState::Watchdog], None);
        }
        sleep(pause).await;
    }
}

/// The daemon accepts mail.
pub(super) fn ready(status: &Status) {
    status.say(&[NotifyState::Ready, NotifyState::Status(&status.text())], None);
}

/// A reload has started; [`ready`] ends it.
pub(super) fn reloading(status: &Status) {
    let mut news = vec![NotifyState::Reloading];
    news.extend(NotifyState::monotonic_usec_now());
    status.say(&news, None);
}

/// The daemon is shutting down.
pub(super) async fn stopping(status: &Status) {
    let (said, heard) = oneshot::channel();
    let words = "finishing transactions";
    status.say(&[NotifyState::Stopping, NotifyState::Status(words)], Some(said));
    // Without systemd the sender is already gone.
    let _ = tokio::time::timeout(FAREWELL, heard).await;
}
