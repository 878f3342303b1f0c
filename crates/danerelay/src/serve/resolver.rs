//! Whom to ask, whom to believe, and why.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dns::{AnchorError, Mode, ResolverConfig, TlsServer, TrustAnchors};
use mail::Domain;

use super::tls::{self, TlsError};
use crate::config::schema::{Config, DnsMode, Tls};
use crate::config::units::Server;

/// Where the system names its resolvers.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// What look-ups need to know, and why the mode is what it is.
pub(crate) struct Plan {
    /// The resolver's settings.
    pub(crate) config: ResolverConfig,
    /// Why this mode, for the log.
    pub(crate) reason: String,
    /// Where `auto` may come to believe the servers: the settings for that. Until the self-test shows that they validate,
    /// `config` validates here.
    pub(crate) probe: Option<ResolverConfig>,
}

/// Why no plan can be made: the administrator's to mend.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolverPlanError {
    /// The system's list of resolvers cannot be read.
    #[error("{RESOLV_CONF}: {0}; `dns.servers` can name name servers instead")]
    Unreadable(io::Error),
    /// The system's list of resolvers is wrong.
    #[error("{RESOLV_CONF}: {0}; `dns.servers` can name name servers instead")]
    Malformed(resolv_conf::ParseError),
    /// The trust anchors cannot be read.
    #[error("{}: {cause}", path.display())]
    AnchorUnreadable {
        /// Their file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The trust anchors are wrong.
    #[error("{}: {cause}", path.display())]
    Anchor {
        /// Their file.
        path: PathBuf,
        /// What is wrong with it.
        cause: AnchorError,
    },
    /// Name servers over TLS cannot be verified.
    #[error("{0}")]
    Tls(#[from] TlsError),
}

/// Makes the plan from the configuration and the system's resolv.conf; `insecure` are the negative trust anchors of now.
pub(crate) fn plan(config: &Config, insecure: &[Domain]) -> Result<Plan, ResolverPlanError> {
    let settings = &config.dns;
    let system = if settings.servers.is_empty() {
        Some(read_resolv_conf()?)
    } else {
        None
    };
    let (mode, reason) = choose(settings.mode, system.as_ref());
    let servers = match &system {
        Some(system) => system_servers(system),
        None => named_servers(&settings.servers, &config.tls)?,
    };
    let chosen = ResolverConfig {
        mode,
        servers,
        trust_anchors: trust_anchors(&settings.trust_anchor)?,
        domain_insecure: insecure.to_vec(),
        timeout: settings.timeout.0,
        cache_entries: usize::try_from(settings.cache_entries).unwrap_or(usize::MAX),
    };
    let (config, probe) = match (settings.mode, mode) {
        (DnsMode::Auto, Mode::TrustAd) => on_probation(chosen),
        (DnsMode::Auto, Mode::Validate) | (DnsMode::TrustAd | DnsMode::Validate, _) => (chosen, None),
    };
    Ok(Plan {
        config,
        reason,
        probe,
    })
}

/// The settings to begin with, and those to test the servers with: a test asks past all caches.
fn on_probation(believing: ResolverConfig) -> (ResolverConfig, Option<ResolverConfig>) {
    let begin = ResolverConfig {
        mode: Mode::Validate,
        ..believing.clone()
    };
    let probe = ResolverConfig {
        cache_entries: 0,
        ..believing
    };
    (begin, Some(probe))
}

/// The mode and why. Only resolv.conf can vouch for servers without being asked, and only for those that it names.
fn choose(configured: DnsMode, system: Option<&resolv_conf::Config>) -> (Mode, String) {
    match (configured, system) {
        (DnsMode::TrustAd, _) => (Mode::TrustAd, "configured".to_owned()),
        (DnsMode::Validate, _) => (Mode::Validate, "configured".to_owned()),
        (DnsMode::Auto, None) => (
            Mode::Validate,
            "dns.servers names servers, and nothing says that they validate".to_owned(),
        ),
        (DnsMode::Auto, Some(system)) => {
            let choice = Mode::choose(system);
            (choice.mode, choice.reason.to_string())
        }
    }
}

/// Those of the configuration. The roots are read only where a server needs them.
fn named_servers(servers: &[Server], tls: &Tls) -> Result<Vec<dns::Server>, ResolverPlanError> {
    let mut client = None;
    let mut named = Vec::with_capacity(servers.len());
    for server in servers {
        named.push(match server {
            Server::Plain(address) => dns::Server::Plain(*address),
            Server::Tls { name, address } => dns::Server::Tls(TlsServer {
                address: *address,
                name: name.clone(),
                client: match &client {
                    Some(client) => Arc::clone(client),
                    None => Arc::clone(client.insert(tls::name_server_client(tls)?)),
                },
            }),
        });
    }
    Ok(named)
}

/// Without a file or without servers in it, the resolver is the one on this machine (resolv.conf(5)).
fn system_servers(system: &resolv_conf::Config) -> Vec<dns::Server> {
    let named: Vec<dns::Server> = system
        .nameservers
        .iter()
        .map(|ip| SocketAddr::new(IpAddr::from(ip), 53).into())
        .collect();
    if named.is_empty() {
        vec![SocketAddr::from(([127, 0, 0, 1], 53)).into()]
    } else {
        named
    }
}

fn read_resolv_conf() -> Result<resolv_conf::Config, ResolverPlanError> {
    let text = match std::fs::read_to_string(RESOLV_CONF) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(ResolverPlanError::Unreadable(error)),
    };
    resolv_conf::Config::parse(text).map_err(ResolverPlanError::Malformed)
}

