//! What clients did, and what was refused.

use std::net::IpAddr;
use std::time::Duration;

use crate::record::{Level, Put, Record, Value};
use crate::source::Source;
use crate::{Mailbox, Network, QueueId, ReversePath};

/// A client as Postfix writes it when only the address is known; we make no reverse look-ups.
pub(super) fn client(address: IpAddr) -> String {
    named(None, address)
}

/// The same with a name, if an authorised client gave one.
fn named(name: Option<&str>, address: IpAddr) -> String {
    format!("{} [{address}]", name.unwrap_or("unknown"))
}

/// A message is in the spool.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// The message.
    pub id: QueueId,
    /// The client that sent it.
    pub client: IpAddr,
    /// The client's name, as given by a proxy.
    pub name: Option<String>,
    /// Its reverse-path.
    pub from: ReversePath,
    /// The number of its recipients.
    pub recipients: u64,
    /// The size of its content, in octets.
    pub size: u64,
    /// Its Message-ID without angle brackets, if it has one.
    pub message_id: Option<String>,
    /// Version and cipher of TLS, if there was any.
    pub tls: Option<String>,
    /// The user that the client authenticated as, if it did.
    pub auth: Option<String>,
    /// Where the message originally came from, as given by a filter.
    pub orig_client: Option<String>,
}

impl Record for Accepted {
    fn level(&self) -> Level {
        Level::Info
    }

    fn name(&self) -> &'static str {
        "accepted"
    }

    fn fields(&self, put: &mut Put<'_>) {
        put("id", Value::Word(&self.id.to_string()));
        put("client", Value::Word(&named(self.name.as_deref(), self.client)));
        put("from", Value::Path(self.from.as_str()));
        put("nrcpt", Value::Integer(self.recipients));
        put("size", Value::Integer(self.size));
        put("message-id", Value::path(self.message_id.as_deref()));
        for (key, word) in [
            ("tls", &self.tls),
            ("auth", &self.auth),
            ("orig_client", &self.orig_client),
        ] {
            if let Some(word) = word {
                put(key, Value::Word(word));
            }
        }
    }
}

/// What was refused in a session: the first refusal, and how many there were.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejected {
    /// Who was refused.
    pub client: IpAddr,
    /// Whether it may relay.
    pub may_relay: bool,
    /// The client's name, as given by a proxy.
    pub name: Option<String>,
    /// The reverse-path of the transaction, if there is one.
    pub from: Option<ReversePath>,
    /// The recipient that was refused.
    pub to: Option<Mailbox>,
    /// The reply.
    pub reply: String,
    /// How many refusals there were.
    pub refused: u64,
    /// The command that was refused for its syntax or its place: MAIL or RCPT as the client wrote it, of others the verb.
    pub command: Option<String>,
    /// The user that the client claimed to be.
    pub user: Option<String>,
    /// The last reply that differed from the first.
    pub other: Option<String>,
}

impl Record for Rejected {
    fn level(&self) -> Level {
        Level::Info
    }

    fn name(&self) -> &'static str {
        "rejected"
    }

    fn source(&self) -> Option<Source> {
        let network = Network::of(self.client);
        Some(if self.may_relay {
            Source::Known(network)
        } else {
            Source::Client(network)
        })
    }

    fn fields(&self, put: &mut Put<'_>) {
        put("client", Value::Word(&named(self.name.as_deref(), self.client)));
        put("from", Value::path(self.from.as_ref().map(ReversePath::as_str)));
        put("to", Value::path(self.to.as_ref().map(Mailbox::as_str)));
        put("reply", Value::Quoted(&self.reply));
        put("refused", Value::Integer(self.refused));
        if let Some(command) = &self.command {
            put("command", Value::Quoted(command));
        }
        if let Some(user) = &self.user {
            put("user", Value::Quoted(user));
        }
        if let Some(other) = &self.other {
            put("other", Value::Quoted(other));
        }
    }
}

