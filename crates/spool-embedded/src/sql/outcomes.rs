//! Outcomes, and what is reported about them. All of it runs inside one of the writer's transactions.
//!
//! All of it is idempotent, so that it can be written again after a commit that may or may not have taken place.

use jiff::Timestamp;
use mail::{Action, CauseKind, DaneVerdict, Notice, QueueId};
use rusqlite::{Connection, OptionalExtension, named_params, params};
use spool::{Lease, NoticedRecipient, Notices, Outcomes, Settlement};

use super::incidents;
use super::ledger::counting::Counting;
use super::messages::{self, Deleted};
use super::state::State;
use super::tls;

/// The longest reason that is stored, in octets. Deliveries shorten a peer's reply to less than this, and mark that they
/// did.
const REASON_LENGTH: usize = 4096;

// The number of attempts shows whether an outcome is written for the second time. A later failure replaces a delay that was
// not reported yet, and so does a success; a further delay does not.
const UPDATE_RECIPIENT: &str = "UPDATE recipient SET state = :state, attempts = :attempts + 1, \
    next_attempt = coalesce(:next, next_attempt), reply_code = :code, enhanced = :enhanced, reason = :reason, \
    dane = :dane, host = :host, cause = :cause, incident = :incident, \
    notice = CASE WHEN :over THEN :notice ELSE coalesce(:notice, notice) END, \
    delay_noticed = delay_noticed OR :delay \
    WHERE message_id = :id AND idx = :index AND state IN (:queued, :deferred) AND attempts = :attempts";
const UPDATE_REMAINING: &str = "UPDATE message SET remaining = remaining - ?2 WHERE id = ?1";
const REPORT_DUE: &str = "SELECT \
    EXISTS (SELECT 1 FROM recipient WHERE message_id = :id AND notice IS NOT NULL) \
    AND NOT EXISTS (SELECT 1 FROM recipient \
    WHERE message_id = :id AND state IN (:queued, :deferred) AND next_attempt <= :now)";
const NOTICES_LEFT: &str =
    "SELECT EXISTS (SELECT 1 FROM recipient WHERE message_id = ?1 AND notice IS NOT NULL)";
const NOTICE: &str = "SELECT notice FROM recipient WHERE message_id = ?1 AND idx = ?2 AND notice IS NOT NULL";
const FORGET_NOTICE: &str = "UPDATE recipient SET notice = NULL WHERE message_id = ?1 AND idx = ?2";

/// The state of a message after a step.
#[derive(Debug, Clone, Copy)]
pub(crate) enum After {
    /// It has left the spool.
    Gone(Deleted),
    /// It is still there.
    Left {
        /// There is something to tell now.
        report_due: bool,
    },
}

impl From<After> for spool::After {
    fn from(after: After) -> Self {
        match after {
            After::Gone(_) => Self::Gone,
            After::Left { report_due: true } => Self::ReportDue,
            After::Left { report_due: false } => Self::Left,
        }
    }
}

/// Records the outcomes of a lease, and adds to what is counted. `now` decides which other recipients of the message are
/// due.
pub(crate) fn settle(
    connection: &Connection,
    counting: &mut Counting<'_>,
    lease: &Lease,
    outcomes: &Outcomes,
    now: Timestamp,
) -> rusqlite::Result<After> {
    let (id, settlements) = (lease.id, &outcomes.settlements);
    incidents::note(connection, &outcomes.sightings, now)?;
    if is_all_there_is(lease, settlements) {
        let deleted = messages::delete(connection, id)?;
        if deleted != Deleted::Nothing {
            for settlement in settlements {
                counting.add(connection, &settlement.entry)?;
            }
            count_tls(connection, outcomes)?;
        }
        return Ok(After::Gone(deleted));
    }
    let (mut newly_final, mut is_new) = (0_i64, false);
    for settlement in settlements {
        if update(connection, lease, settlement)? {
            is_new = true;
            counting.add(connection, &settlement.entry)?;
            newly_final += i64::from(settlement.ending.status().is_final());
        }
    }
    if is_new {
        count_tls(connection, outcomes)?;
    }
    if newly_final > 0 {
        connection
            .prepare_cached(UPDATE_REMAINING)?
            .execute(params![id.to_bytes(), newly_final])?;
    }
    match messages::delete_if_done(connection, id)? {
        Some(deleted) => Ok(After::Gone(deleted)),
        None => Ok(After::Left {
            report_due: is_report_due(connection, id, now)?,
        }),
    }
}

