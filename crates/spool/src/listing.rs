//! What `queue list` shows: one object per message.

use jiff::{SignedDuration, Timestamp};
use mail::{CauseKind, QueueId, TlsTag};
use serde::{Deserialize, Serialize, Serializer};

use crate::error::SpoolError;
use crate::message::RecipientIndex;

/// Writes a time as in all answers: RFC 3339 in UTC, always with three digits of milliseconds.
pub fn in_milliseconds<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.3}"))
}

#[expect(clippy::ref_option, reason = "this is what a field is handed over as")]
fn in_milliseconds_if_any<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => in_milliseconds(time, serializer),
        None => serializer.serialize_none(),
    }
}

/// A message in the queue. Serialised, it is one line of `queue list --json`; times are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedMessage {
    /// Its name.
    pub id: QueueId,
    /// The reverse-path without angle brackets; empty for the null reverse-path.
    pub sender: String,
    /// Octets of content.
    pub size: u64,
    /// When it was accepted.
    #[serde(serialize_with = "in_milliseconds")]
    pub created: Timestamp,
    /// The number of attempts for the recipient that has most.
    pub attempts: u32,
    /// The earliest next attempt of its recipients; `None` while none is deferred.
    #[serde(serialize_with = "in_milliseconds_if_any")]
    pub next_attempt: Option<Timestamp>,
    /// All recipients it was accepted for, the final ones too, in the order of the envelope.
    pub recipients: Vec<QueuedRecipient>,
}

/// One recipient of a [`QueuedMessage`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedRecipient {
    /// Its position in the envelope, which does not change when others are deleted.
    #[serde(skip)]
    pub index: RecipientIndex,
    /// The forward-path.
    pub address: String,
    /// Where it stands.
    pub state: RecipientState,
    /// Where its mail goes.
    pub next_hop: String,
    /// Attempts that have ended.
    pub attempts: u32,
    /// The host of the last attempt, if one was tried: its name, or its address in brackets.
    #[serde(default)]
    pub host: Option<String>,
    /// The kind of cause for which the last attempt failed.
    #[serde(default)]
    pub cause: Option<CauseKind>,
    /// When the next one is due; set while deferred.
    #[serde(serialize_with = "in_milliseconds_if_any")]
    pub next_attempt: Option<Timestamp>,
    /// The SMTP reply that decided the last attempt, if there was one.
    pub reply_code: Option<u16>,
    /// The enhanced status of the last attempt.
    pub enhanced: Option<String>,
    /// What DANE found wrong in the last attempt, as in the log's `dane=`; `None` if it found nothing wrong.
    #[serde(default)]
    pub dane: Option<String>,
    /// The reply of the last attempt, or our reason.
    pub reason: Option<String>,
}

/// The reason for the last attempt's result, by whose words it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason<'a> {
    /// The server's reply, with its codes.
    Reply(&'a str),
    /// Our own words.
    Ours(&'a str),
}

impl QueuedRecipient {
    /// The reason for the last attempt's result.
    pub fn result_reason(&self) -> Option<Reason<'_>> {
        let text = self.reason.as_deref()?;
        // A refusal without a code was a reply to other mail, about which we say more.
        let is_reply = self.reply_code.is_some()
            && match self.cause {
                None => self.state == RecipientState::Sent,
                Some(cause) => matches!(cause, CauseKind::RefusedForNow | CauseKind::RefusedForGood),
            };
        Some(if is_reply {
            Reason::Reply(text)
        } else {
            Reason::Ours(text)
        })
    }
}

/// Messages that were skipped, because their stored data cannot be read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// How many.
    pub messages: u64,
    /// The first of them, where its id can be read.
    pub id: Option<QueueId>,
    /// What is wrong with that one; empty if there is none.
    pub error: String,
}

impl Unreadable {
    /// Whether nothing was passed over.
    pub fn is_none(&self) -> bool {
        self.messages == 0
    }

    /// Adds messages that were skipped later.
    pub fn add(&mut self, later: Self) {
        let messages = self.messages.saturating_add(later.messages);
        if self.is_none() {
            *self = later;
        }
        self.messages = messages;
    }

    /// One message, and why it cannot be read.
    pub fn one(id: Option<QueueId>, error: &SpoolError) -> Self {
        Self {
            messages: 1,
            id,
            error: error.to_string(),
        }
    }
}

/// What the client declared about a message, beside its paths.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// Whether there are octets above 127 in the content: `BODY=8BITMIME`.
    pub eight_bit: bool,
    /// `SMTPUTF8`.
    pub smtputf8: bool,
    /// `RET`.
    pub ret: Option<String>,
    /// `ENVID`.
    pub envid: Option<String>,
    /// What it says about TLS on its way.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub tls: TlsTag,
    /// For each recipient, in the order of the envelope.
    pub recipients: Vec<DeclaredRecipient>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "this is what a field is handed over as"
)]
fn is_usual(tag: &TlsTag) -> bool {
    *tag == TlsTag::Usual
}

/// What the client declared about one recipient.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredRecipient {
    /// `NOTIFY`.
    pub notify: Option<String>,
    /// `ORCPT`.
    pub orcpt: Option<String>,
}

