//! Checks that the resolver does what everything here depends on. Run at start, every few minutes, and after failures.
//!
//! If a resolver does not validate, or an upstream strips signatures, an alarm must say exactly that: mail is deferred (RFC
//! 7672 §2.1.1), and the remedy must never be to switch DANE off.

use futures_util::future::join_all;
use mail::{Domain, Security};

pub use crate::fault::Fault;

use crate::algorithm;
use crate::belief::Unproved;
use crate::hop::Finding;
use crate::trusting::Witness;
use crate::{Data, Mode, NoAnswer, Resolver};

/// The names to test with, besides the root. One name of each kind that behaves as it should is enough: another may have
/// been changed by its owner, or its servers may be down, and the resolver has shown what it can do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// Names in signed zones: all their records must be secure.
    pub secure: Vec<Domain>,
    /// Names that are broken on purpose: they must not be answered. A name proves nothing if it has ceased to exist, as a
    /// signed zone above it proves, or if its zone is signed only with algorithms that need not be supported (RFC 9905 §2).
    pub bogus: Vec<Domain>,
}

impl Names {
    /// Names that their owners maintain for such tests in the public DNS; of no use below a private trust anchor.
    pub fn well_known() -> Self {
        let parse = |names: &[&str]| names.iter().filter_map(|name| Domain::parse(name).ok()).collect();
        Self {
            secure: parse(&["isc.org", "sidn.nl"]),
            bogus: parse(&["dnssec-failed.org", "rhybar.cz"]),
        }
    }
}

/// Tests the resolver in its current mode, bypassing the cache; returns the first fault found.
pub async fn run(resolver: &Resolver, names: &Names) -> Result<(), Fault> {
    run_as(resolver, resolver.mode(), names).await
}

/// Tests whether the resolver could work in this mode, whatever its current mode is. For [`Mode::TrustAd`] each server is
/// tested, because each may be the next to answer a look-up; a server that does not answer now is no problem as long as
/// another does. The result is kept with the servers: one in which a fault was found is not believed.
pub async fn run_as(resolver: &Resolver, mode: Mode, names: &Names) -> Result<(), Fault> {
    let result = match mode {
        Mode::TrustAd => believing(resolver, names).await,
        Mode::Validate => validating(resolver, names).await,
    };
    // Failure in a mode other than the current one has no consequences.
    if result.is_ok() || resolver.mode() == mode {
        resolver.note_fault(result.as_ref().err());
    }
    result
}

async fn believing(resolver: &Resolver, names: &Names) -> Result<(), Fault> {
    let trusting = resolver.trusting();
    let witnesses = trusting.witnesses();
    let found = join_all(witnesses.iter().map(|witness| examine(witness, names))).await;
    resolver.forget_what_the_refuted_said();
    let (mut good, mut silent) = (false, Fault::NoServers);
    for (witness, result) in found {
        match result {
            Ok(()) => good = true,
            Err(fault) if fault.refutes() && witnesses.len() > 1 => {
                return Err(Fault::OfOne {
                    server: witness.name(),
                    fault: Box::new(fault),
                });
            }
            Err(fault) if fault.refutes() => return Err(fault),
            Err(fault) if silent == Fault::NoServers => silent = fault,
            Err(_) => {}
        }
    }
    if good { Ok(()) } else { Err(silent) }
}

/// Tests one server; the result depends on what it does.
async fn examine<'a>(witness: &'a Witness<'a>, names: &Names) -> (&'a Witness<'a>, Result<(), Fault>) {
    let result = question(witness, names).await;
    match &result {
        Ok(()) => witness.judge(None),
        // Its answer for the root is checked with each question.
        Err(Fault::NotValidating) => {}
        Err(fault) if fault.refutes() => witness.judge(Some(fault.clone())),
        // No answer says nothing about validation: what was known about it remains.
        Err(_) => {}
    }
    (witness, result)
}

