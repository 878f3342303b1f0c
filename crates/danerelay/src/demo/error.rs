//! Why the demonstration failed.

use std::io;
use std::net::SocketAddr;

use testworld::WorldError;

use crate::exit::Verdict;

/// Why the demonstration failed; none of these is a finding about the relay.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// The private DNS tree or a server could not be set up.
    #[error("the demonstration's world: {0}")]
    World(#[from] WorldError),
    /// The system refused something that the demonstration needs.
    #[error("the demonstration: {0}")]
    System(io::Error),
    /// The relay did not start, or ended early.
    #[error("the relay did not start; its log says:\n{0}")]
    NoRelay(String),
    /// The relay refused a message.
    #[error("the relay refused the message: {0}")]
    Refused(String),
    /// The relay did not write the delivery line in time.
    #[error("no delivery line for message {id} in time; the relay's log says:\n{log}")]
    NoLine {
        /// The queue id.
        id: String,
        /// The complete log.
        log: String,
    },
    /// Standard output cannot be written.
    #[error("standard output: {0}")]
    Output(io::Error),
    /// User error: no kept demonstration was named.
    #[error(
        "`demo send` needs the configuration of a demonstration that `demo --keep` left running: \
         danerelay -c FILE demo send ADDRESS, where FILE is what `demo --keep` printed"
    )]
    NotNamed,
    /// The demonstration has ended.
    #[error("no demonstration answers at {address}: {cause}")]
    Ended {
        /// The address at which it accepted mail.
        address: SocketAddr,
        /// The system's error.
        cause: io::Error,
    },
}

impl DemoError {
    /// It is not an error if standard output has been closed: its reader has seen enough, as `head` has.
    pub(super) fn unless_unread(self) -> Result<(), Self> {
        match self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            error => Err(error),
        }
    }

    /// The exit status for it.
    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Self::World(_)
            | Self::System(_)
            | Self::NoRelay(_)
            | Self::Refused(_)
            | Self::NoLine { .. }
            | Self::Output(_) => Verdict::Bad,
            Self::NotNamed => Verdict::Unusable,
            Self::Ended { .. } => Verdict::Undecided,
        }
    }
}
