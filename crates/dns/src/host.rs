//! One host: its addresses, and then its TLSA records (RFC 7672 §2.2.2, §2.2.3; rows H1–H6 of the decision, as facts).

use std::net::IpAddr;
use std::sync::Arc;

use dane::TlsaSet;
use futures_util::future::{OptionFuture, join};
use mail::{Domain, Security};

use crate::asked::TlsaFound;
use crate::{Answer, Lookup, NoAnswer, Resolver};

/// Whether TLSA records are needed at all; with DANE off they are not asked for.
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
    /// IPv4; AAAA records are asked for only if there are no A records.
    Ipv4,
    /// IPv6; likewise.
    Ipv6,
}

impl AddressFamily {
    fn has(self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Ipv4 => address.is_ipv4(),
            Self::Ipv6 => address.is_ipv6(),
        }
    }
}

/// What is known about a host before any connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFindings {
    /// Its addresses.
    pub addresses: Addresses,
    /// Its TLSA records.
    pub tlsa: Tlsa,
    /// The single answers behind them.
    pub answers: Answers,
}

/// Each answer that was waited for, in the order of the questions. No decision depends on them: they are for people to read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answers {
    /// IPv6 addresses, if they are wanted, or there are none of the family that is.
    pub ipv6: Option<Lookup<IpAddr>>,
    /// IPv4 addresses; likewise.
    pub ipv4: Option<Lookup<IpAddr>>,
    /// TLSA records, for each candidate for the base domain that was asked about.
    pub tlsa: Vec<(Domain, Lookup<dane::TlsaRecord>)>,
}

/// The addresses of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addresses {
    /// Neither family has addresses, and at least one look-up failed.
    Unresolvable(NoAnswer),
    /// There are no addresses of either family. Secure only if the absence is secure for both.
    Absent(Security),
    /// There are none of the family that is wanted, but these of the other one.
    OtherFamily(Vec<IpAddr>),
    /// At least one.
    Found {
        /// The two families alternate, IPv6 first, as long as both have some (RFC 8305 §4); each is in the order received.
        addresses: Vec<IpAddr>,
        /// How securely they are known.
        security: HostSecurity,
        /// The host with all aliases followed.
        expanded: Domain,
    },
}

/// How secure a host's addresses are, as far as TLSA records depend on it. Ordered: later means more secure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostSecurity {
    /// Not at all: TLSA records are not asked for.
    Insecure,
    /// The addresses are insecure, but were reached through a secure alias: the name before it may have records.
    SecureAlias,
    /// At least one family is secure all the way.
    Secure,
}

/// The TLSA records of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tlsa {
    /// Not wanted, or ruled out by the addresses.
    NotAsked,
    /// The look-up gave no answer: the host must not be connected to (RFC 7672 §2.1.2).
    Failed(NoAnswer),
    /// None, or insecure ones only.
    Absent,
    /// Secure ones.
    Found {
        /// The TLSA base domain: the candidate that had the records, even if `_<port>._tcp` there is an alias.
        base: Domain,
        /// The records, at least one, and the usability of each. Shared with all others who asked.
        set: Arc<TlsaSet>,
    },
}

/// Looks up a host: first the addresses of both families at once, and only then the TLSA records (RFC 7672 §2.2.2).
pub async fn discover(
    resolver: &Resolver,
    host: &Domain,
    port: u16,
    question: TlsaQuestion,
    family: AddressFamily,
) -> HostFindings {
    let mut answers = match family {
        AddressFamily::Any => {
            let (ipv6, ipv4) = join(resolver.aaaa(host), resolver.a(host)).await;
            Answers::new(Some(ipv6), Some(ipv4))
        }
        AddressFamily::Ipv4 => {
            let ipv4 = resolver.a(host).await;
            let ipv6 = is_absent(&ipv4).then_some(resolver.aaaa(host));
            Answers::new(OptionFuture::from(ipv6).await, Some(ipv4))
        }
        AddressFamily::Ipv6 => {
            let ipv6 = resolver.aaaa(host).await;
            let ipv4 = is_absent(&ipv6).then_some(resolver.a(host));
            Answers::new(Some(ipv6), OptionFuture::from(ipv4).await)
        }
    };
    let addresses = match (gather(host, &answers), family) {
        (Addresses::Found { addresses, .. }, AddressFamily::Ipv4 | AddressFamily::Ipv6)
            if !addresses.iter().any(|address| family.has(*address)) =>
        {
            Addresses::OtherFamily(addresses)
        }
        (found, _) => found,
    };
    let candidates = match question {
        TlsaQuestion::Ask => base_candidates(host, &addresses),
        TlsaQuestion::DoNotAsk => Vec::new(),
    };
    let tlsa = search(resolver, port, candidates, &mut answers).await;
    HostFindings {
        addresses,
        tlsa,
        answers,
    }
}

