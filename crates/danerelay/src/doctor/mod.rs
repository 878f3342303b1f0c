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
//! [`patient`] is what is examined; [`finding`] has the levels, and which exit status follows from them.

mod clock;
mod configuration;
mod families;
mod finding;
mod limits;
mod names;
mod outward;
mod patient;
mod permissions;
mod resolver;
mod spool;

use delivery::probe::Prober;

use crate::wiring::WiringError;

pub(crate) use finding::{Finding, Level, Subject, verdict};
pub(crate) use outward::USUAL as USUAL_PROBE;
pub(crate) use patient::Patient;

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
    findings.extend(spool::ledger(patient.loaded).await);
    findings.push(limits::examine(patient.loaded));
    Ok(findings)
}
