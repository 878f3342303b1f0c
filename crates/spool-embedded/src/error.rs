//! The errors inside the store, and how they are reported to the other crates.

use std::io;
use std::sync::Arc;

use rusqlite::{ErrorCode, ffi};
use spool::SpoolError;
use thiserror::Error;

/// The result of everything that touches the database.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Why something failed, as known inside the store. Outside it becomes a [`SpoolError`].
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// What `SQLite` says.
    #[error("{}", told(.0))]
    Sql(#[from] rusqlite::Error),
    /// Not related to `SQLite`, or already converted.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

impl Error {
    /// Whether a page of the database is malformed.
    pub(crate) fn is_malformed(&self) -> bool {
        match self {
            Self::Sql(error) => is_malformed(error),
            Self::Spool(_) => false,
        }
    }

    /// Whether stored data, in a row or in a page of the database, is not what was written.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Sql(error) => matches!(told(error), SpoolError::Corrupt { .. }),
            Self::Spool(error) => matches!(error, SpoolError::Corrupt { .. }),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Spool(error.into())
    }
}

impl From<Error> for SpoolError {
    fn from(error: Error) -> Self {
        match error {
            Error::Sql(error) => told(&error),
            Error::Spool(error) => error,
        }
    }
}

/// Whether this is a matter of what one step writes or reads, not of the database as a whole.
pub(crate) fn is_of_one_step(error: &rusqlite::Error) -> bool {
    match told(error) {
        SpoolError::Defect(_) => true,
        SpoolError::Corrupt { .. } => error.sqlite_error_code().is_none(),
        _ => false,
    }
}

/// Whether a write was refused that had nothing to do with a sync: of what could not be synced it is unclear what is there.
pub(crate) fn is_refused_write(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| {
        let is_sync = matches!(
            error.extended_code,
            ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC
        );
        error.code == ErrorCode::SystemIoFailure && !is_sync
    })
}

/// Whether a page of the database is malformed.
pub(crate) fn is_malformed(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt)
}

/// Converts `SQLite`'s errors into ours, by culprit; the only place that does so.
pub(crate) fn told(error: &rusqlite::Error) -> SpoolError {
    use rusqlite::Error::{
        FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, QueryReturnedNoRows,
    };
    let corrupt = |what| SpoolError::Corrupt { id: None, what };
    match error {
        FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) => {
            return corrupt("a column of another type");
        }
        QueryReturnedNoRows => return corrupt("a row that is always there is missing"),
        _ => {}
    }
    let system = |kind| SpoolError::Io(Arc::new(io::Error::new(kind, error.to_string())));
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => SpoolError::Full,
        Some(ErrorCode::DatabaseCorrupt) => corrupt("the database file is malformed"),
        Some(ErrorCode::NotADatabase) => corrupt("the file is no database"),
        Some(ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied) => {
            system(io::ErrorKind::PermissionDenied)
        }
        Some(ErrorCode::ReadOnly) => system(io::ErrorKind::ReadOnlyFilesystem),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => system(io::ErrorKind::ResourceBusy),
        Some(ErrorCode::OutOfMemory) => system(io::ErrorKind::OutOfMemory),
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::NoLargeFileSupport
            | ErrorCode::FileLockingProtocolFailed,
        ) => system(io::ErrorKind::Other),
        _ => SpoolError::Defect(error.to_string().into()),
    }
}
