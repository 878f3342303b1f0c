//! The thread for work that no commit should wait for: checkpoints, removal of files, the sweep at start, and when what is
//! old is removed from the ledger.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use mail::QueueId;
use mail::event::store::{Failed, Gone, Store};
use rusqlite::Connection;
use spool::SpoolError;
use tokio::time::Instant;

use super::pruning::Pruning;
use crate::disk::bodies::Directories;
use crate::disk::commits::CommitsFile;
use crate::error::Result;
use crate::log::checkpoints::{Checkpoints, Extent};
use crate::shared::Shared;
use crate::sql::connections;
use crate::sql::stored::is_in_file;
use crate::telling::Teller;

/// If the log has more frames (pages) than this, it should restart from its beginning: 64 MiB of pages of 4 KiB.
const LOG_LIMIT: i64 = 16_384;
/// If it has more than this, it must restart, whatever that costs: 192 MiB.
const LOG_BOUND: i64 = 3 * LOG_LIMIT;
/// Few enough frames for the writer to checkpoint by itself between two commits.
const FEW: i64 = 512;
/// How often a checkpoint follows another immediately, to get down to [`FEW`].
const ROUNDS: u32 = 8;

/// Octets of database pages in memory for the sweep.
const SWEEP_CACHE_BYTES: u32 = 512 << 10;

/// How often the number of durable transactions is written while there are few of them.
const COMMITS_EVERY: Duration = Duration::from_mins(1);
/// How often the thread looks whether there is anything to do or to say.
const TICK: Duration = Duration::from_secs(5);

/// What the thread takes care of, beside the log.
#[derive(Debug)]
pub(crate) struct Ward {
    pub(crate) directories: Directories,
    pub(crate) commits: CommitsFile,
    pub(crate) shared: Arc<Shared>,
    pub(crate) pruning: Pruning,
}

/// What there is to do.
#[derive(Debug)]
pub(crate) enum Chore {
    /// Checkpoint the log.
    Checkpoint,
    /// Remove a content whose message has been durably deleted.
    Remove(PathBuf),
}

/// The writer's side of the thread.
#[derive(Debug)]
pub(crate) struct Caretaker {
    chores: mpsc::Sender<Chore>,
    /// The log is long and mostly checkpointed: the writer should do the rest, so that it can restart.
    finish: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
    teller: Teller,
}

impl Caretaker {
    /// Starts the thread, which first does the sweep: `stored` are the contents in files that existed before anything new
    /// was accepted.
    pub(crate) fn start(database: &Path, mut ward: Ward, stored: Vec<QueueId>) -> Result<Self> {
        let connection = connections::open_reader(database, SWEEP_CACHE_BYTES)?;
        let finish = Arc::new(AtomicBool::new(false));
        let (chores, inbox) = mpsc::channel();
        let (flag, teller) = (Arc::clone(&finish), ward.shared.teller.clone());
        let thread = thread::Builder::new()
            .name("spool-caretaker".into())
            .spawn(move || {
                let teller = &ward.shared.teller;
                match sweep(&connection, &ward.directories, stored) {
                    Ok(0) => {}
                    Ok(swept) => teller.tell(Store::Swept(swept)),
                    Err(error) => teller.failed(Failed::Sweep, &error),
                }
                drop(connection);
                ward.work(&inbox, &flag);
            })?;
        Ok(Self {
            chores,
            finish,
            thread,
            teller,
        })
    }

    /// Hands over a chore. If the thread is gone, which only a defect can cause, the chore is left for the next start.
    pub(crate) fn ask(&self, chore: Chore) {
        if self.chores.send(chore).is_err() {
            self.teller.tell(Store::CaretakerGone(Gone::Ended));
        }
    }

    /// Whether the writer should checkpoint the rest of the log now; each request is returned only once.
    pub(crate) fn wants_finish(&self) -> bool {
        self.finish.swap(false, Ordering::Relaxed)
    }

    /// Does what is left and ends.
    pub(crate) fn stop(self) {
        drop(self.chores);
        if self.thread.join().is_err() {
            self.teller.tell(Store::CaretakerGone(Gone::Panicked));
        }
    }
}

impl Ward {
    fn work(&mut self, inbox: &mpsc::Receiver<Chore>, finish: &AtomicBool) {
        let (mut written, mut looked) = (0, Instant::now());
        loop {
            match inbox.recv_timeout(self.pruning.left().min(TICK)) {
                Ok(Chore::Remove(path)) => self.directories.remove(&path),
                // The writer should do the last part of the log.
                Ok(Chore::Checkpoint) if finish.load(Ordering::Relaxed) => {}
                Ok(Chore::Checkpoint) => {
                    let caught_up = catch_up(&self.shared.checkpoints);
                    self.shared.note_owed();
                    match caught_up {
                        Ok(true) => finish.store(true, Ordering::Relaxed),
                        Ok(false) => {}
                        Err(error) => self.shared.teller.failed(Failed::Checkpoint, &error),
                    }
                    self.note_commits(&mut written);
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
            if looked.elapsed() >= COMMITS_EVERY {
                looked = Instant::now();
                self.note_commits(&mut written);
            }
            self.shared.complaint.lock().catch_up();
            self.prune();
        }
        self.note_commits(&mut written);
    }

    /// Removes a little of what is old in the ledger, if that is due.
    fn prune(&mut self) {
        match self.pruning.turn().map_err(SpoolError::from) {
            // At the end the rest is left for the next start.
            Ok(()) | Err(SpoolError::Closed) => {}
            Err(error) => self.shared.teller.failed(Failed::Prune, &error),
        }
    }

    /// Writes how many transactions are durable, if the file says something else.
    fn note_commits(&self, written: &mut u64) {
        let commits = self.shared.commits.load(Ordering::Relaxed);
        if commits == *written {
            return;
        }
        match self.commits.write(commits) {
            Ok(()) => *written = commits,
            Err(error) => self.shared.teller.failed(Failed::NoteDurable, &error),
        }
    }
}

/// Makes a checkpoint; if the log is long, further ones until little is left. Returns whether the log should restart.
///
/// A checkpoint reports how long the log was when it began, so what is left after it is known from how much the next one
/// finds.
fn catch_up(checkpoints: &Checkpoints) -> Result<bool> {
    let mut log = checkpoints.carry_over(Extent::Possible)?.unwrap_or_default();
    for _ in 0..ROUNDS {
        if log.frames <= LOG_LIMIT {
            return Ok(false);
        }
        let before = log.carried;
        log = checkpoints.carry_over(Extent::Possible)?.unwrap_or_default();
        if log.frames.saturating_sub(before) <= FEW && log.carried == log.frames {
            return Ok(true);
        }
    }
    // More than a few frames are added while a checkpoint runs, and all commits would wait for them: perhaps the next time.
    Ok(log.frames > LOG_BOUND)
}

/// Removes contents that belong to no message, and returns how many: their commit, or their removal, did not take place.
fn sweep(connection: &Connection, directories: &Directories, stored: Vec<QueueId>) -> Result<u64> {
    let mut swept = 0_u64;
    for id in stored {
        if !is_in_file(connection, id)? {
            directories.remove(&directories.body(id));
            swept += 1;
        }
    }
    Ok(swept)
}
