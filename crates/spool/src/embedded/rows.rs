//! Between our types and the columns.

use jiff::Timestamp;
use mail::{BodyType, QueueId, Status};
use rusqlite::Row;

use crate::error::SpoolError;
use crate::listing::RecipientState;

/// States above this one are final.
pub(super) const LAST_OPEN: i64 = 3;

/// The column `state` of a recipient after an attempt.
pub(super) fn state_after(status: Status) -> i64 {
    match status {
        Status::Deferred => 2,
        Status::Sent => 4,
        Status::Bounced | Status::Expired => 5,
    }
}

/// What is shown for the column `state`. Being leased (1) is not stored.
pub(super) fn shown_state(id: QueueId, column: i64) -> Result<RecipientState, SpoolError> {
    match column {
        0 => Ok(RecipientState::Queued),
        2 => Ok(RecipientState::Deferred),
        3 => Ok(RecipientState::Held),
        4 => Ok(RecipientState::Sent),
        5 => Ok(RecipientState::Failed),
        _ => Err(corrupt(id, "an unknown recipient state")),
    }
}

/// The column `body_type`.
pub(super) fn body_column(body: BodyType) -> i64 {
    match body {
        BodyType::SevenBit => 0,
        BodyType::EightBitMime => 1,
    }
}

/// Back from [`body_column`].
pub(super) fn body_type(id: QueueId, column: i64) -> Result<BodyType, SpoolError> {
    match column {
        0 => Ok(BodyType::SevenBit),
        1 => Ok(BodyType::EightBitMime),
        _ => Err(corrupt(id, "an unknown body type")),
    }
}

/// A time column.
pub(super) fn time(id: QueueId, column: i64) -> Result<Timestamp, SpoolError> {
    Timestamp::from_millisecond(column).map_err(|_| corrupt(id, "a time out of range"))
}

/// The time as the spool will give it back.
pub(super) fn whole_milliseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

/// A column with a queue id.
pub(super) fn id(row: &Row<'_>, column: usize) -> Result<QueueId, SpoolError> {
    Ok(QueueId::from_bytes(row.get(column)?))
}

/// A text column of the message `id` that parses as a `T`.
pub(super) fn parse<T: std::str::FromStr>(
    id: QueueId,
    text: &str,
    what: &'static str,
) -> Result<T, SpoolError> {
    text.parse().map_err(|_| corrupt(id, what))
}

/// A number column of the message `id` that fits `T`.
pub(super) fn number<T: TryFrom<i64>>(id: QueueId, column: i64) -> Result<T, SpoolError> {
    T::try_from(column).map_err(|_| corrupt(id, "a number out of range"))
}

/// Something about the message `id` is not as it was written.
pub(super) fn corrupt(id: QueueId, what: &'static str) -> SpoolError {
    SpoolError::Corrupt { id: Some(id), what }
}