impl Answers {
    fn new(ipv6: Option<Lookup<IpAddr>>, ipv4: Option<Lookup<IpAddr>>) -> Self {
        Self {
            ipv6,
            ipv4,
            tlsa: Vec::new(),
        }
    }
}

/// Whether the host has no address of this family. Then the other one decides whether it has any.
fn is_absent(answer: &Lookup<IpAddr>) -> bool {
    answer.as_ref().is_ok_and(|answer| answer.records().is_empty())
}

/// Combines the families: if one failed, the other can still be used.
fn gather(host: &Domain, answers: &Answers) -> Addresses {
    let (mut found, mut absence, mut failure) = (Vec::new(), Security::Secure, None::<NoAnswer>);
    for answer in [&answers.ipv6, &answers.ipv4].into_iter().flatten() {
        match answer {
            Ok(answer) if answer.records().is_empty() => absence = absence.and(answer.security),
            Ok(answer) => found.push(answer),
            Err(another) if failure.is_none() || another.cause.is_bogus() => failure = Some(another.clone()),
            Err(_) => {}
        }
    }
    // The most secure family decides for the host: its TLSA records then apply to every address.
    let Some(best) = found.iter().copied().max_by_key(|answer| host_security(answer)) else {
        return failure.map_or(Addresses::Absent(absence), Addresses::Unresolvable);
    };
    Addresses::Found {
        security: host_security(best),
        expanded: best.expanded(host),
        addresses: in_turn(&found.iter().map(|answer| answer.records()).collect::<Vec<_>>()),
    }
}

/// Alternates between the families, so that trying only the first few addresses tries both families.
fn in_turn(families: &[&[IpAddr]]) -> Vec<IpAddr> {
    let longest = families.iter().map(|family| family.len()).max().unwrap_or(0);
    let each = |position| families.iter().filter_map(move |family| family.get(position));
    (0..longest).flat_map(each).copied().collect()
}

fn host_security(answer: &Answer<IpAddr>) -> HostSecurity {
    let first_alias = answer.aliases.first().map(|alias| alias.security);
    match (answer.security, first_alias) {
        (Security::Secure, _) => HostSecurity::Secure,
        (Security::Insecure, Some(Security::Secure)) => HostSecurity::SecureAlias,
        (Security::Insecure, Some(Security::Insecure) | None) => HostSecurity::Insecure,
    }
}

/// The TLSA base domains to try, in order (RFC 7672 §2.2.3); never a name in the middle of a chain of aliases.
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

/// The first candidate with secure records is the base domain; the others are not asked about.
async fn search(resolver: &Resolver, port: u16, candidates: Vec<Domain>, answers: &mut Answers) -> Tlsa {
    if candidates.is_empty() {
        return Tlsa::NotAsked;
    }
    for base in candidates {
        let found = resolver.tlsa_found(port, &base).await;
        let answer = found.as_ref().map(|found| found.answer.clone());
        answers.tlsa.push((base.clone(), answer.map_err(NoAnswer::clone)));
        match found {
            Err(cause) => return Tlsa::Failed(cause),
            Ok(TlsaFound { answer, set })
                if answer.security == Security::Secure && !answer.records().is_empty() =>
            {
                return Tlsa::Found { base, set };
            }
            // Insecure records count as none: the next candidate is tried.
            Ok(_) => {}
        }
    }
    Tlsa::Absent
}
