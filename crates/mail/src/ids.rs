//! Identifiers that we assign.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// The name of a message in the queue: a ULID, sortable by time of acceptance, with 80 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct QueueId(Ulid);

/// The text is not a ULID (26 characters of Crockford's base 32).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a queue id has 26 characters of Crockford's base 32")]
pub struct QueueIdError;

impl QueueId {
    /// A new one, from the system's clock and its random source.
    pub fn generate() -> Self {
        Self(Ulid::generate())
    }

    /// When it was made, in milliseconds; the latest time there is, if it was not made by [`QueueId::generate`] and says a
    /// later one.
    pub fn time(self) -> Timestamp {
        let milliseconds = i64::try_from(self.0.timestamp_ms()).unwrap_or(i64::MAX);
        Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX)
    }

    /// The 16 octets of the id; they sort by time.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_bytes()
    }

    /// Back from [`QueueId::to_bytes`].
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Ulid::from_bytes(bytes))
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for QueueId {
    type Err = QueueIdError;
    fn from_str(text: &str) -> Result<Self, QueueIdError> {
        Ulid::from_string(text).map(Self).map_err(|_| QueueIdError)
    }
}

impl TryFrom<String> for QueueId {
    type Error = QueueIdError;
    fn try_from(text: String) -> Result<Self, QueueIdError> {
        text.parse()
    }
}

impl From<QueueId> for String {
    fn from(id: QueueId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each of the 80 random bits is a coin of its own: nobody can guess the next id.
    #[test]
    fn ids_are_not_to_be_guessed() {
        const COUNT: u32 = 4000;
        let mut set = [0_u32; 80];
        for _ in 0..COUNT {
            let bits = u128::from_be_bytes(QueueId::generate().to_bytes());
            for (bit, count) in set.iter_mut().enumerate() {
                *count += u32::from((bits >> bit) & 1 == 1);
            }
        }
        // More than ten standard deviations: not once in the age of the universe by chance.
        let usual = COUNT / 2 - 330..COUNT / 2 + 330;
        assert!(set.iter().all(|count| usual.contains(count)), "{set:?}");
    }
}
