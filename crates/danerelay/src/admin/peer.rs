//! Who the client is: the credentials guaranteed by the system.

use std::fmt;

use tokio::net::UnixStream;
use tokio::net::unix::UCred;

use crate::accounts;

/// The process at the other end of a connection, as it was when it connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Peer {
    uid: Option<u32>,
    pid: Option<i32>,
    name: Option<String>,
}

impl Peer {
    /// The process at the other end, without the user's name.
    pub(super) fn of(stream: &UnixStream) -> Self {
        let credentials = stream.peer_cred().ok();
        Self {
            uid: credentials.as_ref().map(UCred::uid),
            pid: credentials.as_ref().and_then(UCred::pid),
            name: None,
        }
    }

    /// The same with the user's name. The look-up may involve another machine, so it must not block other tasks.
    pub(super) async fn named(self) -> Self {
        let Some(uid) = self.uid else { return self };
        let name = tokio::task::spawn_blocking(move || accounts::user(uid)).await;
        Self {
            name: name.ok().flatten(),
            ..self
        }
    }
}

/// `root (uid 0, pid 4711)`.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_deref().unwrap_or("somebody");
        let Some(uid) = self.uid else {
            return f.write_str(name);
        };
        write!(f, "{name} (uid {uid}")?;
        if let Some(pid) = self.pid {
            write!(f, ", pid {pid}")?;
        }
        f.write_str(")")
    }
}
