//! The one thread that writes: it takes whatever is waiting and commits it as a group.
//!
//! * [`job`]: what is handed to it. [`inbox`]: what waits, and makes up the next group.
//! * [`group`]: one group in one transaction of the [`database`]. [`written`]: how things stand with it. [`acting`]: what
//!   the administrator does. [`answers`]: what those are told who wait.
//! * [`recovery`]: when writing fails; [`aside`]: what cannot be recorded although everything else can; [`complaint`]: what the log is told of that. [`renewal`]: when the log was kept.
//! * [`caretaker`]: a second thread for what no commit is to wait for; [`pruning`]: what it removes from the ledger.

mod acting;
mod answers;
pub(crate) mod aside;
pub(crate) mod caretaker;
pub(crate) mod complaint;
pub(crate) mod database;
mod group;
pub(crate) mod inbox;
pub(crate) mod job;
pub(crate) mod pruning;
mod recovery;
mod renewal;
mod written;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use mail::event::store::Failed;
use spool::SpoolError;

use crate::disk::bodies::Directories;
use crate::disk::lock::Lock;
use crate::disk::reserve::Reserve;
use crate::error::{is_refused_write, told};
use crate::log::checkpoints::Extent;
use crate::reading::pool::Readers;
use crate::shared::Shared;
use crate::steps::Place;
use aside::Aside;
use caretaker::{Caretaker, Chore};
use database::{Database, Unwritten};
use inbox::Inbox;
use job::Reply;
use renewal::{probe, renew_if_due};

/// A checkpoint is requested after this many octets were written to the log.
const CHECKPOINT_EVERY: usize = 8 << 20;

/// All that the thread owns.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) inbox: Inbox,
    pub(crate) aside: Aside,
    pub(crate) database: Database,
    pub(crate) caretaker: Caretaker,
    pub(crate) readers: Arc<Readers>,
    pub(crate) directories: Directories,
    pub(crate) reserve: Reserve,
    pub(crate) shared: Arc<Shared>,
    /// Roughly how many octets were written to the log since a checkpoint was requested.
    pub(crate) unchecked: usize,
    /// Held until nothing more is written.
    pub(crate) lock: Lock,
}

impl Writer {
    /// Runs until the spool is closed or dropped.
    pub(crate) fn start(self) -> std::io::Result<()> {
        thread::Builder::new()
            .name("spool-writer".into())
            .spawn(move || self.run())?;
        Ok(())
    }

    fn run(mut self) {
        let (closer, failure) = loop {
            if !self.inbox.gather() {
                break (None, None);
            }
            if let Some(reply) = self.inbox.closer() {
                break (Some(reply), None);
            }
            if let Err(error) = self.turn()
                && let Err(failure) = self.recover(error)
            {
                break (None, Some(failure));
            }
        };
        self.end(closer, failure);
    }

    /// Writes what is waiting, and checkpoints a kept log if that is due.
    fn turn(&mut self) -> Result<(), SpoolError> {
        if self.inbox.has_work() {
            self.write_next()?;
        }
        renew_if_due(&self.shared, &mut self.database, &self.readers, &self.directories)?;
        Ok(())
    }

    /// Makes the next group durable, which may be empty, and replies. After an error, what is not refused is put back in front.
    fn write_next(&mut self) -> Result<(), SpoolError> {
        let (done, gone) = loop {
            let (group, weight) = self.inbox.next_group();
            self.unchecked = self.unchecked.saturating_add(weight);
            match self.database.write(self.inbox.withdrawn(), group) {
                Ok(durable) => break durable,
                Err(unwritten) => self.put_back(unwritten)?,
            }
        };
        self.aside.written();
        // Before anybody is answered, who may then hand over the next message at once.
        self.shared.broken.store(false, Ordering::Relaxed);
        self.inbox.forget_withdrawn();
        for one in done {
            if let Some(forsaken) = answers::answer(one) {
                self.inbox.withdraw(forsaken);
            }
        }
        for path in gone {
            self.caretaker.ask(Chore::Remove(path));
        }
        self.tend_log();
        self.shared.complaint.lock().succeeded();
        self.reserve.renew(&self.shared.space);
        Ok(())
    }

    /// Puts a group back of which nothing was written; an error unless it can be written without the step that is set aside.
    fn put_back(&mut self, unwritten: Unwritten) -> Result<(), SpoolError> {
        let Unwritten {
            culprit,
            mut group,
            error,
            doubt,
        } = unwritten;
        let error = self.cause(&error);
        if let Some(culprit) = culprit {
            let Some(culprit) = self.aside.take(culprit, &error, &self.shared.teller) else {
                self.inbox.put_back(group);
                return Ok(());
            };
            group.insert(0, culprit);
        }
        self.inbox.refuse(group, doubt, &error);
        Err(error)
    }

    /// Why a write failed. `SQLite` knows a full disk, but not a quota that is used up.
    fn cause(&self, error: &rusqlite::Error) -> SpoolError {
        if is_refused_write(error) {
            let tried = self.shared.faults.at(Place::Probe).map_err(|error| told(&error));
            let tried = tried.and_then(|()| Ok(probe(&self.directories.incoming())?));
            if matches!(tried, Err(SpoolError::Full)) {
                return SpoolError::Full;
            }
        }
        told(error)
    }

    fn tend_log(&mut self) {
        if self.caretaker.wants_finish()
            && let Err(error) = self.shared.checkpoints.carry_over(Extent::Possible)
        {
            self.shared.teller.failed(Failed::Checkpoint, &error);
        }
        self.shared.space.owe(self.database.owed());
        if self.unchecked >= CHECKPOINT_EVERY {
            self.unchecked = 0;
            self.caretaker.ask(Chore::Checkpoint);
        }
    }

    /// Checkpoints the log, unless it ends because of a failure, and releases everything; those still waiting are told.
    fn end(mut self, closer: Option<Reply<()>>, failure: Option<SpoolError>) {
        let mut closers = Vec::from_iter(closer);
        closers.extend(self.inbox.end());
        self.caretaker.stop();
        let tidied = match failure {
            Some(failure) => Err(failure),
            None => self.database.tidy().map_err(SpoolError::from),
        };
        self.database.close();
        let log_may_go = matches!(tidied, Ok(Some(_)));
        let ended = self.shared.checkpoints.end(log_may_go).map_err(SpoolError::from);
        let tidied = tidied.and(ended);
        if let Err(error) = &tidied {
            self.shared.teller.failed(Failed::Tidy, error);
        }
        // Whoever waits may reopen it at once.
        drop(self.lock);
        for closer in closers {
            let _ = closer.send(tidied.clone());
        }
    }
}
