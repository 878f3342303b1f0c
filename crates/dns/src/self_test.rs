//! Does the resolver do what everything here rests on? Asked at start, every few minutes, and after failures.
//!
//! A resolver that does not validate, or an upstream that strips signatures, must raise an alarm that says exactly that: it
//! defers mail (RFC 7672 §2.1.1), and must never be mended by switching DANE off.

use mail::{Domain, LookupFailure, Security};
use thiserror::Error;

use crate::Resolver;
use crate::belief::Belief;

/// The names to test with, besides the root. One that is found as it should be is enough of each kind: another may have been
/// changed by its owner, or its servers may be down, and the resolver has shown what it can.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// Names in signed zones: whatever is found at them must be secure.
    pub secure: Vec<Domain>,
    /// Names that are broken on purpose: they must not be answered.
    pub bogus: Vec<Domain>,
}

impl Names {
    /// Names that their owners keep up for such tests in the public DNS; of no use below a private trust anchor.
    pub fn well_known() -> Self {
        let parse = |names: &[&str]| names.iter().filter_map(|name| Domain::parse(name).ok()).collect();
        Self {
            secure: parse(&["isc.org", "sidn.nl"]),
            bogus: parse(&["dnssec-failed.org", "rhybar.cz"]),
        }
    }
}

/// What is wrong, in the words of the alarm.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// Nobody answers.
    #[error("no DNS server answers ({0})")]
    Unreachable(LookupFailure),
    /// Nobody answers, and this server's certificate or handshake is why.
    #[error("no secure channel to the DNS server {0}")]
    NoChannel(String),
    /// The servers answer, and leave out the signatures that were asked for.
    #[error(
        "the DNS servers leave out DNSSEC signatures: nothing can be validated behind them; use other servers"
    )]
    NoSignatures,
    /// The root is not secure for the resolver that is to be believed.
    #[error("the resolver does not validate: it answers for the signed root without the AD bit")]
    NotValidating,
    /// The root's signatures are there and do not lead to the trust anchor.
    #[error(
        "the root does not validate up to the trust anchor ({0}): wrong anchor, wrong clock, or somebody in between"
    )]
    Root(LookupFailure),
    /// A name that should be secure is answered otherwise.
    #[error("{0} should be secure and is insecure")]
    Insecure(Domain),
    /// A name that should be secure is not answered.
    #[error("{name} should be secure and cannot be looked up ({cause})")]
    Failed {
        /// The name tested.
        name: Domain,
        /// How its look-up ended.
        cause: LookupFailure,
    },
    /// A name that must be refused is answered.
    #[error("{0} is broken on purpose, and yet was answered: validation is not at work")]
    BogusAnswered(Domain),
}

impl Fault {
    /// Whether answers come that validation would have refused or marked. If it is another that validates, nothing that it says
    /// can be used; if it is we, its consequences are in the status of each answer already.
    fn refutes(&self) -> bool {
        match self {
            Self::NotValidating | Self::Insecure(_) | Self::BogusAnswered(_) => true,
            Self::Unreachable(_)
            | Self::NoChannel(_)
            | Self::NoSignatures
            | Self::Root(_)
            | Self::Failed { .. } => false,
        }
    }
}

/// Tests the resolver, past its cache, and tells it what its AD bit is worth; the first fault found.
pub async fn run(resolver: &Resolver, names: &Names) -> Result<(), Fault> {
    let _testing = resolver.testing();
    let result = test(resolver, names).await;
    match &result {
        Ok(()) => resolver.judge(Belief::Shown),
        Err(fault) if fault.refutes() => resolver.judge(Belief::Refuted),
        // Silence says nothing about validation: what was known of it stays so.
        Err(_) => {}
    }
    result
}

async fn test(resolver: &Resolver, names: &Names) -> Result<(), Fault> {
    match resolver.root().await {
        Ok(Some(Security::Secure) | None) => {}
        Ok(Some(Security::Insecure)) => return Err(Fault::NotValidating),
        Err(failure) => return Err(diagnose(resolver, failure.cause).await),
    }
    secure(resolver, &names.secure).await?;
    bogus(resolver, &names.bogus).await
}

/// One secure name is enough. Where there is none, an insecure one says more than one without an answer.
async fn secure(resolver: &Resolver, names: &[Domain]) -> Result<(), Fault> {
    let mut fault = Ok(());
    for name in names {
        match resolver.fresh_soa(name).await {
            Ok(answer) if answer.security == Security::Secure => return Ok(()),
            Ok(_) => fault = Err(Fault::Insecure(name.clone())),
            Err(failure) if fault.is_ok() => {
                fault = Err(Fault::Failed {
                    name: name.clone(),
                    cause: failure.cause,
                });
            }
            Err(_) => {}
        }
    }
    fault
}

/// One name refused is enough.
async fn bogus(resolver: &Resolver, names: &[Domain]) -> Result<(), Fault> {
    for name in names {
        if resolver.fresh_soa(name).await.is_err() {
            return Ok(());
        }
    }
    match names.first() {
        Some(name) => Err(Fault::BogusAnswered(name.clone())),
        None => Ok(()),
    }
}

/// Why the root itself could not be looked up.
async fn diagnose(resolver: &Resolver, cause: LookupFailure) -> Fault {
    match resolver.signatures_arrive().await {
        Ok(true) => Fault::Root(cause),
        Ok(false) => Fault::NoSignatures,
        Err(unanswered) => match resolver.obstacle() {
            Some(obstacle) => Fault::NoChannel(obstacle),
            None => Fault::Unreachable(unanswered),
        },
    }
}
