//! The settings of the listener.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use mail::{Domain, Mailbox};
use smtp::LongLines;

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
    /// If set, STARTTLS is offered.
    pub tls: Option<ServerTls>,
    /// Proxies whose connections begin with a PROXY protocol header, version 2.
    pub proxies: Vec<IpNet>,
    /// Clients that may use XCLIENT and XFORWARD.
    pub xclient: Vec<IpNet>,
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
            tls: None,
            proxies: Vec::new(),
            xclient: Vec::new(),
            postmaster,
            limits: Limits::default(),
        }
    }
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
        }
    }
}
