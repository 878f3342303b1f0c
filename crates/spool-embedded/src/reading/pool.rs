//! Read-only connections, used outside the runtime's threads.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock, RwLockWriteGuard};
use rusqlite::Connection;
use spool::SpoolError;
use spool::blocking::blocking;
use tokio::sync::Semaphore;

use crate::error;
use crate::sql::connections;

/// How many read at once; more would only wait for one another on the same disk.
const CONNECTIONS: usize = 4;
/// Cache of each, in octets.
const CACHE_BYTES: u32 = 2 << 20;

/// A small pool.
#[derive(Debug)]
pub(crate) struct Readers {
    database: PathBuf,
    turns: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
    /// Held shared by everyone who is using a connection.
    in_use: RwLock<()>,
}

impl Readers {
    /// A pool for this database, with no connections yet.
    pub(crate) fn new(database: PathBuf) -> Self {
        Self {
            database,
            turns: Arc::new(Semaphore::new(CONNECTIONS)),
            idle: Mutex::new(Vec::with_capacity(CONNECTIONS)),
            in_use: RwLock::new(()),
        }
    }

    /// What is read.
    pub(crate) fn database(&self) -> &Path {
        &self.database
    }

    /// Runs a read. A connection on which it failed is not used again.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Connection) -> error::Result<T> + Send + 'static,
    ) -> Result<T, SpoolError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(|_| SpoolError::Closed)?;
        let pool = Arc::clone(self);
        blocking(move || {
            let _in_use = pool.in_use.read();
            let idle = pool.idle.lock().pop();
            let mut connection = match idle {
                Some(connection) => connection,
                None => connections::open_reader(&pool.database, CACHE_BYTES)?,
            };
            let found = work(&mut connection)?;
            if !pool.turns.is_closed() {
                pool.idle.lock().push(connection);
            }
            drop(turn);
            Ok(found)
        })
        .await
    }

    /// Ends all reading.
    pub(crate) fn close(&self) {
        self.turns.close();
        self.idle.lock().clear();
    }

    /// Closes all connections, and prevents new ones as long as the returned guard lives.
    pub(crate) fn pause(&self) -> RwLockWriteGuard<'_, ()> {
        let none_in_use = self.in_use.write();
        self.idle.lock().clear();
        none_in_use
    }
}
