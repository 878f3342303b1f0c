//! What can be wrong with the stored content of a message.

use mail::QueueId;
use thiserror::Error;

/// What is wrong with the content of one message. As an error it is [`crate::SpoolError::Damaged`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the spool is damaged at message {id}: {}", .flaw.words())]
pub struct Damage {
    /// The message.
    pub id: QueueId,
    /// What is wrong.
    pub flaw: Flaw,
}

/// What can be wrong with content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// It is not there.
    Missing,
    /// It has more or fewer octets than were written.
    OtherSize,
    /// It has other octets.
    Altered,
    /// What is stored of it, or of where it is, is unreadable.
    Unreadable,
}

impl Flaw {
    /// What is wrong, in words for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Missing => "its content is missing",
            Self::OtherSize => "its content has another size",
            Self::Altered => "its content is not what was written",
            Self::Unreadable => "what is stored of its content cannot be read",
        }
    }

    /// This, wrong with that message.
    pub fn of(self, id: QueueId) -> Damage {
        Damage { id, flaw: self }
    }
}
