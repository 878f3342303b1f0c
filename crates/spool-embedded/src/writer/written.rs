//! The state of the spool after a group is written, but not yet durable.

use std::path::PathBuf;

use mail::QueueId;
use rusqlite::Connection;

use crate::disk::bodies::Directories;
use crate::sql::ledger::counting::{Counting, Keys};
use crate::sql::messages::{self, Counters, Deleted};
use crate::sql::new_message::MessageRows;
use crate::sql::outcomes::After;

/// The state of the spool after a group is written, but not yet durable.
#[derive(Debug)]
pub(super) struct Written<'a> {
    directories: &'a Directories,
    /// Files whose messages are gone once the group is durable.
    pub(super) gone: Vec<PathBuf>,
    pub(super) next_body: i64,
    pub(super) counters: Counters,
    /// What the group adds to the ledger.
    pub(super) counting: Counting<'a>,
}

impl<'a> Written<'a> {
    /// As it stands before the group.
    pub(super) fn new(
        directories: &'a Directories,
        next_body: i64,
        counters: Counters,
        keys: &'a mut Keys,
    ) -> Self {
        Self {
            directories,
            gone: Vec::new(),
            next_body,
            counters,
            counting: Counting::new(keys),
        }
    }

    /// A message was deleted.
    pub(super) fn deleted(&mut self, id: QueueId, deleted: Deleted) {
        if deleted != Deleted::Nothing {
            self.counters.messages = self.counters.messages.saturating_sub(1);
        }
        // Without a row, there may be a file left over because it was unclear whether its message was durable.
        if deleted != Deleted::Row {
            self.gone.push(self.directories.body(id));
        }
    }

    /// A message stands so after a step.
    pub(super) fn after(&mut self, id: QueueId, after: After) {
        match after {
            After::Gone(deleted) => self.deleted(id, deleted),
            After::Left { .. } => {}
        }
    }

    /// Inserts a message; false if its id is taken.
    pub(super) fn insert(
        &mut self,
        connection: &Connection,
        message: &MessageRows,
    ) -> rusqlite::Result<bool> {
        let inserted = messages::insert(connection, message, self.next_body)?;
        if inserted {
            self.next_body = self.next_body.saturating_add(1);
            self.counters.messages = self.counters.messages.saturating_add(1);
        }
        Ok(inserted)
    }
}
