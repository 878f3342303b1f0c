//! Brings changes to disk, in a thread of its own, many at a time: neither mail nor look-ups wait for it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread::JoinHandle;

use mail::event::mta_sts::MtaSts;
use mail::{Event, EventLog};

use crate::entry::Entry;
use crate::journal::{Change, Journal};

/// The most changes that wait. Beyond, the file is written anew.
const WAITING: usize = 1000;

/// The thread.
pub(crate) struct Writer {
    changes: Option<SyncSender<Change>>,
    /// Whether there were changes that found no place.
    has_missed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts it; `whole` is asked for all policies.
    pub(crate) fn start(
        journal: Journal,
        whole: impl Fn() -> Vec<Entry> + Send + 'static,
        events: Arc<dyn EventLog>,
    ) -> io::Result<Self> {
        let (changes, waiting) = mpsc::sync_channel(WAITING);
        let has_missed = Arc::new(AtomicBool::new(false));
        let incoming = Incoming {
            waiting,
            has_missed: Arc::clone(&has_missed),
        };
        let thread = std::thread::Builder::new().name("mta-sts".to_owned());
        let thread = thread.spawn(move || write(journal, &incoming, &whole, &*events))?;
        Ok(Self {
            changes: Some(changes),
            has_missed,
            thread: Some(thread),
        })
    }

    pub(crate) fn write(&self, change: Change) {
        let Some(changes) = &self.changes else {
            return;
        };
        if let Err(TrySendError::Full(change)) = changes.try_send(change) {
            self.has_missed.store(true, Ordering::SeqCst);
            // If there is room by now, the thread may have seen nothing missing; if not, it has still to look.
            let _ = changes.try_send(change);
        }
    }

    /// Writes many; the file anew if they are too many.
    pub(crate) fn write_all(&self, changes: impl ExactSizeIterator<Item = Change>) {
        let most = if changes.len() < WAITING / 2 {
            changes.len()
        } else {
            self.has_missed.store(true, Ordering::SeqCst);
            1
        };
        changes.take(most).for_each(|change| self.write(change));
    }
}

/// What is waiting is still written.
impl Drop for Writer {
    fn drop(&mut self) {
        self.changes = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the thread is told.
struct Incoming {
    waiting: Receiver<Change>,
    has_missed: Arc<AtomicBool>,
}

fn write(
    mut journal: Journal,
    Incoming { waiting, has_missed }: &Incoming,
    whole: &impl Fn() -> Vec<Entry>,
    events: &dyn EventLog,
) {
    let mut is_failing = false;
    while let Ok(first) = waiting.recv() {
        let changes: Vec<Change> = std::iter::once(first).chain(waiting.try_iter()).collect();
        if has_missed.swap(false, Ordering::SeqCst) {
            journal.miss();
        }
        let result = journal.append(&changes, whole);
        if let (Err(error), false) = (&result, is_failing) {
            events.write(&Event::MtaSts(MtaSts::NotKept(error.to_string())));
        }
        is_failing = result.is_err();
    }
}
