//! The settings of the listener.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use mail::{Domain, Mailbox};
use smtp::{LoneLf, LongLines};

use crate::key_digest::KeyDigest;
use crate::tls::ServerTls;
use crate::users::Users;

/// The listener's settings. A transaction keeps those it began with.
#[derive(Debug, Clone)]
pub struct ListenerConfig {
    /// Our own name, used in the greeting and in Received.
    pub hostname: Domain,
    /// Clients that may relay; all others have every recipient refused, unless they authenticate.
    pub networks: Vec<IpNet>,
    /// Users who may relay; without any, AUTH is not offered.
    pub users: Option<Arc<Users>>,
    /// Keys of client certificates that may relay.
    pub client_keys: Vec<KeyDigest>,
    /// The only domains that senders may have; if empty, any. The null reverse-path is always accepted.
    pub senders: Vec<Domain>,
    /// The same for these users, in place of `senders`.
    pub user_senders: HashMap<String, Vec<Domain>>,
    /// If set, STARTTLS is offered.
    pub tls: Option<ServerTls>,
    /// Proxies whose connections begin with a PROXY protocol header, version 2.
    pub proxies: Vec<IpNet>,
    /// Clients that may use XCLIENT and XFORWARD.
    pub xclient: Vec<IpNet>,
    /// Whether Received says where a message came from.
    pub client_in_received: ClientInReceived,
    /// What to do if a message has no Date or Message-ID.
    pub missing_fields: MissingFields,
    /// The mailbox that `RCPT TO:<Postmaster>` without a domain stands for.
    pub postmaster: Mailbox,
    /// The limits for clients.
    pub limits: Limits,
}

impl ListenerConfig {
    /// Settings that allow nobody to relay, to be filled in.
    pub fn new(hostname: Domain, postmaster: Mailbox) -> Self {
        Self {
            hostname,
            networks: Vec::new(),
            users: None,
            client_keys: Vec::new(),
            senders: Vec::new(),
            user_senders: HashMap::new(),
            tls: None,
            proxies: Vec::new(),
            xclient: Vec::new(),
            client_in_received: ClientInReceived::Named,
            missing_fields: MissingFields::Leave,
            postmaster,
            limits: Limits::default(),
        }
    }
}

/// Whether our Received field says where a message came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientInReceived {
    /// The `from` clause has the client's name and address (RFC 5321 §4.4).
    Named,
    /// There is no such clause (RFC 5321 §7.6): receivers do not see from where somebody sends.
    LeftOut,
}

/// What to do if a message has no Date or Message-ID field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingFields {
    /// It stays as it is.
    Leave,
    /// They are added at the end of the header (RFC 6409 §8.2, §8.3).
    Add,
}

/// The limits within which clients are served.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest content in octets, announced as SIZE.
    pub message_size: u64,
    /// The maximum number of recipients in one transaction.
    pub recipients: usize,
    /// The maximum number of connections in total.
    pub connections: usize,
    /// The maximum number of connections from one address.
    pub connections_per_client: usize,
    /// How long a client may take for a command, or for 64 KiB of content.
    pub timeout: Duration,
    /// What to do with lines of text that are too long to be passed on.
    pub long_lines: LongLines,
    /// What to do with a LF in content that is not part of a CRLF.
    pub lone_lf: LoneLf,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_size: 50 * 1024 * 1024,
            recipients: 1000,
            connections: 2000,
            connections_per_client: 500,
            timeout: Duration::from_mins(5),
            long_lines: LongLines::Fold,
            lone_lf: LoneLf::Refuse,
        }
    }
}