/// Where a recipient stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecipientState {
    /// Not tried yet.
    Queued,
    /// Being delivered now. Only the process that holds the lease knows this; others see the previous state.
    Leased,
    /// Tried, and to be tried again.
    Deferred,
    /// Kept back by the administrator.
    Held,
    /// The next hop has taken it.
    Sent,
    /// Given up.
    Failed,
}

impl RecipientState {
    /// Whether something is still to be delivered.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Queued | Self::Leased | Self::Deferred | Self::Held => true,
            Self::Sent | Self::Failed => false,
        }
    }

    /// Which of two recipients says how their message stands.
    #[must_use]
    pub fn or_livelier(self, other: Self) -> Self {
        let rank = |state| match state {
            Self::Leased => 0,
            Self::Queued => 1,
            Self::Deferred => 2,
            Self::Held => 3,
            Self::Failed => 4,
            Self::Sent => 5,
        };
        if rank(other) < rank(self) { other } else { self }
    }
}

/// What `queue summary` shows; serialised, it is the output of `queue summary --json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Messages in the queue.
    pub messages: u64,
    /// Their content in octets.
    pub bytes: u64,
    /// When the oldest of them was accepted.
    #[serde(serialize_with = "in_milliseconds_if_any")]
    pub oldest: Option<Timestamp>,
    /// Its age in seconds; the caller, who knows the time, fills it in.
    pub oldest_age: Option<u64>,
    /// Messages by state: each counts once, under the first of these that a recipient of it is in: leased, queued, deferred,
    /// held; `sent` or `failed` if only a report on it is still to be made.
    #[serde(default)]
    pub states: StateCounts,
    /// Recipients by state.
    pub recipients: StateCounts,
    /// Recipients still to be delivered to, by the age of their messages.
    #[serde(default)]
    pub ages: Ages,
    /// The next hops with the most messages still to be delivered there, most first.
    pub destinations: Vec<DestinationCount>,
    /// How many next hops there are in all.
    #[serde(default)]
    pub next_hops: u64,
    /// Why recipients wait that were tried: the results with the most messages, most first.
    #[serde(default)]
    pub reasons: Vec<ReasonCount>,
    /// Messages whose recipients could not be counted.
    #[serde(default, skip_serializing_if = "Unreadable::is_none")]
    pub unreadable: Unreadable,
}

/// Recipients by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateCounts {
    /// Not tried yet.
    pub queued: u64,
    /// Being delivered now.
    pub leased: u64,
    /// To be tried again.
    pub deferred: u64,
    /// Kept back.
    pub held: u64,
    /// Accepted by the next hop; the message still waits for other recipients.
    pub sent: u64,
    /// Given up, likewise.
    pub failed: u64,
}

impl StateCounts {
    /// Counts one in this state.
    pub fn add(&mut self, state: RecipientState) {
        let count = match state {
            RecipientState::Queued => &mut self.queued,
            RecipientState::Leased => &mut self.leased,
            RecipientState::Deferred => &mut self.deferred,
            RecipientState::Held => &mut self.held,
            RecipientState::Sent => &mut self.sent,
            RecipientState::Failed => &mut self.failed,
        };
        *count = count.saturating_add(1);
    }
}

/// One next hop and what is waiting for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationCount {
    /// Where the mail goes.
    pub next_hop: String,
    /// Messages with non-final recipients there.
    pub messages: u64,
    /// Those recipients.
    pub recipients: u64,
    /// When the oldest of those messages was accepted.
    #[serde(serialize_with = "in_milliseconds")]
    pub oldest: Timestamp,
    /// Those recipients by the age of their messages.
    #[serde(default)]
    pub ages: Ages,
}

/// One result of a last attempt, and who waits because of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonCount {
    /// The kind of cause; `None` if it was settled by an older version.
    pub cause: Option<CauseKind>,
    /// The enhanced status.
    pub enhanced: String,
    /// Messages with such recipients.
    pub messages: u64,
    /// Those recipients.
    pub recipients: u64,
}

/// Counts by age: each column but the last ends at the age in minutes that [`Ages::MINUTES`] has for it, as in Postfix's
/// qshape.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ages([u64; 10]);

impl Ages {
    /// Where the columns end; the last has no end.
    pub const MINUTES: [i64; 9] = [5, 10, 20, 40, 80, 160, 320, 640, 1280];

    /// Counts one of this age.
    pub fn add(&mut self, age: SignedDuration) {
        let minutes = age.as_mins();
        let column = Self::MINUTES.iter().take_while(|end| minutes >= **end).count();
        if let Some(count) = self.0.get_mut(column) {
            *count = count.saturating_add(1);
        }
    }

    /// The counts, the youngest first.
    pub fn columns(&self) -> &[u64; 10] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_counts_where_its_column_has_not_ended() {
        let mut ages = Ages::default();
        for minutes in [-1, 0, 4, 5, 9, 10, 1279, 1280, 100_000] {
            ages.add(SignedDuration::from_mins(minutes));
        }
        assert_eq!(ages.columns(), &[3, 2, 1, 0, 0, 0, 0, 0, 1, 2]);
    }
}
