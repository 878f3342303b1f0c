//! The certificates that a live server shows, without believing it.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use delivery::probe::{Look, Prober};
use dns::host::{AddressFamily, Addresses, TlsaQuestion};
use mail::Domain;
use mail::cause::Cause;
use policy::settings::RouteTls;
use serde::Serialize;

use super::issuers::Given;
use crate::commands::look_up::{DnsOptions, block_on, resolver};
use crate::commands::{output, readable};
use crate::config;
use crate::explain::{CertificateReport, certificates, impatient};
use crate::failure::Failure;
use crate::wiring::{self, WiringError, settings};

/// The most addresses that are connected to.
const ADDRESSES: usize = 16;

/// What one address showed.
#[derive(Debug, Serialize)]
pub(super) struct Seen {
    pub(super) address: IpAddr,
    /// Version and cipher suite.
    pub(super) tls: Option<String>,
    /// The server's own certificate first.
    pub(super) certificates: Vec<CertificateReport>,
    /// Why nothing was shown.
    pub(super) reason: Option<String>,
    /// Whether another try may end otherwise.
    #[serde(skip)]
    is_outage: bool,
    #[serde(skip)]
    pub(super) chain: Vec<Given>,
}

/// What there was to see.
pub(super) struct View {
    pub(super) seen: Vec<Seen>,
    /// Why there are no addresses.
    pub(super) reason: Option<String>,
    /// The look-up of the addresses failed.
    is_outage: bool,
}

impl View {
    /// Whether another try may show more.
    pub(super) fn is_partial(&self) -> bool {
        self.is_outage || self.seen.iter().any(|seen| seen.is_outage)
    }

    /// Says on standard error what was seen, and what was not.
    pub(super) fn tell(&self, host: &Domain) {
        if let Some(reason) = &self.reason {
            output::notice(&format!("{host}: {reason}"));
        }
        for seen in &self.seen {
            let words = match (&seen.reason, seen.certificates.first()) {
                (Some(reason), _) => format!("no certificate: {reason}"),
                (None, Some(own)) => format!(
                    "{} certificates over {}, the server's own for {}; nothing of it was verified, so compare them with your files",
                    seen.certificates.len(),
                    seen.tls.as_deref().unwrap_or("TLS"),
                    own.names.first().unwrap_or(&own.subject),
                ),
                (None, None) => "no certificate".to_owned(),
            };
            output::notice(&format!("{host} [{}]: {words}", seen.address));
        }
    }
}

/// Connects to every address of a host, one after the other, with at most 30 seconds for each step.
pub(super) fn look(
    host: &Domain,
    port: NonZeroU16,
    dns: &DnsOptions,
    named: Option<&Path>,
) -> Result<View, Failure> {
    let mut loaded = config::load(named)?;
    dns.apply(&mut loaded.config.dns);
    let config = &loaded.config;
    let policy = readable::policy(&loaded)?.policy;
    let resolver = resolver(config, &policy)?;
    let hostname = settings::hostname(config)?;
    let delivery = impatient(&settings::delivery(config, &hostname, Vec::new()));
    let tls = wiring::tls::client(&config.tls).map_err(WiringError::from)?;
    let prober = Prober::new(&delivery, &tls).map_err(WiringError::Ehlo)?;
    block_on(async {
        let family = AddressFamily::Any;
        let found = dns::host::discover(&resolver, host, port.get(), TlsaQuestion::DoNotAsk, family).await;
        let addresses = match found.addresses {
            Addresses::Found { addresses, .. } => addresses,
            Addresses::Absent(_) | Addresses::OtherFamily(_) => {
                return nowhere("it has no addresses".to_owned(), false);
            }
            Addresses::Unresolvable(failure) => {
                return nowhere(format!("the look-up of its addresses failed: {failure}"), true);
            }
        };
        let begin = RouteTls::at_port(port.get());
        let mut seen = Vec::new();
        for address in addresses.into_iter().take(ADDRESSES) {
            let socket = SocketAddr::new(address, port.get());
            seen.push(Seen::new(host, address, prober.look(host, socket, begin).await));
        }
        View {
            seen,
            reason: None,
            is_outage: false,
        }
    })
}

fn nowhere(reason: String, is_outage: bool) -> View {
    View {
        seen: Vec::new(),
        reason: Some(reason),
        is_outage,
    }
}

impl Seen {
    fn new(host: &Domain, address: IpAddr, look: Look) -> Self {
        let origin = PathBuf::from(format!("{host} [{address}]"));
        let failure = look.failure.as_ref();
        Self {
            address,
            tls: look.session,
            certificates: certificates(&look.chain),
            reason: failure.map(|failure| failure.reason.to_string()),
            is_outage: failure.is_some_and(|failure| match failure.cause {
                Cause::Connection(_) | Cause::Ours(_) | Cause::Smtp(_) => true,
                Cause::Dns(..)
                | Cause::Destination(_)
                | Cause::Policy(_)
                | Cause::Tls(_)
                | Cause::Login(_) => false,
            }),
            chain: Given::numbered(&origin, look.chain),
        }
    }
}
