//! How a spool is opened, and what is looked at before anything is accepted.

use std::collections::{HashSet, VecDeque};
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::mpsc;

use super::bodies::{Directories, sync_directory};
use super::caretaker::{Caretaker, Chore, Ward};
use super::checkpoints::Checkpoints;
use super::commits::CommitsFile;
use super::lock::Lock;
use super::readers::Readers;
use super::recovery::Complaint;
use super::reserve::Reserve;
use super::shared::{Counters, Limits, Shared};
use super::writer::Writer;
use super::{DATABASE, EmbeddedSpool, Options, queries, schema, tables};
use crate::doubts::{Doubt, DoubtsFile};
use crate::error::Result;
use spool::InDoubt;
use spool::leases::LeaseTable;

/// Steps that may wait for the writer before callers wait to hand theirs over.
const INBOX: usize = 256;
/// How many messages with deliveries in doubt are remembered by name.
const DOUBTS_NAMED: usize = 1000;

/// Opens the spool in this directory, or makes one there. Waits for the disk.
pub(super) fn open(path: &Path, options: Options) -> Result<EmbeddedSpool> {
    let directories = Directories::of(path);
    directories.make(path)?;
    let lock = Lock::take(path)?;
    let database = path.join(DATABASE);
    let connection = schema::open_writer(&database, options.cache_bytes)?;
    // `SQLite` ignores it if the names of the files that it makes cannot be made durable.
    sync_directory(path)?;
    directories.clear_incoming()?;
    let counters = tables::counters(&connection)?;
    let commits = CommitsFile::of(path);
    let vanished = vanished(&commits, counters);
    let (doubts, before) = DoubtsFile::open(&path.join("in-doubt"))?;
    let doubts = Arc::new(doubts);
    let in_doubt = in_doubt(&connection, before)?;
    let limits = Limits {
        queue_messages: options.queue_messages,
        spool_free: options.spool_free,
    };
    let leases = LeaseTable::noting(Arc::<DoubtsFile>::clone(&doubts));
    let checkpoints = Checkpoints::of(&database)?;
    let shared = Shared::new(path.to_owned(), limits, leases, counters, checkpoints);
    let readers = Arc::new(Readers::new(database.clone()));
    let ward = Ward {
        directories: directories.clone(),
        commits,
        shared: Arc::clone(&shared),
    };
    let next_body = tables::next_body(&connection)?;
    let caretaker = Caretaker::start(&database, ward, directories.stored()?)?;
    // A process that was killed has left its log behind, and one that is killed again and again would add to it for ever.
    caretaker.ask(Chore::Checkpoint);
    let (jobs, inbox) = mpsc::channel(INBOX);
    Writer {
        next_body,
        caretaker,
        readers: Arc::clone(&readers),
        reserve: Reserve::make(path),
        database,
        directories: directories.clone(),
        options,
        connection: Some(connection),
        shared: Arc::clone(&shared),
        inbox,
        waiting: VecDeque::new(),
        withdrawn: Vec::new(),
        counters,
        unchecked: 0,
        complaint: Complaint::default(),
        lock,
    }
    .start()?;
    Ok(EmbeddedSpool {
        jobs,
        shared,
        directories,
        readers,
        doubts,
        in_doubt: Arc::new(in_doubt),
        vanished,
    })
}

/// How many transactions that were durable are not in the database. What is left is served all the same: to refuse it
/// would bring nothing back.
fn vanished(commits: &CommitsFile, counters: Counters) -> u64 {
    let durable = commits.read().unwrap_or(0);
    let found = counters.commits;
    let vanished = durable.saturating_sub(found);
    if vanished > 0 {
        tracing::error!(
            durable,
            found,
            "committed transactions have vanished from the spool: its disk or somebody has damaged it, and mail that was \
             accepted may be lost, or may be sent again"
        );
    }
    vanished
}

/// Which deliveries of the last process may be repeated: those of messages that still wait.
fn in_doubt(connection: &Connection, before: Vec<Doubt>) -> Result<InDoubt> {
    let mut found = InDoubt::default();
    let mut named = HashSet::new();
    for doubt in before {
        if queries::waits(connection, doubt.id)? {
            found.deliveries = found.deliveries.saturating_add(1);
            found.recipients = found.recipients.saturating_add(u64::from(doubt.recipients));
            if found.messages.len() < DOUBTS_NAMED && named.insert(doubt.id) {
                found.messages.push(doubt.id);
            }
        }
    }
    Ok(found)
}