fn count_tls(connection: &Connection, outcomes: &Outcomes) -> rusqlite::Result<()> {
    let mut sessions = outcomes.tls.iter();
    sessions.try_for_each(|session| tls::counting::count(connection, session))
}

/// Whether these settlements end the whole message with nothing to report: then its rows need not be updated first.
fn is_all_there_is(lease: &Lease, settlements: &[Settlement]) -> bool {
    let finals = settlements
        .iter()
        .filter(|settlement| settlement.ending.status().is_final() && settlement.notice.is_none())
        .count();
    u32::try_from(finals).is_ok_and(|finals| finals == lease.accepted_recipients)
}

/// Records one outcome; false if it was already recorded.
fn update(connection: &Connection, lease: &Lease, settlement: &Settlement) -> rusqlite::Result<bool> {
    // They are in the order of the envelope.
    let found = lease
        .recipients
        .binary_search_by_key(&settlement.recipient, |recipient| recipient.index);
    let recipient = found.ok().and_then(|at| lease.recipients.get(at));
    let attempts = recipient.map_or(0, |recipient| recipient.attempts);
    let ending = &settlement.ending;
    let notice = settlement.notice.as_ref().map(written).transpose()?;
    let delay = settlement.notice.as_ref().is_some_and(is_delay);
    let incident = ending
        .held_up()
        .map(|spot| incidents::number(connection, spot))
        .transpose()?;
    let changed = connection
        .prepare_cached(UPDATE_RECIPIENT)?
        .execute(named_params! {
            ":id": lease.id.to_bytes(),
            ":index": settlement.recipient.0,
            ":queued": State::Queued,
            ":deferred": State::Deferred,
            ":state": State::after(ending.status()),
            ":attempts": attempts,
            ":next": ending.next_attempt().map(Timestamp::as_millisecond),
            ":code": settlement.reply_code.map(mail::ReplyCode::get),
            ":enhanced": settlement.enhanced.to_string(),
            ":reason": shortened(&settlement.reason),
            ":dane": found_wrong(&settlement.verdict),
            ":host": settlement.host.as_ref().map(ToString::to_string),
            ":cause": settlement.entry.key.cause.map(CauseKind::number),
            ":incident": incident.flatten(),
            ":over": ending.next_attempt().is_none(),
            ":notice": notice,
            ":delay": delay,
        })?;
    Ok(changed > 0)
}

/// What DANE found wrong, in the log's words.
fn found_wrong(verdict: &DaneVerdict) -> Option<String> {
    match verdict {
        DaneVerdict::Fail(_) | DaneVerdict::Softfail(_) => Some(verdict.to_string()),
        DaneVerdict::NotReached
        | DaneVerdict::Verify
        | DaneVerdict::VerifyHostOnly
        | DaneVerdict::EncryptNoUsable
        | DaneVerdict::Skip(_) => None,
    }
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
    connection.prepare_cached(REPORT_DUE)?.query_row(
        named_params! {
            ":id": id.to_bytes(),
            ":queued": State::Queued,
            ":deferred": State::Deferred,
            ":now": now.as_millisecond(),
        },
        |row| row.get(0),
    )
}

/// Forgets what was told.
pub(crate) fn told(connection: &Connection, notices: &Notices) -> rusqlite::Result<After> {
    let id = notices.id;
    for recipient in &notices.recipients {
        forget_notice(connection, id, recipient)?;
    }
    match messages::delete_if_done(connection, id)? {
        Some(deleted) => Ok(After::Gone(deleted)),
        None => Ok(After::Left {
            report_due: connection
                .prepare_cached(NOTICES_LEFT)?
                .query_row([id.to_bytes()], |row| row.get(0))?,
        }),
    }
}

/// Removes one notice, unless another has replaced it since it was read.
fn forget_notice(connection: &Connection, id: QueueId, told: &NoticedRecipient) -> rusqlite::Result<()> {
    let key = params![id.to_bytes(), told.index.0];
    let stored: Option<String> = connection
        .prepare_cached(NOTICE)?
        .query_row(key, |row| row.get(0))
        .optional()?;
    let same = stored.is_some_and(|text| {
        // Compared by meaning: another version of this program may have written it in another form.
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