/// A connection that did not become a session.
#[derive(Debug, Clone, PartialEq)]
pub struct NotBegun {
    /// The client.
    pub client: IpAddr,
    /// What failed.
    pub fault: BeginFault,
}

/// Why a connection did not become a session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BeginFault {
    /// `PROXY`: the header that a proxy sends first.
    #[error(transparent)]
    Proxy(ProxyFault),
    /// `TLS`: the handshake at a port of implicit TLS.
    #[error(transparent)]
    Tls(HandshakeFault),
    /// `STARTTLS`: the handshake within a session.
    #[error(transparent)]
    StartTls(HandshakeFault),
}

impl BeginFault {
    /// What the log calls it.
    fn command(&self) -> &'static str {
        match self {
            Self::Proxy(_) => "PROXY",
            Self::Tls(_) => "TLS",
            Self::StartTls(_) => "STARTTLS",
        }
    }
}

/// Why a proxy did not say whose connection it passes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyFault {
    /// It begins with something else.
    #[error("no header of the PROXY protocol, version 2")]
    Invalid,
    /// It is gone.
    #[error("closed before the PROXY header was complete")]
    Closed,
    /// It took too long.
    #[error("the PROXY header takes too long")]
    Late,
}

/// Why there is no TLS with a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeFault {
    /// Ours: a reload took the certificate away while the client connected.
    #[error("there is no certificate any more")]
    NoCertificate,
    /// It is under way already.
    #[error("TLS within TLS")]
    Nested,
    /// The client took too long.
    #[error("the handshake takes too long")]
    Late,
    /// It failed, in the words of the TLS library or the system.
    #[error("{0}")]
    Failed(String),
}

impl Record for NotBegun {
    fn level(&self) -> Level {
        Level::Info
    }

    fn name(&self) -> &'static str {
        "rejected"
    }

    fn source(&self) -> Option<Source> {
        Some(Source::client(self.client))
    }

    fn fields(&self, put: &mut Put<'_>) {
        put("client", Value::Word(&client(self.client)));
        put("command", Value::Quoted(self.fault.command()));
        put("reason", Value::Quoted(&self.fault.to_string()));
    }
}

/// There are too many connections.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionRefused {
    /// Who was refused.
    pub client: IpAddr,
    /// The key of the limit in the configuration.
    pub limit: &'static str,
}

impl Record for ConnectionRefused {
    fn level(&self) -> Level {
        Level::Warning
    }

    fn name(&self) -> &'static str {
        "connections"
    }

    fn source(&self) -> Option<Source> {
        Some(Source::client(self.client))
    }

    fn fields(&self, put: &mut Put<'_>) {
        put("client", Value::Word(&client(self.client)));
        put("limit", Value::Word(self.limit));
    }
}

/// The listener cannot do its work.
#[derive(Debug, Clone, PartialEq)]
pub enum ListenerTrouble {
    /// `accept`: no connection can be accepted at the moment.
    Accept(String),
    /// `accept`: connections are accepted again, after this time.
    AcceptOver(Duration),
    /// `session`: a session ended because of a fault of ours.
    Session(String),
}

impl Record for ListenerTrouble {
    fn level(&self) -> Level {
        match self {
            Self::Accept(_) | Self::Session(_) => Level::Error,
            Self::AcceptOver(_) => Level::Info,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Accept(_) | Self::AcceptOver(_) => "accept",
            Self::Session(_) => "session",
        }
    }

    fn source(&self) -> Option<Source> {
        match self {
            Self::Session(_) => Some(Source::Trouble("session")),
            // Logged only now and then.
            Self::Accept(_) | Self::AcceptOver(_) => None,
        }
    }

    fn fields(&self, put: &mut Put<'_>) {
        match self {
            Self::Accept(reason) | Self::Session(reason) => put("reason", Value::Quoted(reason)),
            Self::AcceptOver(lasted) => {
                put("status", Value::Word("accepting"));
                put("lasted", Value::Seconds(*lasted));
            }
        }
    }
}
