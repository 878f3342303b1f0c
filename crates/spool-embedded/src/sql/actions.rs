//! What the administrator does with recipients. All of it runs inside one of the writer's transactions.

use jiff::Timestamp;
use mail::QueueId;
use rusqlite::{Connection, OptionalExtension, named_params, params};
use spool::{Action, RecipientIndex};

use super::state::State;

const RECIPIENT: &str = "SELECT state, next_hop FROM recipient WHERE message_id = ?1 AND idx = ?2";
const RETRY: &str = "UPDATE recipient SET next_attempt = :now WHERE message_id = :id AND idx = :index";
// It waits for nothing but its release.
const HOLD: &str =
    "UPDATE recipient SET state = :held, incident = NULL WHERE message_id = :id AND idx = :index";
const RELEASE: &str = "UPDATE recipient SET next_attempt = :now, \
    state = CASE WHEN attempts > 0 THEN :deferred ELSE :queued END WHERE message_id = :id AND idx = :index";
const DELETE: &str = "DELETE FROM recipient WHERE message_id = ?1 AND idx = ?2";
const NEXT_HOPS: &str = "SELECT DISTINCT next_hop FROM recipient WHERE message_id = ?1";
const DELETE_ALL: &str = "DELETE FROM recipient WHERE message_id = ?1";
const UPDATE_ACCEPTED: &str =
    "UPDATE message SET accepted = accepted - ?2, remaining = remaining - ?2 WHERE id = ?1";

/// The next hop of a recipient that an action applies to; `None` if there is no such recipient, or it is in another state.
pub(crate) fn suitable(
    connection: &Connection,
    action: Action,
    id: QueueId,
    recipient: RecipientIndex,
) -> rusqlite::Result<Option<String>> {
    let found: Option<(i64, String)> = connection
        .prepare_cached(RECIPIENT)?
        .query_row(params![id.to_bytes(), recipient.0], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let suits = |number| State::of(number).is_some_and(|state| suits(action, state));
    Ok(found
        .filter(|(number, _)| suits(*number))
        .map(|(_, next_hop)| next_hop))
}

/// Whether an action applies to recipients in this state.
fn suits(action: Action, state: State) -> bool {
    match action {
        Action::Retry | Action::Hold => state.waits(),
        Action::Release => state == State::Held,
        Action::Delete => state.waits() || state == State::Held,
    }
}

/// Applies it to one suitable recipient.
pub(crate) fn change(
    connection: &Connection,
    action: Action,
    (id, recipient): (QueueId, RecipientIndex),
    now: Timestamp,
) -> rusqlite::Result<()> {
    let (id, index, now) = (id.to_bytes(), recipient.0, now.as_millisecond());
    match action {
        Action::Retry => connection
            .prepare_cached(RETRY)?
            .execute(named_params! {":id": id, ":index": index, ":now": now})?,
        Action::Hold => connection
            .prepare_cached(HOLD)?
            .execute(named_params! {":id": id, ":index": index, ":held": State::Held})?,
        Action::Release => connection.prepare_cached(RELEASE)?.execute(named_params! {
            ":id": id,
            ":index": index,
            ":now": now,
            ":queued": State::Queued,
            ":deferred": State::Deferred,
        })?,
        Action::Delete => connection.prepare_cached(DELETE)?.execute(params![id, index])?,
    };
    Ok(())
}

/// This many non-final recipients of a message were deleted.
pub(crate) fn count_deleted(connection: &Connection, id: QueueId, recipients: u64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(UPDATE_ACCEPTED)?
        .execute(params![id.to_bytes(), recipients.cast_signed()])?;
    Ok(())
}

/// The distinct next hops of a message, as far as they are readable.
pub(crate) fn next_hops(connection: &Connection, id: QueueId) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare_cached(NEXT_HOPS)?;
    let mut rows = statement.query([id.to_bytes()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.extend(row.get_ref(0)?.as_str().ok().map(ToOwned::to_owned));
    }
    Ok(found)
}

/// Deletes all recipients of a message, whatever their rows contain; returns how many there were.
pub(crate) fn delete_recipients(connection: &Connection, id: QueueId) -> rusqlite::Result<usize> {
    connection.prepare_cached(DELETE_ALL)?.execute([id.to_bytes()])
}
