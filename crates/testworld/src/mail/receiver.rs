//! The server's interface: how it is set up, changed and inspected.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::behaviour::{Behaviour, TlsBegins};
use super::fault::MailFault;
use super::identity::Identity;
use super::record::{Connection, Received, Recorder, Shared};
use super::session;
use crate::{TaskGuard, WorldError};

/// A server to be started.
pub struct ReceiverBuilder {
    address: SocketAddr,
    behaviour: Behaviour,
}

impl ReceiverBuilder {
    /// The address to listen on; by default 127.0.0.1 and a free port.
    #[must_use]
    pub fn address(self, address: SocketAddr) -> Self {
        Self { address, ..self }
    }

    /// Presents this identity; without one, STARTTLS is not offered.
    #[must_use]
    pub fn identity(mut self, identity: &Identity) -> Self {
        self.behaviour.identity = Some(identity.clone());
        self
    }

    /// Presents this identity to clients that cannot use the key of the first one.
    #[must_use]
    pub fn other_identity(mut self, identity: &Identity) -> Self {
        self.behaviour.other_identity = Some(identity.clone());
        self
    }

    /// Speaks TLS from the first octet (RFC 8314 §3.3); it needs an identity.
    #[must_use]
    pub fn implicit_tls(mut self) -> Self {
        self.behaviour.tls = TlsBegins::AtOnce;
        self
    }

    /// Lets this user log in; what is offered is an [`extension`](Self::extension), such as `AUTH PLAIN LOGIN`.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.behaviour.user = Some((name.to_owned(), password.to_owned()));
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
        // A key that TLS cannot use is the caller's mistake: report it now.
        self.behaviour.tls_config()?;
        crate::must_be_loopback(self.address.ip())?;
        let listener = TcpListener::bind(self.address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(self.behaviour));
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
            user: None,
            identity: None,
            other_identity: None,
            tls: TlsBegins::WhenAsked,
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

    /// Replaces its faults for later connections; an empty list removes them.
    pub fn set_faults(&self, faults: Vec<MailFault>) {
        self.shared.behaviour().faults = faults;
    }

    /// Replaces its identity for later connections.
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

    /// Waits until it has accepted this many messages; false if that takes longer than `limit`.
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
        self.shared.seen().clear();
    }
}
