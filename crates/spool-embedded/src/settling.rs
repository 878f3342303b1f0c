//! The writing statements of outcomes and of what is told of them. All run inside a transaction of the writer.
//!
//! Doing any of it twice is the same as doing it once, so that it may be written again after a commit of which it is not
//! known whether it took place.

use jiff::Timestamp;
use mail::{Action, Notice, QueueId, Status};
use rusqlite::{Connection, OptionalExtension, params};

use super::job::{ReportJob, SettleJob};
use super::rows::state_after;
use super::tables::{self, Deleted};
use super::tally;
use spool::{NoticedRecipient, Settlement};

/// The longest reason that is kept, in octets. Deliveries shorten a peer's reply to less, and mark that they did.
const REASON_LENGTH: usize = 4096;

// The number of attempts tells an outcome that is written for the second time. A later failure takes the place of a
// delay that was not told yet, and so does a success; a further delay does not.
const UPDATE_RECIPIENT: &str = "UPDATE recipient SET state = ?3, attempts = ?4 + 1, \
    next_attempt = coalesce(?5, next_attempt), reply_code = ?6, enhanced = ?7, reason = ?8, \
    notice = CASE WHEN ?10 THEN ?9 ELSE coalesce(?9, notice) END, delay_noticed = delay_noticed OR ?11 \
    WHERE message_id = ?1 AND idx = ?2 AND state IN (0, 2) AND attempts = ?4";
const UPDATE_REMAINING: &str = "UPDATE message SET remaining = remaining - ?2 WHERE id = ?1";
const REPORT_DUE: &str = "SELECT \
    EXISTS (SELECT 1 FROM recipient WHERE message_id = ?1 AND notice IS NOT NULL) \
    AND NOT EXISTS (SELECT 1 FROM recipient WHERE message_id = ?1 AND state IN (0, 2) AND next_attempt <= ?2)";
const NOTICES_LEFT: &str =
    "SELECT EXISTS (SELECT 1 FROM recipient WHERE message_id = ?1 AND notice IS NOT NULL)";
const NOTICE: &str = "SELECT notice FROM recipient WHERE message_id = ?1 AND idx = ?2 AND notice IS NOT NULL";
const FORGET_NOTICE: &str = "UPDATE recipient SET notice = NULL WHERE message_id = ?1 AND idx = ?2";

/// How a message stands after a step.
#[derive(Debug, Clone, Copy)]
pub(super) enum After {
    /// It has left the spool.
    Gone(Deleted),
    /// It is still there.
    Left {
        /// There is something to tell now.
        report_due: bool,
    },
}

/// Records outcomes.
pub(super) fn settle(connection: &Connection, job: &SettleJob) -> rusqlite::Result<After> {
    let id = job.lease.id;
    if is_all_there_is(job) {
        let deleted = tables::delete(connection, id)?;
        if deleted != Deleted::Nothing {
            for settlement in &job.settlements {
                tally::add(connection, &settlement.entry)?;
            }
        }
        return Ok(After::Gone(deleted));
    }
    let mut newly_final = 0_i64;
    for settlement in &job.settlements {
        if update(connection, job, settlement)? {
            tally::add(connection, &settlement.entry)?;
            newly_final += i64::from(settlement.outcome.status.is_final());
        }
    }
    if newly_final > 0 {
        connection
            .prepare_cached(UPDATE_REMAINING)?
            .execute(params![id.to_bytes(), newly_final])?;
    }
    match tables::delete_if_done(connection, id)? {
        Some(deleted) => Ok(After::Gone(deleted)),
        None => Ok(After::Left {
            report_due: is_report_due(connection, id, job.now)?,
        }),
    }
}

/// Whether these settlements end the whole message, and nothing is to be told: then its rows need not be changed first.
fn is_all_there_is(job: &SettleJob) -> bool {
    let finals = job
        .settlements
        .iter()
        .filter(|settlement| settlement.outcome.status.is_final() && settlement.notice.is_none())
        .count();
    u32::try_from(finals).is_ok_and(|finals| finals == job.lease.accepted_recipients)
}

/// Records one outcome; false if it was recorded before.
fn update(connection: &Connection, job: &SettleJob, settlement: &Settlement) -> rusqlite::Result<bool> {
    let before = job
        .lease
        .recipients
        .iter()
        .find(|recipient| recipient.index == settlement.recipient)
        .map_or(0, |recipient| recipient.attempts);
    let outcome = &settlement.outcome;
    let notice = settlement.notice.as_ref().map(written).transpose()?;
    let delay = settlement.notice.as_ref().is_some_and(is_delay);
    let changed = connection.prepare_cached(UPDATE_RECIPIENT)?.execute(params![
        job.lease.id.to_bytes(),
        settlement.recipient.0,
        state_after(outcome.status),
        before,
        settlement.next_attempt.map(Timestamp::as_millisecond),
        outcome.reply_code.map(mail::ReplyCode::get),
        outcome.enhanced.to_string(),
        shortened(&outcome.reason),
        notice,
        outcome.status != Status::Deferred,
        delay,
    ])?;
    Ok(changed > 0)
}

fn is_delay(notice: &Notice) -> bool {
    match notice.action {
        Action::Delayed { .. } => true,
        Action::Failed | Action::Expired | Action::Relayed => false,
    }
}

fn written(notice: &Notice) -> rusqlite::Result<String> {
    serde_json::to_string(notice).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn is_report_due(connection: &Connection, id: QueueId, now: Timestamp) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(REPORT_DUE)?
        .query_row(params![id.to_bytes(), now.as_millisecond()], |row| row.get(0))
}

/// Forgets what was told.
pub(super) fn told(connection: &Connection, job: &ReportJob) -> rusqlite::Result<After> {
    let id = job.notices.id;
    for recipient in &job.notices.recipients {
        forget_notice(connection, id, recipient)?;
    }
    match tables::delete_if_done(connection, id)? {
        Some(deleted) => Ok(After::Gone(deleted)),
        None => Ok(After::Left {
            report_due: connection
                .prepare_cached(NOTICES_LEFT)?
                .query_row([id.to_bytes()], |row| row.get(0))?,
        }),
    }
}

/// Forgets one notice, unless another has taken its place since it was read.
fn forget_notice(connection: &Connection, id: QueueId, told: &NoticedRecipient) -> rusqlite::Result<()> {
    let key = params![id.to_bytes(), told.index.0];
    let stored: Option<String> = connection
        .prepare_cached(NOTICE)?
        .query_row(key, |row| row.get(0))
        .optional()?;
    let same = stored.is_some_and(|text| {
        // Compared by what it means: another version of this program may have written it in another form.
        serde_json::from_str::<Notice>(&text).is_ok_and(|notice| notice == told.notice)
    });
    if same {
        connection.prepare_cached(FORGET_NOTICE)?.execute(key)?;
    }
    Ok(())
}

fn shortened(reason: &str) -> &str {
    let end = reason.floor_char_boundary(REASON_LENGTH);
    reason.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let long = "é".repeat(REASON_LENGTH);
        assert_eq!(shortened(&long).len(), REASON_LENGTH);
        assert_eq!(shortened(&format!("x{long}")).len(), REASON_LENGTH - 1);
        assert_eq!(shortened("short"), "short");
    }
}
