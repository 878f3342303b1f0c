//! Who asks: the credentials that the system vouches for.

use std::fmt;
use std::fs;

use tokio::net::UnixStream;

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

/// The name of a user in the lines of `passwd(5)`.
fn name_of(uid: u32, users: &str) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let found: u32 = fields.nth(1)?.parse().ok()?;
        (found == uid).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_its_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\n\n+::::::\nbroken\nmail:x:8:8::/var/mail:/bin/false\n";
        assert_eq!(name_of(0, users), Some("root"));
        assert_eq!(name_of(8, users), Some("mail"));
        assert_eq!(name_of(9, users), None);
    }
}
