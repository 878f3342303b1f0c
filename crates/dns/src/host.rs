//! One host: its addresses, and then its TLSA records (RFC 7672 §2.2.2, §2.2.3; rows H1–H6 of the decision, as facts).

use std::net::IpAddr;

use futures_util::future::join;
use mail::{Domain, LookupFailure, Security};

use crate::{Answer, Data, Lookup, Resolver};

/// Whether TLSA records matter at all; with DANE off they are not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsaQuestion {
    /// Ask where the addresses allow it.
    Ask,
    /// Never ask.
    DoNotAsk,
}

/// Which addresses are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressFamily {
    /// Both.
    Any,
    /// A records only.
    Ipv4,
    /// AAAA records only.
    Ipv6,
}

/// What is known of a host before any connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFindings {
    /// Its addresses.
    pub addresses: Addresses,
    /// Its TLSA records.
    pub tlsa: Tlsa,
}

/// The addresses of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addresses {
    /// No family gave addresses and at least one look-up failed.
    Unresolvable(LookupFailure),
    /// There are none. Secure only if the absence is secure for each family asked for.
    Absent(Security),
    /// At least one.
    Found {
        /// IPv6 first, each family in the order received.
        addresses: Vec<IpAddr>,
        /// How securely they are known.
        security: HostSecurity,
        /// The host with all aliases followed.
        expanded: Domain,
    },
}

/// How securely a host's addresses are known, as far as TLSA records depend on it. Ordered: the later, the more secure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostSecurity {
    /// Not at all: TLSA records are not asked for.
    Insecure,
    /// The addresses are insecure and were reached through an alias that itself is secure: the name before it may have records.
    SecureAlias,
    /// At least one family is secure all the way.
    Secure,
}

/// The TLSA records of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tlsa {
    /// Not wanted, or the addresses did not allow it.
    NotAsked,
    /// A look-up gave no answer: the host must not be connected to (RFC 7672 §2.1.2).
    Failed(LookupFailure),
    /// None, or insecure ones only.
    Absent,
    /// Secure ones.
    Found {
        /// The TLSA base domain: the candidate that had them, also where `_<port>._tcp` there is an alias.
        base: Domain,
        /// At least one.
        records: Vec<dane::TlsaRecord>,
    },
}

/// Looks up a host: addresses first, of both families at once, and TLSA records only after them (RFC 7672 §2.2.2).
pub async fn discover(
    resolver: &Resolver,
    host: &Domain,
    port: u16,
    question: TlsaQuestion,
    family: AddressFamily,
) -> HostFindings {
    let answers = match family {
        AddressFamily::Any => {
            let (ipv6, ipv4) = join(resolver.aaaa(host), resolver.a(host)).await;
            vec![ipv6, ipv4]
        }
        AddressFamily::Ipv4 => vec![resolver.a(host).await],
        AddressFamily::Ipv6 => vec![resolver.aaaa(host).await],
    };
    let addresses = gather(host, answers);
    let candidates = match question {
        TlsaQuestion::Ask => base_candidates(host, &addresses),
        TlsaQuestion::DoNotAsk => Vec::new(),
    };
    let tlsa = search(resolver, port, &candidates).await;
    HostFindings { addresses, tlsa }
}

/// Puts the families together: one that failed does not spoil the other.
fn gather(host: &Domain, answers: Vec<Lookup<IpAddr>>) -> Addresses {
    let (mut found, mut absence, mut failure) = (Vec::new(), Security::Secure, None::<LookupFailure>);
    for answer in answers {
        match answer {
            Ok(answer) if answer.records().is_empty() => absence = absence.and(answer.security),
            Ok(answer) => found.push(answer),
            Err(cause) if failure.is_none() || cause.is_bogus() => failure = Some(cause),
            Err(_) => {}
        }
    }
    // The most secure family speaks for the host: every address is then tried under what its TLSA records demand.
    let Some(best) = found.iter().max_by_key(|answer| host_security(answer)) else {
        return failure.map_or(Addresses::Absent(absence), Addresses::Unresolvable);
    };
    Addresses::Found {
        security: host_security(best),
        expanded: best.expanded(host),
        addresses: found
            .iter()
            .flat_map(|answer| answer.records().iter().copied())
            .collect(),
    }
}

fn host_security(answer: &Answer<IpAddr>) -> HostSecurity {
    let first_alias = answer.aliases.first().map(|alias| alias.security);
    match (answer.security, first_alias) {
        (Security::Secure, _) => HostSecurity::Secure,
        (Security::Insecure, Some(Security::Secure)) => HostSecurity::SecureAlias,
        (Security::Insecure, Some(Security::Insecure) | None) => HostSecurity::Insecure,
    }
}

/// The TLSA base domains to try, in order (RFC 7672 §2.2.3): never a name in the middle of a chain of aliases.
fn base_candidates(host: &Domain, addresses: &Addresses) -> Vec<Domain> {
    let Addresses::Found {
        security, expanded, ..
    } = addresses
    else {
        return Vec::new();
    };
    match security {
        HostSecurity::Insecure => Vec::new(),
        HostSecurity::SecureAlias => vec![host.clone()],
        HostSecurity::Secure if expanded == host => vec![host.clone()],
        HostSecurity::Secure => vec![expanded.clone(), host.clone()],
    }
}

/// The first candidate with secure records is the base domain; the others are not consulted.
async fn search(resolver: &Resolver, port: u16, candidates: &[Domain]) -> Tlsa {
    if candidates.is_empty() {
        return Tlsa::NotAsked;
    }
    for base in candidates {
        match resolver.tlsa(port, base).await {
            Err(cause) => return Tlsa::Failed(cause),
            Ok(Answer {
                security: Security::Secure,
                data: Data::Records(records),
                ..
            }) => {
                return Tlsa::Found {
                    base: base.clone(),
                    records,
                };
            }
            // Insecure records mean as much as none: the next candidate.
            Ok(_) => {}
        }
    }
    Tlsa::Absent
}
