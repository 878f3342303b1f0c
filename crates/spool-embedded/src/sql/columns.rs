//! Conversions between our types and the columns.

use jiff::Timestamp;
use mail::{BodyType, QueueId, Ret, TlsTag};
use rusqlite::Row;
use rusqlite::types::ValueRef;

use spool::SpoolError;

use crate::error::{Error, Result};

/// The column `ret`.
pub(crate) fn ret_column(ret: Ret) -> i64 {
    match ret {
        Ret::Full => 0,
        Ret::Headers => 1,
    }
}

/// Back from [`ret_column`].
pub(crate) fn ret(id: QueueId, column: i64) -> Result<Ret> {
    match column {
        0 => Ok(Ret::Full),
        1 => Ok(Ret::Headers),
        _ => Err(corrupt(id, "an unknown value of RET")),
    }
}

/// The column `body_type`.
pub(crate) fn body_column(body: BodyType) -> i64 {
    match body {
        BodyType::SevenBit => 0,
        BodyType::EightBitMime => 1,
    }
}

/// Back from [`body_column`].
pub(crate) fn body_type(id: QueueId, column: i64) -> Result<BodyType> {
    match column {
        0 => Ok(BodyType::SevenBit),
        1 => Ok(BodyType::EightBitMime),
        _ => Err(corrupt(id, "an unknown body type")),
    }
}

/// The column `tls`.
pub(crate) fn tls_column(tag: TlsTag) -> i64 {
    match tag {
        TlsTag::Usual => 0,
        TlsTag::Required => 1,
        TlsTag::NotRequired => 2,
        TlsTag::OwnReport => 3,
    }
}

/// Back from [`tls_column`].
pub(crate) fn tls_tag(id: QueueId, column: i64) -> Result<TlsTag> {
    match column {
        0 => Ok(TlsTag::Usual),
        1 => Ok(TlsTag::Required),
        2 => Ok(TlsTag::NotRequired),
        3 => Ok(TlsTag::OwnReport),
        _ => Err(corrupt(id, "an unknown demand about TLS")),
    }
}

/// A time column.
pub(crate) fn time(id: QueueId, column: i64) -> Result<Timestamp> {
    Timestamp::from_millisecond(column).map_err(|_| corrupt(id, "a time out of range"))
}

/// The time with the precision that the spool stores.
pub(crate) fn whole_milliseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

/// A column with a queue id.
pub(crate) fn id(row: &Row<'_>, column: usize) -> Result<QueueId> {
    Ok(QueueId::from_bytes(row.get(column)?))
}

/// A text column of the message `id`, parsed as a `T`.
pub(crate) fn parse<T: std::str::FromStr>(id: QueueId, text: &str, what: &'static str) -> Result<T> {
    text.parse().map_err(|_| corrupt(id, what))
}

/// A text column of the message `id`.
pub(crate) fn text<'row>(id: QueueId, row: &'row Row<'_>, column: usize) -> Result<&'row str> {
    optional_text(id, row, column)?.ok_or_else(|| corrupt(id, "a text is missing"))
}

/// A text column of the message `id` that may be NULL.
pub(crate) fn optional_text<'row>(
    id: QueueId,
    row: &'row Row<'_>,
    column: usize,
) -> Result<Option<&'row str>> {
    match row.get_ref(column)? {
        ValueRef::Text(octets) => match std::str::from_utf8(octets) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(corrupt(id, "a text that is not UTF-8")),
        },
        ValueRef::Null => Ok(None),
        ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => Err(corrupt(id, "a text is missing")),
    }
}

/// A numeric column of the message `id`, as a `T`.
pub(crate) fn number<T: TryFrom<i64>>(id: QueueId, column: i64) -> Result<T> {
    T::try_from(column).map_err(|_| corrupt(id, "a number out of range"))
}

/// Something about the message `id` is not as it was written.
pub(crate) fn corrupt(id: QueueId, what: &'static str) -> Error {
    SpoolError::Corrupt { id: Some(id), what }.into()
}
