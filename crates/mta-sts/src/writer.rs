//! Brings changes to disk, in a thread of its own, many at a time: neither mail nor look-ups wait for it.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::JoinHandle;

use mail::event::mta_sts::MtaSts;
use mail::{Event, EventLog};

use crate::entry::Entry;
use crate::journal::{Change, Journal};

/// The most changes that wait. Beyond, they are only in memory until the file is written anew.
const WAITING: usize = 1000;

/// The thread.
pub(crate) struct Writer {
    changes: Option<SyncSender<Change>>,
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
        let thread = std::thread::Builder::new().name("mta-sts".to_owned());
        let thread = thread.spawn(move || write(journal, &waiting, &whole, &*events))?;
        Ok(Self {
            changes: Some(changes),
            thread: Some(thread),
        })
    }

    pub(crate) fn write(&self, change: Change) {
        if let Some(changes) = &self.changes {
            // What finds no place is in memory, and a policy that is not on disk is fetched again after a restart.
            let _ = changes.try_send(change);
        }
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

fn write(
    mut journal: Journal,
    waiting: &Receiver<Change>,
    whole: &impl Fn() -> Vec<Entry>,
    events: &dyn EventLog,
) {
    let mut is_failing = false;
    while let Ok(first) = waiting.recv() {
        let changes: Vec<Change> = std::iter::once(first).chain(waiting.try_iter()).collect();
        let result = journal.append(&changes, whole);
        if let (Err(error), false) = (&result, is_failing) {
            events.write(&Event::MtaSts(MtaSts::NotKept(error.to_string())));
        }
        is_failing = result.is_err();
    }
}
