//! What has files read again, and the lists that are fetched before.

use std::future::pending;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::admin::Reading;
use crate::admin::protocol::{Refusal, Reloaded};

/// Asks for files to be read again.
pub(super) struct Order {
    pub(super) what: Wanted,
    pub(super) asker: Asker,
}

/// Which files; of several orders the last one of these is carried out for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wanted {
    /// The policy with its lists and exceptions.
    Policy,
    /// Everything, which was refused before because of the policy; if it is refused for another reason now, the policy.
    Refused,
    /// Everything.
    Everything,
}

/// Who is told what came of it.
pub(super) enum Asker {
    /// Whoever reads the log.
    Log,
    /// A client of the admin socket, which may be gone.
    Client(oneshot::Sender<Result<Reloaded, Refusal>>),
}

/// Lists that are being fetched, and who waits for them.
pub(super) struct ListFetch {
    pub(super) fetching: JoinHandle<Vec<String>>,
    pub(super) waiting: Vec<Order>,
    /// Those that came meanwhile: what they mean may name other lists.
    pub(super) later: Vec<Order>,
}

impl From<Reading> for Wanted {
    fn from(what: Reading) -> Self {
        match what {
            Reading::Everything => Self::Everything,
            Reading::Policy => Self::Policy,
        }
    }
}

/// What could not be fetched, once the lists have been fetched; never where none are.
pub(super) async fn done(list_fetch: Option<&mut ListFetch>) -> Vec<String> {
    match list_fetch {
        Some(list_fetch) => match (&mut list_fetch.fetching).await {
            Ok(failed) => failed,
            Err(panicked) => vec![panicked.to_string()],
        },
        None => pending().await,
    }
}
