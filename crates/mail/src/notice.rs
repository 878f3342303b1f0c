//! What a sender is to be told about one recipient; kept in the queue until a report has told it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Culprit, DaneVerdict, Domain, DomainPart};

/// What was done about a recipient. Those values of RFC 3464 §2.3.3 that a relay can have, and the two ways to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It failed for good.
    Failed,
    /// It was tried for as long as a message may wait, and given up.
    Expired,
    /// It waits for a further attempt.
    Delayed {
        /// When it will be given up.
        will_retry_until: Timestamp,
    },
    /// It was handed to a server that will not report; to be told only to a sender who asked (RFC 3461 §5.2.3).
    Relayed,
}

/// What is to be told of one recipient, beside its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What was done.
    pub action: Action,
    /// The server that was last tried; `None` if no server was.
    pub remote_mta: Option<DomainPart>,
    /// What DANE had to say about it.
    pub verdict: DaneVerdict,
    /// Whose fault it is where that is a failed look-up.
    #[serde(default)]
    pub culprit: Culprit,
    /// Where its TLSA records are (RFC 7672 §2.2.2), if they played a part.
    pub tlsa_base: Option<Domain>,
    /// When it was last tried.
    pub last_attempt: Timestamp,
}
