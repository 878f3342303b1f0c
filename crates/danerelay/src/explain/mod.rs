//! What this relay would do for a destination, and why: looked up, decided and tried by the code that delivers.
//!
//! The daemon answers for itself through its [admin socket](crate::admin); a command without a daemon does the same with a
//! resolver of its own. In order:
//!
//! 1. [`resolver`]: our own side is tested. Where that fails, nobody else is blamed, and nothing is proposed.
//! 2. [`delivery::route::find`] looks everything up and decides, as it does for a message.
//! 3. With `connect`, [`delivery::probe`] opens a session with each host and leaves it again.
//! 4. [`report`] tells what was found: each look-up ([`findings`]), each host ([`hosts`]), what its servers showed
//!    ([`presented`]), and what can be written into the policy until it is mended ([`remedy`]).

mod findings;
mod hosts;
mod investigation;
mod presented;
mod remedy;
mod report;
mod resolver;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use delivery::probe::Prober;
use delivery::route;
use delivery::{DeliveryConfig, TlsClient};
use dns::Resolver;
use dns::self_test::Names;
use jiff::Zoned;
use mail::{AddressError, DomainPart, Mailbox, NextHop};
use policy::Policy;
use serde::{Deserialize, Serialize};

pub(crate) use findings::{Step, StepType};
pub(crate) use hosts::{ConnectionReport, HostReport};
pub(crate) use presented::{CertificateReport, PublishedRecord};
pub(crate) use report::{Report, Would};
pub(crate) use resolver::Whose;

use investigation::{Investigation, target};

/// The longest that is waited for one step of a session.
const STAGE: Duration = Duration::from_secs(30);

/// What somebody wants to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Inquiry {
    /// The destination, before the policy's routes.
    pub(crate) destination: Destination,
    /// Whether to open a session with each host.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) connect: bool,
}

/// A destination as people write it: a recipient's address, a domain, or an address literal in brackets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Destination(pub(crate) NextHop);

/// Why a text is no destination.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DestinationError {
    /// It is neither an address nor a domain.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// An IP address without its brackets; with them it is this.
    #[error("an address stands in brackets, {0}, or it would be looked up as a name")]
    Bare(NextHop),
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        if let Ok(address) = text.rsplit('@').next().unwrap_or(text).parse() {
            return Err(DestinationError::Bare(NextHop::Address { address, port: None }));
        }
        if text.contains('@') {
            return Ok(Self(NextHop::of(&Mailbox::parse(text)?)));
        }
        Ok(Self(match DomainPart::parse(text)? {
            DomainPart::Name(domain) => NextHop::Domain { domain, port: None },
            DomainPart::Literal(address) => NextHop::Address { address, port: None },
        }))
    }
}

impl TryFrom<String> for Destination {
    type Error = DestinationError;

    fn try_from(text: String) -> Result<Self, DestinationError> {
        text.parse()
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> Self {
        destination.0.to_string()
    }
}

/// What an explanation is made with.
pub(crate) struct Explainer {
    pub(crate) resolver: Resolver,
    /// The names by which the resolver is tested.
    pub(crate) names: Names,
    pub(crate) policy: Arc<ArcSwap<Policy>>,
    pub(crate) delivery: DeliveryConfig,
    /// Needed for connecting alone.
    pub(crate) tls: Option<TlsClient>,
}

impl Explainer {
    /// Looks, decides and tells. Fails if our own name cannot be said in EHLO.
    pub(crate) async fn explain(&self, inquiry: &Inquiry, whose: Whose) -> Result<Report, AddressError> {
        let resolver = resolver::examine(&self.resolver, &self.names, whose).await;
        let (policy, today) = (self.policy.load_full(), Zoned::now().date());
        let destination = &inquiry.destination.0;
        let route = route::find(destination, &policy, &self.resolver, &self.delivery, today).await;
        let probes = match (&self.tls, inquiry.connect) {
            (Some(tls), true) => {
                let prober = Prober::new(&impatient(&self.delivery), tls)?;
                Some(prober.probe(&route).await)
            }
            (None, _) | (Some(_), false) => None,
        };
        let mx = findings::mx(target(destination, &route), &self.resolver).await;
        Ok(Report::new(&Investigation {
            destination,
            policy: &policy,
            today,
            route: &route,
            mx,
            probes,
            resolver,
        }))
    }
}

/// Whoever asks for an explanation does not wait as long as mail does.
fn impatient(config: &DeliveryConfig) -> DeliveryConfig {
    let mut config = config.clone();
    let stages = &mut config.timeouts;
    for stage in [
        &mut stages.connect,
        &mut stages.banner,
        &mut stages.ehlo,
        &mut stages.starttls,
        &mut stages.quit,
    ] {
        *stage = (*stage).min(STAGE);
    }
    config
}