/// Those of a file; without one the root's own.
pub(super) fn trust_anchors(path: &Path) -> Result<TrustAnchors, ResolverPlanError> {
    if path.as_os_str().is_empty() {
        return Ok(TrustAnchors::root());
    }
    let text = std::fs::read_to_string(path).map_err(|cause| ResolverPlanError::AnchorUnreadable {
        path: path.to_owned(),
        cause,
    })?;
    TrustAnchors::parse(&text).map_err(|cause| ResolverPlanError::Anchor {
        path: path.to_owned(),
        cause,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::schema::Dns;

    #[test]
    fn auto_believes_nobody_whom_the_system_does_not_vouch_for() {
        let system = |text: &str| resolv_conf::Config::parse(text).unwrap();
        let vouched = system("nameserver 127.0.0.1\noptions trust-ad\n");
        let unvouched = system("nameserver 127.0.0.1\n");
        assert_eq!(choose(DnsMode::Auto, Some(&vouched)).0, Mode::TrustAd);
        assert_eq!(choose(DnsMode::Auto, Some(&unvouched)).0, Mode::Validate);
        assert_eq!(choose(DnsMode::Auto, None).0, Mode::Validate);
        assert_eq!(choose(DnsMode::TrustAd, Some(&unvouched)).0, Mode::TrustAd);
        assert_eq!(choose(DnsMode::Validate, Some(&vouched)).0, Mode::Validate);
    }

    fn with(dns: Dns) -> Config {
        Config {
            dns,
            ..Config::default()
        }
    }

    #[test]
    fn named_servers_are_asked_in_their_order_and_each_in_its_way() {
        let servers = ["192.0.2.2:5353", "2001:db8::1", "tls://dns.example@192.0.2.3"];
        let settings = with(Dns {
            servers: servers.map(|text| text.parse().unwrap()).to_vec(),
            ..Dns::default()
        });
        let plan = plan(&settings, &[]).unwrap();
        let asked: Vec<String> = plan.config.servers.iter().map(ToString::to_string).collect();
        let expected = [
            "192.0.2.2:5353",
            "[2001:db8::1]:53",
            "tls://dns.example@192.0.2.3:853",
        ];
        assert_eq!(asked, expected);
        assert_eq!(plan.config.mode, Mode::Validate);
        assert!(plan.probe.is_none());
    }

    #[test]
    fn a_server_elsewhere_is_believed_over_tls_only() {
        let settings = |server: &str| {
            with(Dns {
                mode: DnsMode::TrustAd,
                servers: vec![server.parse().unwrap()],
                ..Dns::default()
            })
        };
        let resolver = |server| dns::Resolver::new(plan(&settings(server), &[]).unwrap().config);
        assert!(resolver("tls://dns.example@192.0.2.3").is_ok());
        assert!(resolver("192.0.2.3").is_err());
    }

    #[test]
    fn without_roots_no_server_over_tls_can_be_verified() {
        let mut settings = with(Dns {
            servers: vec!["tls://dns.example@192.0.2.3".parse().unwrap()],
            ..Dns::default()
        });
        settings.tls.webpki_roots = "/nonexistent/roots.pem".into();
        assert!(matches!(plan(&settings, &[]), Err(ResolverPlanError::Tls(_))));
    }

    #[test]
    fn the_administrator_is_believed_at_once_and_the_system_after_a_test() {
        let settings = |mode| {
            with(Dns {
                mode,
                servers: vec!["127.0.0.1".parse().unwrap()],
                ..Dns::default()
            })
        };
        let told = plan(&settings(DnsMode::TrustAd), &[]).unwrap();
        assert_eq!(told.config.mode, Mode::TrustAd);
        assert!(told.probe.is_none());
        let (begin, probe) = on_probation(told.config);
        assert_eq!(begin.mode, Mode::Validate);
        assert_eq!(probe.unwrap().mode, Mode::TrustAd);
    }

    #[test]
    fn a_file_that_holds_no_anchor_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("root.key");
        assert!(matches!(
            trust_anchors(&path),
            Err(ResolverPlanError::AnchorUnreadable { .. })
        ));
        std::fs::write(&path, "; nothing\n").unwrap();
        assert!(matches!(
            trust_anchors(&path),
            Err(ResolverPlanError::Anchor { .. })
        ));
    }
}
