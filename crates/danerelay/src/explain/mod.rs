//! What this relay would do for a destination, and why: the code that delivers mail does the look-ups, decides and
//! connects.
//!
//! The daemon explains its own behaviour through its [admin socket](crate::admin); without a daemon, a command does the
//! same with its own resolver. In order:
//!
//! 1. [`resolver`]: our own resolver is tested. If that fails, nobody else is blamed, and no exception is proposed.
//! 2. [`delivery::route::find`] makes all look-ups and decides, as it does for a message.
//! 3. With `connect`, [`delivery::probe`] opens a session with each host and closes it again.
//!    [`outcome`] concludes from that whether mail would pass; where every host is out of reach, the same is done for the
//!    [`fallback`].
//! 4. [`modes`]: what each mode would do now.
//! 5. [`report`] says what was found: where the policy says so ([`places`]), each look-up ([`findings`]), each host ([`hosts`]), what its servers presented
//!    ([`presented`]), and what can be written into the policy until the destination is fixed ([`remedy`]).

mod fallback;
mod findings;
mod hosts;
mod investigation;
mod modes;
mod outcome;
mod places;
mod presented;
mod remedy;
mod report;
mod resolver;
mod sts;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use delivery::probe::Prober;
use delivery::route::{self, Means, Sought};
use delivery::{DeliveryConfig, TlsClient};
use dns::Resolver;
use dns::self_test::Names;
use jiff::Zoned;
use mail::{AddressError, DomainPart, Mailbox, NextHop};
use mta_sts::Policies;
use policy::Policy;
use serde::{Deserialize, Serialize};

pub(crate) use fallback::FallbackReport;
pub(crate) use findings::{Step, StepType, host_steps, mx_words};
pub(crate) use hosts::{AddressStatus, ConnectionReport, HostReport, TlsaStatus, address_status};
pub(crate) use modes::{ModeReport, Would};
pub(crate) use places::Places;
pub(crate) use presented::{CertificateReport, PublishedRecord, certificates, published};
pub(crate) use report::{PolicyReport, Report, Written};
pub(crate) use resolver::Whose;
pub(crate) use sts::StsReport;

use investigation::{Investigation, target};
use modes::Supposing;
use outcome::Tried;

/// The time limit for one step of a session.
const STAGE: Duration = Duration::from_secs(30);

/// What somebody wants to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Inquiry {
    /// The destination, before the policy's routes are applied.
    pub(crate) destination: Destination,
    /// Whether to open a session with each host.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) connect: bool,
    /// Whether to show the dialogue with each.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) trace: bool,
}

/// A destination as people write it: a recipient's address, a domain, or an address literal in brackets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Destination(DomainPart);

/// Why a text is not a destination.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DestinationError {
    /// It is neither an address nor a domain.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// An IP address without brackets; with them it would be this literal.
    #[error("an address stands in brackets, {0}, or it would be looked up as a name")]
    Bare(DomainPart),
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        if let Ok(address) = text.rsplit('@').next().unwrap_or(text).parse() {
            return Err(DestinationError::Bare(DomainPart::Literal(address)));
        }
        if text.contains('@') {
            return Ok(Self(Mailbox::parse(text)?.domain().clone()));
        }
        // As a route is written: without the tag that IPv6 addresses have in mail (RFC 5321 §4.1.3).
        let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let untagged = inner.and_then(|inner| inner.parse().ok());
        Ok(Self(match untagged {
            Some(address) => DomainPart::Literal(address),
            None => DomainPart::parse(text)?,
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

/// What is needed to explain.
#[derive(Clone)]
pub(crate) struct Explainer {
    pub(crate) resolver: Resolver,
    /// The names used to test the resolver.
    pub(crate) names: Names,
    /// The MTA-STS policies of others; `None` if nothing is made of them.
    pub(crate) mta_sts: Option<Policies>,
    pub(crate) policy: Arc<ArcSwap<Policy>>,
    pub(crate) delivery: DeliveryConfig,
    /// Needed only for connecting.
    pub(crate) tls: Option<TlsClient>,
}

impl Explainer {
    /// Makes the look-ups, decides and reports. Fails if our own name cannot be used in EHLO.
    pub(crate) async fn explain(&self, inquiry: &Inquiry, whose: Whose) -> Result<Report, AddressError> {
        let resolver = resolver::examine(&self.resolver, &self.names, whose).await;
        let (policy, today) = (self.policy.load_full(), Zoned::now().date());
        let destination = &NextHop::from(inquiry.destination.0.clone());
        let means = Means {
            policy: &policy,
            resolver: &self.resolver,
            mta_sts: self.mta_sts.as_ref(),
            config: &self.delivery,
            today,
        };
        let route = route::find(Sought::usual(destination), means).await;
        let connecting = self.prober(inquiry)?;
        let probes = match &connecting {
            Some(prober) => Some(prober.probe(&route).await),
            None => None,
        };
        let asked = Supposing {
            destination,
            means,
            prober: connecting.as_ref(),
        };
        let tried = Tried {
            route: &route,
            probes: probes.as_deref(),
        };
        let fallback = fallback::ask(destination, means, asked.prober, &tried).await;
        let modes = modes::each(&asked, &tried, fallback.as_ref()).await;
        let mx = findings::mx(target(destination, &route), &self.resolver).await;
        Ok(Report::new(&Investigation {
            destination,
            policy: &policy,
            today,
            route: &route,
            mx,
            probes,
            fallback,
            modes,
            resolver,
        }))
    }

    /// Who connects, if that is wanted.
    fn prober(&self, inquiry: &Inquiry) -> Result<Option<Prober>, AddressError> {
        let tls = self.tls.as_ref().filter(|_| inquiry.connect);
        let prober = tls.map(|tls| Prober::new(&impatient(&self.delivery), tls));
        let prober = prober.transpose()?;
        Ok(prober.map(|prober| if inquiry.trace { prober.tracing() } else { prober }))
    }
}

/// Somebody who asks for an explanation does not wait as long as mail does.
pub(crate) fn impatient(config: &DeliveryConfig) -> DeliveryConfig {
    DeliveryConfig {
        timeouts: config.timeouts.clone().at_most(STAGE),
        ..config.clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The running relay is asked in the same words.
    #[test]
    fn a_destination_is_read_as_it_is_written() {
        for (text, written) in [
            ("a@example.nl", "example.nl"),
            ("example.nl", "example.nl"),
            ("[192.0.2.1]", "[192.0.2.1]"),
            ("a@[192.0.2.1]", "[192.0.2.1]"),
            ("[2001:db8::1]", "[IPv6:2001:db8::1]"),
            ("[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"),
            ("a@[IPv6:::1]", "[IPv6:::1]"),
        ] {
            let destination: Destination = text.parse().unwrap();
            let json = serde_json::to_string(&destination).unwrap();
            assert_eq!(json, format!("\"{written}\""));
            assert_eq!(serde_json::from_str::<Destination>(&json).unwrap(), destination);
        }
        let bare = "2001:db8::1".parse::<Destination>().unwrap_err();
        assert!(bare.to_string().contains("[IPv6:2001:db8::1]"), "{bare}");
    }
}
