//! The tables of `danerelay.toml` that say how mail leaves: `[dns]`, `[delivery]`, `[tls]`.

use std::net::IpAddr;
use std::path::PathBuf;

use mail::{Domain, Mailbox};
use serde::{Deserialize, Serialize};
use settings_file::Interval;
use settings_file::forms;

use super::schema::{Optional, Port, optional};
use super::units::{DomainName, MailAddress, Server};

/// Whom to ask and whom to believe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Dns {
    pub(crate) mode: DnsMode,
    #[serde(deserialize_with = "forms::list::<Server, _>")]
    pub(crate) servers: Vec<Server>,
    pub(crate) trust_anchor: PathBuf,
    #[serde(deserialize_with = "forms::list::<DomainName, _>")]
    pub(crate) domain_insecure: Vec<Domain>,
    pub(crate) timeout: Interval,
    pub(crate) cache_entries: u32,
    pub(crate) self_test: SelfTest,
}

impl Default for Dns {
    fn default() -> Self {
        Self {
            mode: DnsMode::Auto,
            servers: Vec::new(),
            trust_anchor: PathBuf::new(),
            domain_insecure: Vec::new(),
            timeout: Interval::seconds(5),
            cache_entries: 200_000,
            self_test: SelfTest::default(),
        }
    }
}

/// Who validates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DnsMode {
    /// The resolver where that is plain from its configuration, else we.
    Auto,
    /// The resolver.
    TrustAd,
    /// We.
    Validate,
}

/// Names with which the resolver is tested.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SelfTest {
    #[serde(deserialize_with = "forms::list::<DomainName, _>")]
    pub(crate) secure: Vec<Domain>,
    #[serde(deserialize_with = "forms::list::<DomainName, _>")]
    pub(crate) bogus: Vec<Domain>,
}

/// How mail is sent on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Delivery {
    #[serde(deserialize_with = "forms::one::<Port, _>")]
    pub(crate) port: Port,
    #[serde(deserialize_with = "forms::list::<IpAddr, _>")]
    pub(crate) source_addresses: Vec<IpAddr>,
    pub(crate) connections: u32,
    pub(crate) connections_per_destination: u32,
    pub(crate) connections_per_host: u32,
    pub(crate) reuse: u32,
    pub(crate) reuse_time: Interval,
    pub(crate) idle: Interval,
    #[serde(deserialize_with = "forms::list::<DomainName, _>")]
    pub(crate) own_names: Vec<Domain>,
    #[serde(deserialize_with = "forms::list::<IpAddr, _>")]
    pub(crate) own_addresses: Vec<IpAddr>,
    pub(crate) address_family: AddressFamily,
    #[serde(deserialize_with = "forms::list::<Interval, _>")]
    pub(crate) retry: Vec<Interval>,
    pub(crate) max_age: Interval,
    pub(crate) delay_warning: Interval,
    pub(crate) bounce_max_age: Interval,
    #[serde(deserialize_with = "optional::<MailAddress, _>")]
    pub(crate) postmaster: Optional<Mailbox>,
    pub(crate) timeouts: Timeouts,
}

impl Default for Delivery {
    fn default() -> Self {
        let steps = [5, 10, 20, 40].map(Interval::minutes);
        Self {
            port: Port::MIN.saturating_add(24),
            source_addresses: Vec::new(),
            connections: 500,
            connections_per_destination: 20,
            connections_per_host: 50,
            reuse: 100,
            reuse_time: Interval::minutes(5),
            idle: Interval::seconds(5),
            own_names: Vec::new(),
            own_addresses: Vec::new(),
            address_family: AddressFamily::Any,
            retry: steps.into_iter().chain([1, 2, 4].map(Interval::hours)).collect(),
            max_age: Interval::days(5),
            delay_warning: Interval::hours(4),
            bounce_max_age: Interval::days(5),
            postmaster: Optional::default(),
            timeouts: Timeouts::default(),
        }
    }
}

/// Which addresses of a host are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AddressFamily {
    /// All.
    Any,
    /// A records only.
    Ipv4,
    /// AAAA records only.
    Ipv6,
}

/// How long each stage of a delivery may take as a whole (RFC 5321 §4.5.3.2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Timeouts {
    pub(crate) connect: Interval,
    pub(crate) banner: Interval,
    pub(crate) ehlo: Interval,
    pub(crate) starttls: Interval,
    pub(crate) mail: Interval,
    pub(crate) rcpt: Interval,
    pub(crate) data: Interval,
    pub(crate) body: Interval,
    pub(crate) final_dot: Interval,
    pub(crate) rset: Interval,
    pub(crate) quit: Interval,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Interval::seconds(30),
            banner: Interval::minutes(5),
            ehlo: Interval::minutes(5),
            starttls: Interval::minutes(2),
            mail: Interval::minutes(5),
            rcpt: Interval::minutes(5),
            data: Interval::minutes(2),
            body: Interval::minutes(3),
            final_dot: Interval::minutes(10),
            rset: Interval::seconds(20),
            quit: Interval::seconds(5),
        }
    }
}

/// TLS towards receiving servers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tls {
    pub(crate) webpki_roots: PathBuf,
    pub(crate) groups: Vec<TlsGroup>,
    pub(crate) minimum: TlsVersion,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            webpki_roots: PathBuf::new(),
            groups: vec![
                TlsGroup::X25519MlKem768,
                TlsGroup::X25519,
                TlsGroup::P256,
                TlsGroup::P384,
            ],
            minimum: TlsVersion::V12,
        }
    }
}

/// A key exchange group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TlsGroup {
    /// The hybrid of X25519 and ML-KEM-768.
    #[serde(rename = "X25519MLKEM768")]
    X25519MlKem768,
    /// RFC 7748.
    X25519,
    /// NIST P-256.
    #[serde(rename = "P-256")]
    P256,
    /// NIST P-384.
    #[serde(rename = "P-384")]
    P384,
}

/// The oldest version of TLS that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TlsVersion {
    /// RFC 5246.
    #[serde(rename = "TLSv1.2")]
    V12,
    /// RFC 8446.
    #[serde(rename = "TLSv1.3")]
    V13,
}
