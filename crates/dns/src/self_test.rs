//! Does the resolver do what everything here rests on? Asked at start, every few minutes, and after failures.
//!
//! A resolver that does not validate, or an upstream that strips signatures, must raise an alarm that says exactly that: it
//! defers mail (RFC 7672 §2.1.1), and must never be mended by switching DANE off.

use futures_util::future::join_all;
use mail::{Domain, Security};

pub use crate::fault::Fault;

use crate::algorithm;
use crate::belief::Unproved;
use crate::hop::Finding;
use crate::trusting::Witness;
use crate::{Data, Mode, NoAnswer, Resolver};

/// The names to test with, besides the root. One that is found as it should be is enough of each kind: another may have been
/// changed by its owner, or its servers may be down, and the resolver has shown what it can.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// Names in signed zones: whatever is found at them must be secure.
    pub secure: Vec<Domain>,
    /// Names that are broken on purpose: they must not be answered. One shows nothing that has ceased to exist, as a signed zone
    /// above it proves, or whose zone is signed with no algorithm that has to count (RFC 9905 §2).
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

/// Tests the resolver, past its cache, in the mode that it is in; the first fault found.
pub async fn run(resolver: &Resolver, names: &Names) -> Result<(), Fault> {
    run_as(resolver, resolver.mode(), names).await
}

/// Tests whether the resolver could work in this mode, whatever mode it is in. As [`Mode::TrustAd`] each server is tested, for
/// each may be the next to answer a look-up; one that is silent now spoils nothing as long as another answers. What comes of
/// it stays with the servers: none is believed that was found out.
pub async fn run_as(resolver: &Resolver, mode: Mode, names: &Names) -> Result<(), Fault> {
    let result = match mode {
        Mode::TrustAd => believing(resolver, names).await,
        Mode::Validate => validating(resolver, names).await,
    };
    // In another mode than its own it may fail as it likes.
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

/// One server, which is judged by what it does.
async fn examine<'a>(witness: &'a Witness<'a>, names: &Names) -> (&'a Witness<'a>, Result<(), Fault>) {
    let result = question(witness, names).await;
    match &result {
        Ok(()) => witness.judge(None),
        // By its root it is judged at each question.
        Err(Fault::NotValidating) => {}
        Err(fault) if fault.refutes() => witness.judge(Some(fault.clone())),
        // Silence says nothing about validation: what was known of it stays so.
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
    /// Whether the zone of a name is signed, and with nothing that counts here: another validator may take it for unsigned, too.
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

/// One secure name is enough. Where there is none, an insecure one says more than one without an answer.
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
