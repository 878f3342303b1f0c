//! Which servers to ask, which to trust, and why.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dns::resolv_conf::ResolvConf;
use dns::self_test::Names;
use dns::{AnchorError, Mode, ResolverConfig, TlsServer, TrustAnchors};
use mail::Domain;

use super::descriptors::Descriptors;
use super::resolv_conf::{self, System};
use super::tls::{self, TlsError};
use crate::access::{self, Use};
use crate::config::schema::{Config, Dns, DnsMode, Tls};
use crate::config::units::Server;

/// The resolver's settings, and why the mode was chosen.
pub(crate) struct Plan {
    /// The resolver's initial settings.
    pub(crate) config: ResolverConfig,
    /// Why this mode.
    pub(crate) choice: Choice,
    /// Where the servers come from, if the configuration names none.
    pub(crate) system: Option<System>,
}

impl Plan {
    /// Who validates, as far as it is known before the first self-test.
    pub(crate) fn mode_word(&self) -> &'static str {
        if self.choice.is_vouched_for {
            "auto"
        } else {
            mode_word(self.config.mode)
        }
    }
}

/// Who validates, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    /// The initial mode.
    pub(crate) mode: Mode,
    /// The reason, for the log.
    pub(crate) reason: String,
    /// Whether the system vouches for its servers and `auto` permits that: they are trusted as long as they show that
    /// they validate, otherwise `mode` applies.
    pub(crate) is_vouched_for: bool,
}

/// Why the settings cannot be determined: the administrator has to fix it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolverPlanError {
    /// The trust anchors cannot be read.
    #[error("`dns.trust_anchor`: {}: {}", path.display(), access::explain(path, Use::Read, cause))]
    AnchorUnreadable {
        /// Their file.
        path: PathBuf,
        /// The system's error.
        cause: io::Error,
    },
    /// The trust anchors are invalid.
    #[error("`dns.trust_anchor`: {}: {cause}", path.display())]
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

/// Determines the settings from the configuration and the system's resolv.conf; `insecure` are the current negative
/// trust anchors.
pub(crate) fn plan(config: &Config, insecure: &[Domain]) -> Result<Plan, ResolverPlanError> {
    let settings = &config.dns;
    let system = settings
        .servers
        .is_empty()
        .then(|| System::read(Path::new(resolv_conf::PATH)));
    let choice = choose(settings.mode, system.as_ref().map(System::conf));
    let servers = match &system {
        Some(system) => system.servers(),
        None => named_servers(&settings.servers, &config.tls)?,
    };
    let config = ResolverConfig {
        mode: choice.mode,
        servers,
        trust_anchors: trust_anchors(&settings.trust_anchor)?,
        domain_insecure: insecure.to_vec(),
        timeout: settings.timeout.0,
        cache_entries: usize::try_from(settings.cache_entries).unwrap_or(usize::MAX),
        sockets: Descriptors::of_this_process().for_dns(),
    };
    Ok(Plan {
        config,
        choice,
        system,
    })
}

/// The mode and the reason for it. Only resolv.conf can vouch for servers by itself, and only for those that it names.
pub(crate) fn choose(configured: DnsMode, system: Option<&ResolvConf>) -> Choice {
    let because = |mode, reason: &str| Choice {
        mode,
        reason: reason.to_owned(),
        is_vouched_for: false,
    };
    match (configured, system) {
        (DnsMode::TrustAd, _) => because(Mode::TrustAd, "configured"),
        (DnsMode::Validate, _) => because(Mode::Validate, "configured"),
        (DnsMode::Auto, None) => because(
            Mode::Validate,
            "dns.servers names servers, and nothing says that they validate",
        ),
        (DnsMode::Auto, Some(system)) => {
            let choice = Mode::choose(system);
            Choice {
                mode: Mode::Validate,
                reason: choice.reason.to_string(),
                is_vouched_for: choice.mode == Mode::TrustAd,
            }
        }
    }
}

/// The configured servers. The WebPKI roots are read only if a server needs them.
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

/// The trust anchors of a file; without one, those of the root.
pub(crate) fn trust_anchors(path: &Path) -> Result<TrustAnchors, ResolverPlanError> {
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

/// The configured names. If there are none: names maintained for such tests, provided that the root is the public one.
pub(crate) fn names(settings: &Dns) -> Names {
    let configured = &settings.self_test;
    let is_none = configured.secure.is_empty() && configured.bogus.is_empty();
    if is_none && settings.trust_anchor.as_os_str().is_empty() {
        return Names::well_known();
    }
    Names {
        secure: configured.secure.clone(),
        bogus: configured.bogus.clone(),
    }
}

/// The word for the mode in the configuration.
pub(crate) fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Validate => "validate",
        Mode::TrustAd => "trust-ad",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn auto_believes_nobody_whom_the_system_does_not_vouch_for() {
        let system = |text: &str| ResolvConf::parse(text.as_bytes());
        let vouched = system("nameserver 127.0.0.1\noptions trust-ad\n");
        let unvouched = system("nameserver 127.0.0.1\n");
        let chosen = |mode, system| {
            let choice = choose(mode, system);
            (choice.mode, choice.is_vouched_for)
        };
        // The administrator is trusted at once, the system only after its servers have shown that they validate.
        assert_eq!(chosen(DnsMode::Auto, Some(&vouched)), (Mode::Validate, true));
        assert_eq!(chosen(DnsMode::Auto, Some(&unvouched)), (Mode::Validate, false));
        assert_eq!(chosen(DnsMode::Auto, None), (Mode::Validate, false));
        assert_eq!(chosen(DnsMode::TrustAd, Some(&unvouched)), (Mode::TrustAd, false));
        assert_eq!(chosen(DnsMode::Validate, Some(&vouched)), (Mode::Validate, false));
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
        assert!(plan.system.is_none());
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

    #[test]
    fn the_public_names_belong_to_the_public_root() {
        let mut settings = Dns::default();
        assert_eq!(names(&settings), Names::well_known());
        settings.trust_anchor = "/etc/private.ds".into();
        assert_eq!(names(&settings), Names::default());
        settings.self_test.secure = vec![mail::Domain::parse("secure.example").unwrap()];
        assert_eq!(names(&settings).secure, settings.self_test.secure);
        settings.trust_anchor = "".into();
        assert_eq!(names(&settings).bogus, []);
    }
}
