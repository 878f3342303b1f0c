//! How look-ups are made, and who validates if the administrator does not say.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use mail::Domain;
use thiserror::Error;

use crate::resolv_conf::ResolvConf;
use crate::{Server, TrustAnchors};

/// Who validates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// This process validates, up to its trust anchors; any upstream that passes DNSSEC records on will do.
    Validate,
    /// A resolver on loopback or over TLS validates, and its AD bit is believed (RFC 4035 §4.9.3).
    TrustAd,
}

/// Everything a [`crate::Resolver`] needs to know.
#[derive(Debug, Clone)]
pub struct ResolverConfig {
    /// Who validates.
    pub mode: Mode,
    /// The servers to ask, in order. If there are none, all look-ups fail.
    pub servers: Vec<Server>,
    /// Where validation ends. Not used with [`Mode::TrustAd`].
    pub trust_anchors: TrustAnchors,
    /// Negative trust anchors (RFC 7646): these names and all below them are insecure whatever their signatures say, except
    /// below a closer trust anchor. Not used with [`Mode::TrustAd`]: there the resolver has its own.
    pub domain_insecure: Vec<Domain>,
    /// The deadline of one look-up, including all aliases and all keys on the way.
    pub timeout: Duration,
    /// How many answers fit into the cache: [`OCTETS_OF_ENTRY`] for each, keys and delegations included, and at least 1 MiB
    /// in all. A large answer takes the room of several. 0: nothing is kept.
    pub cache_entries: usize,
    /// The most UDP and TCP sockets that look-ups may have open at once, three each; further look-ups wait for their turn.
    /// Not included are the sockets for tests of the servers and for connections over TLS: three sockets, and two per
    /// server.
    pub sockets: usize,
}

/// The room for one answer of ordinary size, in octets.
pub const OCTETS_OF_ENTRY: usize = 200;
/// The smallest cache that is of any use.
const LEAST_OCTETS: usize = 1024 * 1024;

/// Why a resolver cannot be made: the administrator must fix it.
#[derive(Debug, Clone, Error)]
pub enum ResolverError {
    /// The AD bit may be believed only over a channel that nobody else can write to (RFC 4035 §4.9.3).
    #[error(
        "trust-ad believes {0}, which is neither on loopback nor reached over TLS; use a validating resolver there, or mode = \"validate\""
    )]
    NotSecureChannel(Server),
    /// Without an anchor nothing is ever secure.
    #[error("the set of trust anchors is empty")]
    NoTrustAnchors,
}

impl ResolverConfig {
    /// How many octets of answers are kept.
    pub(crate) fn octets_of_answers(&self) -> usize {
        self.octets() - self.octets_of_keys()
    }

    /// How many octets of keys and delegations are kept.
    pub(crate) fn octets_of_keys(&self) -> usize {
        self.octets() / 4
    }

    fn octets(&self) -> usize {
        match self.cache_entries {
            0 => 0,
            entries => entries.saturating_mul(OCTETS_OF_ENTRY).max(LEAST_OCTETS),
        }
    }

    pub(crate) fn check(&self) -> Result<(), ResolverError> {
        match self.mode {
            Mode::Validate if self.trust_anchors.is_empty() => Err(ResolverError::NoTrustAnchors),
            Mode::Validate | Mode::TrustAd => self.mode.check(&self.servers),
        }
    }
}

impl Mode {
    /// Whether these servers may be used in this mode. One that cannot be trusted makes the whole list unusable, because it
    /// would be asked when the others do not answer.
    pub(crate) fn check(self, servers: &[Server]) -> Result<(), ResolverError> {
        let stranger = match self {
            Self::Validate => None,
            Self::TrustAd => servers.iter().find(|server| !server.is_secure_channel()),
        };
        match stranger {
            Some(stranger) => Err(ResolverError::NotSecureChannel(stranger.clone())),
            None => Ok(()),
        }
    }
}

/// What `mode = "auto"` chose, and why. Whether the resolver really validates is checked by the self-test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The mode.
    pub mode: Mode,
    /// The reason, for the log.
    pub reason: Reason,
}

