//! Who asks: the credentials that the system vouches for.

use std::fmt;
use std::fs;

use tokio::net::UnixStream;

use crate::access::name_of;

/// Where the names of users are looked for.
const USERS: &str = "/etc/passwd";

/// The process at the other end of a connection, as it was when it connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Peer {
    uid: Option<u32>,
    pid: Option<i32>,
}

impl Peer {
    /// Whoever is at the other end.
    pub(super) fn of(stream: &UnixStream) -> Self {
        let credentials = stream.peer_cred().ok();
        Self {
            uid: credentials.as_ref().map(tokio::net::unix::UCred::uid),
            pid: credentials.as_ref().and_then(tokio::net::unix::UCred::pid),
        }
    }
}

/// `root (uid 0, pid 4711)`.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(uid) = self.uid else {
            return f.write_str("somebody");
        };
        let users = fs::read_to_string(USERS).unwrap_or_default();
        let name = name_of(uid, &users).unwrap_or("somebody");
        write!(f, "{name} (uid {uid}")?;
        if let Some(pid) = self.pid {
            write!(f, ", pid {pid}")?;
        }
        f.write_str(")")
    }
}
