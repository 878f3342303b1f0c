//! What is wrong with this machine, as far as mail is concerned, and what to do about it.
//!
//! Each room looks at one thing and gives [`Finding`]s; none changes anything, but for a file in the spool's directory that is
//! removed again. In this order, because the later ones need the former:
//!
//! 1. [`configuration`]: what the files say that does not fit the machine; [`permissions`]: who may read and write them.
//! 2. [`resolver`]: whether it validates. Without that, nothing that needs DNS is blamed on anybody.
//! 3. [`families`]: which of IPv4 and IPv6 leads outward, and from which address.
//! 4. [`outward`]: whether port 25 of another machine answers, with STARTTLS.
//! 5. [`names`]: whether the name in EHLO, the addresses and their reverse names agree.
//! 6. [`clock`], [`spool`], [`limits`].
//!
//! [`finding`] has the levels, and which exit status follows from them.

mod clock;
mod configuration;
mod families;
mod finding;
mod limits;
mod names;
mod outward;
mod permissions;
mod resolver;
mod spool;

use delivery::probe::Prober;
use delivery::{DeliveryConfig, TlsClient};
use dns::Resolver;
use mail::{Domain, NextHop};
use policy::Policy;

use crate::config::Loaded;
use crate::wiring::WiringError;
use crate::wiring::resolver::Choice;

pub(crate) use finding::{Finding, Level, Subject, verdict};
pub(crate) use outward::USUAL as USUAL_PROBE;

/// What is examined, and the means to do it.
pub(crate) struct Patient<'a> {
    pub(crate) loaded: &'a Loaded,
    pub(crate) policy: &'a Policy,
    pub(crate) hostname: &'a Domain,
    pub(crate) delivery: &'a DeliveryConfig,
    pub(crate) resolver: &'a Resolver,
    pub(crate) choice: &'a Choice,
    pub(crate) tls: &'a TlsClient,
    /// Whose port 25 is tried; `None`: nobody's.
    pub(crate) probe: Option<NextHop>,
}

/// Looks at everything.
pub(crate) async fn examine(patient: &Patient<'_>) -> Result<Vec<Finding>, WiringError> {
    let mut findings = configuration::examine(patient);
    findings.extend(permissions::examine(patient.loaded));
    let (found, works) = resolver::examine(patient).await;
    findings.push(found);
    let sources = families::Sources::of(&patient.loaded.config);
    findings.extend(sources.findings());
    let prober = Prober::new(patient.delivery, patient.tls).map_err(WiringError::Ehlo)?;
    let port = outward::examine(patient, &prober, works).await;
    findings.extend(port.findings);
    findings.extend(names::examine(patient, &sources, works).await);
    findings.push(clock::examine(patient, &port.seen, works).await);
    findings.extend(spool::examine(patient.loaded));
    findings.push(limits::examine(patient.loaded));
    Ok(findings)
}
