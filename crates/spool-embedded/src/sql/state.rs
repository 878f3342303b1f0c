//! The states of a recipient, and their numbers in the tables, which only this module knows.

use mail::{QueueId, Status};
use rusqlite::ToSql;
use rusqlite::types::ToSqlOutput;
use spool::RecipientState;

use super::columns::corrupt;
use crate::error::Result;

/// The state of a recipient. Number 1 was once meant for "leased", which is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum State {
    /// Not tried yet.
    Queued = 0,
    /// Tried, and to be tried again.
    Deferred = 2,
    /// Kept back by the administrator.
    Held = 3,
    /// Taken by the next hop.
    Sent = 4,
    /// Refused for good.
    Bounced = 5,
    /// Given up.
    Expired = 6,
}

impl State {
    /// States with higher numbers than this one are final.
    pub(crate) const LAST_OPEN: Self = Self::Held;

    const ALL: [Self; 6] = [
        Self::Queued,
        Self::Deferred,
        Self::Held,
        Self::Sent,
        Self::Bounced,
        Self::Expired,
    ];

    /// The state after an attempt.
    pub(crate) fn after(status: Status) -> Self {
        match status {
            Status::Deferred => Self::Deferred,
            Status::Sent => Self::Sent,
            Status::Bounced => Self::Bounced,
            Status::Expired => Self::Expired,
        }
    }

    /// The number in the tables.
    pub(crate) fn number(self) -> i64 {
        i64::from(self as u8)
    }

    /// Converts back from [`State::number`]; `None` for an unknown number.
    pub(crate) fn of(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.number() == number)
    }

    /// The state of a recipient of the message `id`.
    pub(crate) fn read(id: QueueId, number: i64) -> Result<Self> {
        Self::of(number).ok_or_else(|| corrupt(id, "an unknown recipient state"))
    }

    /// How the last attempt ended, if there was one; a held recipient had been deferred before.
    pub(crate) fn last_status(self) -> Option<Status> {
        match self {
            Self::Queued => None,
            Self::Deferred | Self::Held => Some(Status::Deferred),
            Self::Sent => Some(Status::Sent),
            Self::Bounced => Some(Status::Bounced),
            Self::Expired => Some(Status::Expired),
        }
    }

    /// Whether it is to be tried, now or later.
    pub(crate) fn waits(self) -> bool {
        match self {
            Self::Queued | Self::Deferred => true,
            Self::Held | Self::Sent | Self::Bounced | Self::Expired => false,
        }
    }

    /// What people are shown.
    pub(crate) fn shown(self) -> RecipientState {
        match self {
            Self::Queued => RecipientState::Queued,
            Self::Deferred => RecipientState::Deferred,
            Self::Held => RecipientState::Held,
            Self::Sent => RecipientState::Sent,
            Self::Bounced | Self::Expired => RecipientState::Failed,
        }
    }
}

impl ToSql for State {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.number().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_a_number_of_its_own_and_final_ones_come_last() {
        for state in State::ALL {
            assert_eq!(State::of(state.number()), Some(state));
            let is_final = state.last_status().is_some_and(Status::is_final);
            assert_eq!(is_final, state.number() > State::LAST_OPEN.number(), "{state:?}");
            assert!(!is_final || !state.waits());
        }
        assert_eq!([-1, 1, 7].map(State::of), [None; 3]);
        for status in [Status::Deferred, Status::Sent, Status::Bounced, Status::Expired] {
            assert_eq!(State::after(status).last_status(), Some(status));
        }
    }
}
