//! The tables and keys of `danerelay.toml`, with their defaults.
//!
//! What a default is and where it comes from stands in `config/danerelay.toml`, the commented template; a test holds
//! the two together. An empty text means "none" or, for `hostname`, "the system's".

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::path::PathBuf;

use mail::{Domain, Mailbox};
use serde::{Deserialize, Serialize};
use settings_file::forms::{self, Form};
use settings_file::{Interval, Size};

#[cfg(test)]
pub(crate) use super::schema_log::LogLevel;
pub(crate) use super::schema_log::{Log, LogFacility, LogFormat, LogTarget};
pub(crate) use super::schema_outgoing::{
    AddressFamily, Delivery, Dns, DnsMode, Timeouts, Tls, TlsGroup, TlsVersion,
};
use super::units::{DomainName, MailAddress, Network};

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) version: u32,
    #[serde(deserialize_with = "optional::<DomainName, _>")]
    pub(crate) hostname: Optional<Domain>,
    pub(crate) state_directory: PathBuf,
    pub(crate) listen: Listen,
    pub(crate) access: Access,
    pub(crate) limits: Limits,
    pub(crate) spool: Spool,
    pub(crate) dns: Dns,
    pub(crate) delivery: Delivery,
    pub(crate) tls: Tls,
    pub(crate) policy: Policy,
    pub(crate) tlsrpt: Tlsrpt,
    pub(crate) report: Report,
    pub(crate) mta_sts: MtaSts,
    pub(crate) log: Log,
    pub(crate) admin: Admin,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            version: 1,
            hostname: Optional::default(),
            state_directory: "/var/lib/danerelay".into(),
            listen: Listen::default(),
            access: Access::default(),
            limits: Limits::default(),
            spool: Spool::default(),
            dns: Dns::default(),
            delivery: Delivery::default(),
            tls: Tls::default(),
            policy: Policy::default(),
            tlsrpt: Tlsrpt::default(),
            report: Report::default(),
            mta_sts: MtaSts::default(),
            log: Log::default(),
            admin: Admin::default(),
        }
    }
}

/// A value that an empty text leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Optional<T>(pub(crate) Option<T>);

impl<T> Default for Optional<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: std::fmt::Display> Serialize for Optional<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_str(""),
        }
    }
}

/// Reads such a value.
pub(super) fn optional<'de, F: Form, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Optional<F::Value>, D::Error> {
    forms::optional::<F, D>(deserializer).map(Optional)
}

/// Where clients connect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Listen {
    #[serde(deserialize_with = "forms::list::<SocketAddr, _>")]
    pub(crate) smtp: Vec<SocketAddr>,
    #[serde(deserialize_with = "forms::list::<SocketAddr, _>")]
    pub(crate) smtps: Vec<SocketAddr>,
    pub(crate) tls_certificate: PathBuf,
    pub(crate) tls_key: PathBuf,
    #[serde(deserialize_with = "forms::list::<Network, _>")]
    pub(crate) proxy_protocol_from: Vec<Network>,
    #[serde(deserialize_with = "forms::list::<Network, _>")]
    pub(crate) xclient_from: Vec<Network>,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            smtp: vec![
                SocketAddr::from(([127, 0, 0, 1], 2525)),
                SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 2525)),
            ],
            smtps: Vec::new(),
            tls_certificate: PathBuf::new(),
            tls_key: PathBuf::new(),
            proxy_protocol_from: Vec::new(),
            xclient_from: Vec::new(),
        }
    }
}

/// Who may relay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Access {
    #[serde(deserialize_with = "forms::list::<Network, _>")]
    pub(crate) networks: Vec<Network>,
    pub(crate) users_file: PathBuf,
    pub(crate) client_certificates: Vec<String>,
    #[serde(deserialize_with = "forms::list::<DomainName, _>")]
    pub(crate) senders: Vec<Domain>,
}

impl Default for Access {
    fn default() -> Self {
        let loopback = [
            ipnet::IpNet::from(ipnet::Ipv4Net::new_assert(
                std::net::Ipv4Addr::new(127, 0, 0, 0),
                8,
            )),
            ipnet::IpNet::from(IpAddr::from(std::net::Ipv6Addr::LOCALHOST)),
        ];
        Self {
            networks: loopback.map(Network).to_vec(),
            users_file: PathBuf::new(),
            client_certificates: Vec::new(),
            senders: Vec::new(),
        }
    }
}

/// How much is taken in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    pub(crate) message_size: Size,
    pub(crate) recipients: u32,
    pub(crate) connections: u32,
    pub(crate) connections_per_client: u32,
    pub(crate) timeout: Interval,
    pub(crate) long_lines: LongLines,
    pub(crate) queue_messages: u64,
    pub(crate) spool_free: Size,
}

/// What becomes of lines that are longer than SMTP allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LongLines {
    /// They are broken.
    Fold,
    /// The message is refused.
    Refuse,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_size: Size(50 << 20),
            recipients: 1000,
            connections: 2000,
            connections_per_client: 500,
            timeout: Interval::minutes(5),
            long_lines: LongLines::Fold,
            queue_messages: 0,
            spool_free: Size(512 << 20),
        }
    }
}

/// Where the queue is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Spool {
    pub(crate) store: Store,
    pub(crate) path: PathBuf,
    pub(crate) url: String,
}

impl Default for Spool {
    fn default() -> Self {
        Self {
            store: Store::Embedded,
            path: "/var/spool/danerelay".into(),
            url: String::new(),
        }
    }
}

/// Which kind of store keeps the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Store {
    /// `SQLite` on a local disk.
    Embedded,
    /// A `PostgreSQL` server that several nodes share.
    Postgres,
}

/// Where the policy stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Policy {
    pub(crate) file: PathBuf,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            file: "policy.toml".into(),
        }
    }
}

/// TLS reports (RFC 8460).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tlsrpt {
    pub(crate) enabled: bool,
    pub(crate) send: bool,
    pub(crate) organization: String,
    pub(crate) contact: String,
    #[serde(deserialize_with = "optional::<MailAddress, _>")]
    pub(crate) sender: Optional<Mailbox>,
    pub(crate) dkim: Dkim,
}

impl Default for Tlsrpt {
    fn default() -> Self {
        Self {
            enabled: true,
            send: false,
            organization: String::new(),
            contact: String::new(),
            sender: Optional::default(),
            dkim: Dkim::default(),
        }
    }
}

/// The key with which mailed reports are signed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Dkim {
    #[serde(deserialize_with = "optional::<DomainName, _>")]
    pub(crate) domain: Optional<Domain>,
    pub(crate) selector: String,
    pub(crate) key: PathBuf,
}

/// Summaries of the relay's own traffic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Report {
    #[serde(deserialize_with = "forms::list::<DomainName, _>")]
    pub(crate) internal_domains: Vec<Domain>,
    pub(crate) keep: Interval,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            internal_domains: Vec::new(),
            keep: Interval::days(400),
        }
    }
}

/// MTA-STS (RFC 8461).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MtaSts {
    pub(crate) enabled: bool,
    pub(crate) cache_entries: u32,
}

impl Default for MtaSts {
    fn default() -> Self {
        Self {
            enabled: true,
            cache_entries: 50_000,
        }
    }
}

/// The doors for the administrator and for monitoring.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Admin {
    pub(crate) socket: PathBuf,
    #[serde(deserialize_with = "optional::<SocketAddr, _>")]
    pub(crate) http: Optional<SocketAddr>,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            socket: "/run/danerelay/admin.sock".into(),
            http: Optional::default(),
        }
    }
}

/// A TCP port that can be connected to.
pub(crate) type Port = NonZeroU16;
