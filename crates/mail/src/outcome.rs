//! How one attempt ended for one recipient.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{EnhancedStatus, Reason, ReplyCode};

/// The log field `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The next hop took responsibility for it.
    Sent,
    /// It stays in the queue.
    Deferred,
    /// It failed for good.
    Bounced,
    /// It failed for good because `max_age` has passed.
    Expired,
}

impl Status {
    /// Whether it will not be tried again.
    pub fn is_final(self) -> bool {
        match self {
            Self::Sent | Self::Bounced | Self::Expired => true,
            Self::Deferred => false,
        }
    }

    /// The word of the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Deferred => "deferred",
            Self::Bounced => "bounced",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The outcome of one attempt for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What becomes of the recipient.
    pub status: Status,
    /// The SMTP reply that decided, if there was one.
    pub reply_code: Option<ReplyCode>,
    /// The enhanced status: the server's, or our own where it gave none.
    pub enhanced: EnhancedStatus,
    /// The server's reply, or our reason in plain words; shared by all recipients it applies to.
    pub reason: Reason,
}