/// Why a mode was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// `options trust-ad` is set and every server is on loopback.
    TrustAdOnLoopback,
    /// There is no `options trust-ad`, the system's own statement that its resolver may be believed.
    NoTrustAdOption,
    /// There are no servers.
    NoServers,
    /// This server is elsewhere.
    NotLoopback(IpAddr),
    /// This address is known to belong to forwarders that do not validate themselves.
    Forwarder(IpAddr),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TrustAdOnLoopback => f.write_str("resolv.conf has trust-ad and only loopback servers"),
            Self::NoTrustAdOption => f.write_str("resolv.conf has no `options trust-ad`"),
            Self::NoServers => f.write_str("resolv.conf names no server"),
            Self::NotLoopback(ip) => write!(f, "{ip} is not on loopback"),
            Self::Forwarder(ip) => write!(f, "{ip} is the address of a forwarder"),
        }
    }
}

/// Docker's, and systemd-resolved's two.
const FORWARDERS: [Ipv4Addr; 3] = [
    Ipv4Addr::new(127, 0, 0, 11),
    Ipv4Addr::new(127, 0, 0, 53),
    Ipv4Addr::new(127, 0, 0, 54),
];

impl Mode {
    /// What `auto` chooses on a system with this `resolv.conf`.
    pub fn choose(resolv_conf: &ResolvConf) -> Choice {
        let servers = resolv_conf
            .name_servers
            .iter()
            .map(|server| server.ip.to_canonical());
        let validate = |reason| Choice {
            mode: Self::Validate,
            reason,
        };
        if !resolv_conf.trust_ad {
            return validate(Reason::NoTrustAdOption);
        }
        if resolv_conf.name_servers.is_empty() {
            return validate(Reason::NoServers);
        }
        for ip in servers {
            if !ip.is_loopback() {
                return validate(Reason::NotLoopback(ip));
            }
            if FORWARDERS.iter().any(|forwarder| ip == *forwarder) {
                return validate(Reason::Forwarder(ip));
            }
        }
        Choice {
            mode: Self::TrustAd,
            reason: Reason::TrustAdOnLoopback,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn chosen(text: &str) -> Choice {
        Mode::choose(&ResolvConf::parse(text.as_bytes()))
    }

    #[test]
    fn auto_believes_only_what_the_system_calls_trustworthy() {
        let yes = chosen("nameserver 127.0.0.1\nnameserver ::1\noptions trust-ad\n");
        assert_eq!(
            yes,
            Choice {
                mode: Mode::TrustAd,
                reason: Reason::TrustAdOnLoopback
            }
        );
        assert_eq!(chosen("nameserver 127.0.0.1\n").reason, Reason::NoTrustAdOption);
        assert_eq!(chosen("options trust-ad\n").reason, Reason::NoServers);
        let mixed = chosen("nameserver 127.0.0.1\nnameserver 192.0.2.53\noptions trust-ad\n");
        assert_eq!(mixed.reason, Reason::NotLoopback([192, 0, 2, 53].into()));
        for forwarder in FORWARDERS {
            let choice = chosen(&format!("nameserver {forwarder}\noptions trust-ad\n"));
            assert_eq!(
                choice,
                Choice {
                    mode: Mode::Validate,
                    reason: Reason::Forwarder(forwarder.into())
                }
            );
        }
    }

    #[test]
    fn one_server_elsewhere_voids_trust_ad() {
        let config = |mode, servers: &[&str]| ResolverConfig {
            mode,
            servers: servers
                .iter()
                .map(|server| Server::Plain(server.parse().unwrap()))
                .collect(),
            trust_anchors: TrustAnchors::root(),
            domain_insecure: Vec::new(),
            timeout: Duration::from_secs(5),
            cache_entries: 10,
            sockets: 30,
        };
        let mixed = ["127.0.0.1:53", "192.0.2.53:53"];
        assert!(matches!(
            config(Mode::TrustAd, &mixed).check(),
            Err(ResolverError::NotSecureChannel(stranger)) if stranger.to_string() == "192.0.2.53:53"
        ));
        assert!(config(Mode::Validate, &mixed).check().is_ok());
        let near = config(Mode::TrustAd, &["127.0.0.1:53", "[::1]:53"]);
        assert!(near.check().is_ok());
        assert!(config(Mode::TrustAd, &[]).check().is_ok(), "some may come");
    }
}
