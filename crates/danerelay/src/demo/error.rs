//! Why the demonstration came to no end.

use std::io;

use testworld::WorldError;

/// Why the demonstration came to no end; none of it is a finding about the relay.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// The world could not be built.
    #[error("the demonstration's world: {0}")]
    World(#[from] WorldError),
    /// The system did not let the demonstration do something.
    #[error("the demonstration: {0}")]
    System(io::Error),
    /// The relay did not start, or ended.
    #[error("the relay did not start; its log says:\n{0}")]
    NoRelay(String),
    /// The relay refused a message.
    #[error("the relay refused the message: {0}")]
    Refused(String),
    /// The relay did not write the delivery line in time.
    #[error("no delivery line for {recipient} in time; the relay's log says:\n{log}")]
    NoLine {
        /// The recipient.
        recipient: String,
        /// The whole log.
        log: String,
    },
    /// Standard output cannot be written.
    #[error("standard output: {0}")]
    Output(io::Error),
}
