//! From the settings to an examiner.

use std::time::Duration;

use delivery::DeliveryConfig;
use delivery::probe::Prober;
use dns::Resolver;
use dns::host::AddressFamily;
use mail::DomainPart;
use policy::settings::RouteTls;
use tokio::sync::Semaphore;

use super::contacts::Contacts;
use super::examiner::{AROUND, Examiner};
use super::observation::Depth;
use super::offers::Offers;
use super::once::Once;
use crate::config::Config;
use crate::config::schema::Tls;
use crate::explain::impatient;
use crate::wiring::{WiringError, mta_sts, settings, tls};

/// The port of name servers.
const DNS_PORT: u16 = 53;

/// How many name servers are asked directly at once, and how many further handshakes are under way: each takes a socket.
const DIRECT: usize = 32;
const HANDSHAKES: usize = 32;

/// Whether hosts are connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connecting {
    Yes,
    /// DNS alone.
    No,
}

/// What a check wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) connecting: Connecting,
    pub(crate) depth: Depth,
    /// Warn of what expires within so many days.
    pub(crate) days: u16,
    /// Instead of the configured one.
    pub(crate) port: Option<u16>,
    /// The most that one step of a session may take.
    pub(crate) timeout: Duration,
    /// The most that one domain may take.
    pub(crate) limit: Duration,
}

impl Examiner {
    /// An examiner with these settings, whatever the administrator's policy: it is the receiving side that is judged.
    pub(crate) fn new(config: &Config, resolver: Resolver, setup: Setup) -> Result<Self, WiringError> {
        let hostname = settings::hostname(config)?;
        let delivery = of_receivers(&settings::delivery(config, &hostname, Vec::new()), &setup);
        let policies = mta_sts::live(config, &resolver).map_err(WiringError::from)?;
        let contacts = match setup.connecting {
            Connecting::No => None,
            Connecting::Yes => Some(contacts(config, &delivery, setup.depth)?),
        };
        Ok(Self {
            resolver,
            delivery,
            policies,
            contacts,
            depth: setup.depth,
            days: setup.days,
            limit: setup.limit,
            name_server_port: DNS_PORT,
            direct: Semaphore::new(DIRECT),
            bases: Once::new(AROUND),
        })
    }
}

fn contacts(config: &Config, delivery: &DeliveryConfig, depth: Depth) -> Result<Contacts, WiringError> {
    // Versions and groups are the usual ones, whatever this relay is limited to.
    let settings = Tls {
        webpki_roots: config.tls.webpki_roots.clone(),
        ..Tls::default()
    };
    let prober = Prober::new(delivery, &tls::client(&settings).map_err(WiringError::from)?)
        .map_err(WiringError::Ehlo)?;
    let (configs, webpki) = tls::parts(&settings).map_err(WiringError::from)?;
    let stages = &delivery.timeouts;
    let offers = match depth {
        Depth::Verdict => None,
        Depth::Everything => Some(Offers {
            configs,
            hostname: DomainPart::parse(&delivery.hostname).map_err(WiringError::Ehlo)?,
            tls: RouteTls::at_port(delivery.port),
            patience: stages.connect + stages.banner + stages.ehlo + stages.starttls,
            places: Semaphore::new(HANDSHAKES),
        }),
    };
    Ok(Contacts::new(prober, webpki, offers))
}

/// Deliveries as anybody else makes them: both families, and no host is this relay itself.
fn of_receivers(delivery: &DeliveryConfig, setup: &Setup) -> DeliveryConfig {
    let mut delivery = impatient(delivery);
    delivery.address_family = AddressFamily::Any;
    delivery.own_names = Vec::new();
    delivery.own_addresses = Vec::new();
    delivery.listen = Vec::new();
    if let Some(port) = setup.port {
        delivery.port = port;
    }
    delivery.timeouts = delivery.timeouts.at_most(setup.timeout);
    delivery
}
