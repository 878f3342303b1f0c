//! The server's outside: how it is set up, changed and looked at.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::server::{ResolvesServerCert, ServerConfig};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::fault::MailFault;
use super::identity::Identity;
use super::session;
use crate::{TaskGuard, WorldError};

/// What TLS came to on one connection.
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
    /// What TLS came to, none where it was not reached.
    pub tls: Option<TlsSeen>,
}

/// How a server behaves towards the connections that come from now on.
#[derive(Clone)]
pub(super) struct Behaviour {
    pub(super) hostname: String,
    pub(super) extensions: Vec<String>,
    pub(super) identity: Option<Identity>,
    pub(super) faults: Vec<MailFault>,
}

impl Behaviour {
    /// The TLS side; none without an identity. The key is not compared with the certificate, as some faults want.
    pub(super) fn tls_config(&self) -> Result<Option<Arc<ServerConfig>>, WorldError> {
        let Some(identity) = &self.identity else {
            return Ok(None);
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = provider.key_provider.load_private_key(identity.private_key())?;
        let certified = CertifiedKey::new(identity.chain().to_vec(), key);
        let resolver: Arc<dyn ResolvesServerCert> = Arc::new(SingleCertAndKey::from(certified));
        let versions = if self.faults.contains(&MailFault::Tls12Only) {
            vec![&TLS12]
        } else if self.faults.contains(&MailFault::Tls13Only) {
            vec![&TLS13]
        } else {
            vec![&TLS13, &TLS12]
        };
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        Ok(Some(Arc::new(config)))
    }
}

/// A server to be started.
pub struct ReceiverBuilder {
    address: SocketAddr,
    behaviour: Behaviour,
}

impl ReceiverBuilder {
    /// Listens here; 127.0.0.1 and a free port without this.
    #[must_use]
    pub fn address(self, address: SocketAddr) -> Self {
        Self { address, ..self }
    }

    /// Shows this identity; without one, STARTTLS is not offered.
    #[must_use]
    pub fn identity(mut self, identity: &Identity) -> Self {
        self.behaviour.identity = Some(identity.clone());
        self
    }

    /// Offers one more extension in the EHLO reply, such as `REQUIRETLS`.
    #[must_use]
    pub fn extension(mut self, keyword: &str) -> Self {
        self.behaviour.extensions.push(keyword.to_owned());
        self
    }

    /// Has this fault, besides those given before.
    #[must_use]
    pub fn fault(mut self, fault: MailFault) -> Self {
        self.behaviour.faults.push(fault);
        self
    }

    /// Listens and serves until the last clone of the handle is dropped.
    pub async fn start(self) -> Result<Receiver, WorldError> {
        // A key that TLS cannot use is the caller's mistake: say so now.
        self.behaviour.tls_config()?;
        crate::must_be_loopback(self.address.ip())?;
        let listener = TcpListener::bind(self.address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            behaviour: Mutex::new(self.behaviour),
            seen: Mutex::default(),
            news: Notify::new(),
        });
        let task = TaskGuard::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Receiver {
            address,
            shared,
            _task: Arc::new(task),
        })
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut sessions = JoinSet::new();
    loop {
        while sessions.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, peer)) => {
                let record = Recorder::open(Arc::clone(&shared), peer);
                sessions.spawn(session::run(stream, record));
            }
            Err(_) => tokio::time::sleep(crate::ACCEPT_AGAIN).await,
        }
    }
}

/// A running server. Clones share it.
#[derive(Clone)]
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    _task: Arc<TaskGuard>,
}

impl Receiver {
    /// Describes a server that calls itself `hostname`.
    pub fn builder(hostname: &str) -> ReceiverBuilder {
        let behaviour = Behaviour {
            hostname: hostname.to_owned(),
            extensions: Vec::new(),
            identity: None,
            faults: Vec::new(),
        };
        ReceiverBuilder {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            behaviour,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Replaces its faults for the connections to come; an empty list mends it.
    pub fn set_faults(&self, faults: Vec<MailFault>) {
        self.shared.behaviour().faults = faults;
    }

    /// Replaces its identity for the connections to come.
    pub fn set_identity(&self, identity: &Identity) {
        self.shared.behaviour().identity = Some(identity.clone());
    }

    /// The messages it took, in order.
    pub fn messages(&self) -> Vec<Received> {
        self.shared.seen().messages.clone()
    }

    /// All connections so far, in order.
    pub fn connections(&self) -> Vec<Connection> {
        self.shared.seen().connections.clone()
    }

    /// How often a command with this verb was seen, over all connections.
    pub fn count_of(&self, verb: &str) -> usize {
        let is_verb = |line: &&String| {
            let first = line.split([' ', ':']).next();
            first.is_some_and(|first| first.eq_ignore_ascii_case(verb))
        };
        self.shared
            .seen()
            .connections
            .iter()
            .flat_map(|c| &c.commands)
            .filter(is_verb)
            .count()
    }

    /// Waits until it has taken this many messages; false if that did not come within `limit`.
    pub async fn wait_for_messages(&self, count: usize, limit: Duration) -> bool {
        let enough = async {
            loop {
                let news = self.shared.news.notified();
                tokio::pin!(news);
                // Registered before looking, so that a message in between is not missed.
                news.as_mut().enable();
                if self.shared.seen().messages.len() >= count {
                    return;
                }
                news.await;
            }
        };
        tokio::time::timeout(limit, enough).await.is_ok()
    }

    /// Forgets messages and connections so far. Connections still open are no longer recorded.
    pub fn clear(&self) {
        let mut seen = self.shared.seen();
        seen.messages.clear();
        seen.forgotten += seen.connections.len();
        seen.connections.clear();
    }
}

struct Shared {
    behaviour: Mutex<Behaviour>,
    seen: Mutex<Seen>,
    news: Notify,
}

#[derive(Default)]
struct Seen {
    messages: Vec<Received>,
    connections: Vec<Connection>,
    /// Connections that [`Receiver::clear`] took out of the list.
    forgotten: usize,
}

impl Shared {
    fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a session writes down about itself.
pub(super) struct Recorder {
    shared: Arc<Shared>,
    /// Counted from the start of the server.
    number: usize,
    pub(super) tls: Option<TlsSeen>,
}

impl Recorder {
    fn open(shared: Arc<Shared>, peer: SocketAddr) -> Self {
        let mut seen = shared.seen();
        let number = seen.forgotten + seen.connections.len();
        seen.connections.push(Connection {
            peer,
            commands: Vec::new(),
            in_clear: 0,
            tls: None,
        });
        drop(seen);
        Self {
            shared,
            number,
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

    /// Takes one use of a fault that ends by itself; false if none is left. Other connections take from the same stock.
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

/// Whether two such faults are the same but for the count.
fn same_countdown(one: &MailFault, other: &MailFault) -> bool {
    match (one, other) {
        (MailFault::ReplyTimes(stage, _, reply), MailFault::ReplyTimes(other_stage, _, other_reply)) => {
            stage == other_stage && reply == other_reply
        }
        _ => false,
    }
}
