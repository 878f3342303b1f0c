//! How a spool is opened, and what is checked before anything is accepted.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use mail::event::store::Store;
use rusqlite::Connection;
use spool::InDoubt;
use spool::leases::LeaseTable;
use tokio::sync::mpsc;

use crate::disk::bodies::{Directories, sync_directory};
use crate::disk::commits::CommitsFile;
use crate::disk::doubts::{Doubt, DoubtsFile};
use crate::disk::lock::Lock;
use crate::disk::reserve::Reserve;
use crate::error::Result;
use crate::log::checkpoints::Checkpoints;
use crate::opened::Opened;
use crate::options::Options;
use crate::reading::pool::Readers;
use crate::shared::{Limits, Shared};
use crate::sql::connections::{self, DATABASE};
use crate::sql::messages::{self, Counters};
use crate::sql::schedule;
use crate::steps::Faults;
use crate::telling::Teller;
use crate::writer::Writer;
use crate::writer::aside::Aside;
use crate::writer::caretaker::{Caretaker, Chore, Ward};
use crate::writer::database::Database;
use crate::writer::inbox::Inbox;
use crate::writer::pruning::Pruning;

/// Steps that may wait for the writer before callers must wait to hand theirs over.
const INBOX: usize = 256;
/// How many messages with deliveries in doubt are remembered by id.
const DOUBTS_NAMED: usize = 1000;

/// Opens the spool in this directory, or creates one there. Blocks on the disk.
pub(crate) fn open(path: &Path, options: &Options, teller: &Teller) -> Result<Opened> {
    let directories = Directories::of(path, teller.clone());
    directories.make(path)?;
    let lock = Lock::take(path)?;
    let database = path.join(DATABASE);
    let connection = connections::open_writer(&database, options.cache_bytes)?;
    // `SQLite` does not report it if the names of the files it creates cannot be made durable.
    sync_directory(path)?;
    directories.clear_incoming()?;
    let counters = messages::counters(&connection)?;
    let commits = CommitsFile::of(path);
    let vanished = vanished(&commits, counters, teller);
    let (doubts, before) = DoubtsFile::open(&path.join("in-doubt"), teller.clone())?;
    let doubts = Arc::new(doubts);
    let in_doubt = in_doubt(&connection, before)?;
    let limits = Limits {
        queue_messages: options.queue_messages,
        spool_free: options.spool_free,
        apart: options.ledger_apart.clone().into(),
    };
    let leases = LeaseTable::noting(Arc::<DoubtsFile>::clone(&doubts));
    let faults = Faults::default();
    let checkpoints = Checkpoints::of(&database, faults.clone(), teller.clone())?;
    let carrying = (checkpoints, faults);
    let shared = Shared::new(
        path.to_owned(),
        limits,
        leases,
        counters,
        carrying,
        teller.clone(),
    );
    let (jobs, coming) = mpsc::channel(INBOX);
    let readers = Arc::new(Readers::new(database.clone()));
    let ward = Ward {
        directories: directories.clone(),
        commits,
        shared: Arc::clone(&shared),
        pruning: Pruning::new(database.clone(), jobs.downgrade(), options.ledger_days),
    };
    let caretaker = Caretaker::start(&database, ward, directories.stored()?)?;
    // A killed process leaves its log behind, and one that is killed again and again would keep adding to it.
    caretaker.ask(Chore::Checkpoint);
    let place = (database, options.cache_bytes);
    Writer {
        inbox: Inbox::new(coming, options),
        aside: Aside::default(),
        database: Database::new(connection, place, directories.clone(), Arc::clone(&shared))?,
        caretaker,
        readers: Arc::clone(&readers),
        directories: directories.clone(),
        reserve: Reserve::make(path, teller.clone()),
        shared: Arc::clone(&shared),
        unchecked: 0,
        lock,
    }
    .start()?;
    Ok(Opened {
        jobs,
        shared,
        directories,
        readers,
        doubts,
        in_doubt,
        vanished,
    })
}

/// How many durable transactions are missing from the database. What is left is served anyway: refusing would not bring
/// anything back.
fn vanished(commits: &CommitsFile, counters: Counters, teller: &Teller) -> u64 {
    let durable = commits.read(teller).unwrap_or(0);
    let found = counters.commits;
    let vanished = durable.saturating_sub(found);
    if vanished > 0 {
        teller.tell(Store::Vanished { durable, found });
    }
    vanished
}

/// Which deliveries of the last process may be repeated: those of messages that are still waiting.
fn in_doubt(connection: &Connection, before: Vec<Doubt>) -> Result<InDoubt> {
    let mut found = InDoubt::default();
    let mut named = HashSet::new();
    for doubt in before {
        if schedule::waits(connection, doubt.id)? {
            found.deliveries = found.deliveries.saturating_add(1);
            found.recipients = found.recipients.saturating_add(u64::from(doubt.recipients));
            if found.messages.len() < DOUBTS_NAMED && named.insert(doubt.id) {
                found.messages.push(doubt.id);
            }
        }
    }
    Ok(found)
}
