//! Connections that only read, used away from the runtime's threads.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockWriteGuard};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::{error, schema};
use spool::SpoolError;
use spool::blocking::blocking;

/// How many read at once; more would only wait for each other on the same disk.
const CONNECTIONS: usize = 4;
/// Cache of each, in octets.
const CACHE_BYTES: u32 = 2 << 20;

/// A small pool.
#[derive(Debug)]
pub(super) struct Readers {
    database: PathBuf,
    turns: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
    /// Shared by those who have a connection in use.
    in_use: RwLock<()>,
}

impl Readers {
    /// A pool for this database, still without connections.
    pub(super) fn new(database: PathBuf) -> Self {
        Self {
            database,
            turns: Arc::new(Semaphore::new(CONNECTIONS)),
            idle: Mutex::new(Vec::with_capacity(CONNECTIONS)),
            in_use: RwLock::new(()),
        }
    }

    /// Reads. A connection on which that failed is not used again.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Connection) -> error::Result<T> + Send + 'static,
    ) -> Result<T, SpoolError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(|_| SpoolError::Closed)?;
        let pool = Arc::clone(self);
        blocking(move || {
            let _in_use = pool.in_use.read().unwrap_or_else(PoisonError::into_inner);
            let idle = pool.with(Vec::pop);
            let mut connection = match idle {
                Some(connection) => connection,
                None => schema::open_reader(&pool.database, CACHE_BYTES)?,
            };
            let found = work(&mut connection)?;
            if !pool.turns.is_closed() {
                pool.with(|idle| idle.push(connection));
            }
            drop(turn);
            Ok(found)
        })
        .await
    }

    /// Ends all reading.
    pub(super) fn close(&self) {
        self.turns.close();
        self.with(Vec::clear);
    }

    /// Closes all connections, and lets none be opened as long as what is returned lives.
    pub(super) fn pause(&self) -> RwLockWriteGuard<'_, ()> {
        let none_in_use = self.in_use.write().unwrap_or_else(PoisonError::into_inner);
        self.with(Vec::clear);
        none_in_use
    }

    fn with<T>(&self, act: impl FnOnce(&mut Vec<Connection>) -> T) -> T {
        act(&mut self.idle.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