async fn question(witness: &Witness<'_>, names: &Names) -> Result<(), Fault> {
    match witness.validates().await {
        Ok(()) => {}
        Err(Unproved::DoesNotValidate) => return Err(Fault::NotValidating),
        Err(Unproved::Failed(failure)) => {
            let signatures = witness.passes_signatures_on().await;
            return Err(diagnose(&failure, signatures, witness.obstacle()));
        }
    }
    test_names(Asked::Server(witness), names).await
}

async fn validating(resolver: &Resolver, names: &Names) -> Result<(), Fault> {
    match resolver.validated_root().await {
        Ok(Security::Secure) => {}
        Ok(Security::Insecure) => return Err(Fault::NotValidating),
        Err(_) if !resolver.has_servers() => return Err(Fault::NoServers),
        Err(failure) => {
            let signatures = resolver.signatures_arrive().await;
            return Err(diagnose(&failure, signatures, resolver.obstacle()));
        }
    }
    test_names(Asked::Ourselves(resolver), names).await
}

async fn test_names(asked: Asked<'_>, names: &Names) -> Result<(), Fault> {
    secure(&names.secure, &asked).await?;
    bogus(&names.bogus, &asked).await
}

/// Who is asked about a name.
enum Asked<'a> {
    /// We, validating.
    Ourselves(&'a Resolver),
    /// A server, of which we believe what we may.
    Server(&'a Witness<'a>),
}

impl Asked<'_> {
    async fn look(&self, name: &Domain) -> Result<Found, NoAnswer> {
        Ok(match self {
            Self::Ourselves(resolver) => {
                let answer = resolver.validated_soa(name).await?;
                Found {
                    security: answer.security,
                    exists: !matches!(answer.data, Data::NxDomain),
                }
            }
            Self::Server(witness) => {
                let hop = witness.soa(name).await?;
                Found {
                    security: hop.security,
                    exists: !matches!(hop.finding, Finding::NxDomain),
                }
            }
        })
    }
}

impl Asked<'_> {
    /// Whether the zone of a name is signed, but only with algorithms that do not count here: another validator may take it
    /// for unsigned, too.
    async fn has_no_algorithm_that_counts(&self, zone: &Domain) -> bool {
        let algorithms = match self {
            Self::Ourselves(resolver) => resolver.algorithms(zone).await,
            Self::Server(witness) => witness.algorithms(zone).await,
        };
        algorithms.is_ok_and(|all| !all.is_empty() && !all.into_iter().any(algorithm::counts))
    }
}

/// What was found at a name.
struct Found {
    security: Security,
    exists: bool,
}

/// One secure name is enough. If there is none, an insecure one says more than one without an answer.
async fn secure(names: &[Domain], asked: &Asked<'_>) -> Result<(), Fault> {
    let mut fault = Ok(());
    for name in names {
        match asked.look(name).await {
            Ok(found) if found.security == Security::Secure => return Ok(()),
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
async fn bogus(names: &[Domain], asked: &Asked<'_>) -> Result<(), Fault> {
    let mut fault = Ok(());
    for name in names {
        match asked.look(name).await {
            Err(_) => return Ok(()),
            Ok(found) if !found.exists && found.security == Security::Secure => {}
            Ok(found)
                if found.security == Security::Insecure && asked.has_no_algorithm_that_counts(name).await => {
            }
            Ok(_) if fault.is_ok() => fault = Err(Fault::BogusAnswered(name.clone())),
            Ok(_) => {}
        }
    }
    fault
}

/// Why the root itself could not be looked up.
fn diagnose(failure: &NoAnswer, signatures: Result<bool, NoAnswer>, obstacle: Option<String>) -> Fault {
    match signatures {
        Ok(true) => Fault::Root(failure.cause.clone()),
        Ok(false) => Fault::NoSignatures,
        Err(unanswered) => match obstacle {
            Some(obstacle) => Fault::NoChannel(obstacle),
            None => Fault::Unreachable(unanswered.cause),
        },
    }
}
