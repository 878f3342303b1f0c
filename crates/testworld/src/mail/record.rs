//! What a server has seen: its connections and messages, as recorded by its sessions.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use super::behaviour::Behaviour;
use super::fault::MailFault;

/// The TLS session of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSeen {
    /// Version and cipher suite, such as `TLSv1_3 TLS13_AES_256_GCM_SHA384`.
    pub parameters: String,
    /// The server name that the client sent (SNI).
    pub sni: Option<String>,
}

/// A message that the server took responsibility for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The reverse-path without angle brackets; empty for a DSN.
    pub envelope_from: String,
    /// What followed the reverse-path in MAIL, such as `SIZE=100 BODY=8BITMIME`.
    pub mail_parameters: String,
    /// The accepted forward-paths without angle brackets.
    pub recipients: Vec<String>,
    /// The content with dot-stuffing undone, lines ending in CRLF.
    pub content: Vec<u8>,
    /// Version and cipher suite, if it came inside TLS.
    pub tls: Option<String>,
    /// The server name that the client asked for.
    pub sni: Option<String>,
}

/// One connection, over or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Where it came from.
    pub peer: SocketAddr,
    /// Every command line without its line end, in order; content is not among them.
    pub commands: Vec<String>,
    /// How many of the commands came before TLS; all of them where there was none.
    pub in_clear: usize,
    /// The TLS session, if there was one.
    pub tls: Option<TlsSeen>,
}

/// What a server and its sessions share.
pub(super) struct Shared {
    behaviour: Mutex<Behaviour>,
    seen: Mutex<Seen>,
    /// Told of each message.
    pub(super) news: Notify,
}

#[derive(Default)]
pub(super) struct Seen {
    pub(super) messages: Vec<Received>,
    pub(super) connections: Vec<Connection>,
    /// Connections that [`Seen::clear`] took out of the list.
    forgotten: usize,
    /// Connections that are open now.
    open: usize,
}

impl Seen {
    pub(super) fn clear(&mut self) {
        self.messages.clear();
        self.forgotten += self.connections.len();
        self.connections.clear();
    }
}

impl Shared {
    pub(super) fn new(behaviour: Behaviour) -> Self {
        Self {
            behaviour: Mutex::new(behaviour),
            seen: Mutex::default(),
            news: Notify::new(),
        }
    }

    pub(super) fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock()
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock()
    }
}

/// What a session records about itself.
pub(super) struct Recorder {
    shared: Arc<Shared>,
    /// Counted from the start of the server.
    number: usize,
    /// The connections that were open when this one was opened.
    pub(super) others: usize,
    pub(super) tls: Option<TlsSeen>,
}

impl Recorder {
    pub(super) fn open(shared: Arc<Shared>, peer: SocketAddr) -> Self {
        let mut seen = shared.seen();
        let number = seen.forgotten + seen.connections.len();
        seen.connections.push(Connection {
            peer,
            commands: Vec::new(),
            in_clear: 0,
            tls: None,
        });
        let others = seen.open;
        seen.open += 1;
        drop(seen);
        Self {
            shared,
            number,
            others,
            tls: None,
        }
    }

    pub(super) fn behaviour(&self) -> Behaviour {
        self.shared.behaviour().clone()
    }

    pub(super) fn command(&self, line: &str) {
        let in_clear = self.tls.is_none();
        self.with_connection(|connection| {
            connection.commands.push(line.to_owned());
            connection.in_clear += usize::from(in_clear);
        });
    }

    pub(super) fn tls_is_up(&mut self, tls: TlsSeen) {
        self.tls = Some(tls.clone());
        self.with_connection(|connection| connection.tls = Some(tls));
    }

    pub(super) fn message(&self, message: Received) {
        self.shared.seen().messages.push(message);
        self.shared.news.notify_waiters();
    }

    /// Uses up one occurrence of a limited fault; false if none is left. All connections share the same count.
    pub(super) fn use_up(&self, fault: &MailFault) -> bool {
        let mut behaviour = self.shared.behaviour();
        let mut alike = behaviour
            .faults
            .iter_mut()
            .filter(|known| same_countdown(known, fault));
        let Some(MailFault::ReplyTimes(_, left, _)) = alike.next() else {
            return false;
        };
        let one_less = left.checked_sub(1);
        *left = one_less.unwrap_or(0);
        one_less.is_some()
    }

    fn with_connection(&self, change: impl FnOnce(&mut Connection)) {
        let mut seen = self.shared.seen();
        let place = self.number.checked_sub(seen.forgotten);
        if let Some(connection) = place.and_then(|place| seen.connections.get_mut(place)) {
            change(connection);
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let mut seen = self.shared.seen();
        seen.open = seen.open.saturating_sub(1);
    }
}

/// Whether two such faults are the same except for the count.
fn same_countdown(one: &MailFault, other: &MailFault) -> bool {
    match (one, other) {
        (MailFault::ReplyTimes(stage, _, reply), MailFault::ReplyTimes(other_stage, _, other_reply)) => {
            stage == other_stage && reply == other_reply
        }
        _ => false,
    }
}
