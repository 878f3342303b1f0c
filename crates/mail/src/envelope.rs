//! The envelope of a message in transit.

use serde::{Deserialize, Serialize};

use crate::{Mailbox, ReversePath};

/// What the content holds (RFC 6152), whatever the client declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BodyType {
    /// No octet above 127.
    SevenBit,
    /// Octets above 127.
    EightBitMime,
}

/// The envelope of one message as accepted: the reverse-path, its forward-paths and what was declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Where reports go.
    pub reverse_path: ReversePath,
    /// The forward-paths, in the order in which they were given; never empty once accepted.
    pub recipients: Vec<Mailbox>,
    /// Whether the content may hold octets above 127.
    pub body: BodyType,
}
