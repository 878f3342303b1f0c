//! What a relay is given to do.

use std::fmt;

/// One measurement's mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    /// What is looked at.
    pub(crate) manner: Manner,
    /// Next-hop domains, each with a zone and a host of its own.
    pub(crate) destinations: usize,
    /// Connections to the relay, all at the same time.
    pub(crate) sessions: usize,
    /// Messages in all, each to one recipient; each session sends the next one as soon as it can.
    pub(crate) messages: usize,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// All messages at once, on the whole way.
    Through,
    /// All messages at once, as far as they are accepted: the receiving server takes connections and says nothing.
    Held,
    /// Each message alone.
    OneByOne,
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            manner,
            destinations,
            sessions,
            messages,
        } = self;
        let manner = match manner {
            Manner::Through => "",
            Manner::Held => ", deliveries held",
            Manner::OneByOne => ", one by one",
        };
        write!(
            f,
            "{messages} messages, {destinations} destinations, {sessions} sessions{manner}"
        )
    }
}
