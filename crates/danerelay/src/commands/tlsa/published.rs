//! What is published for a host, and for how long others may still use what was published before.

use std::num::NonZeroU16;

use dane::{TlsaRecord, TlsaSet};
use dns::{Data, Lookup, NoAnswer, Resolver};
use mail::{Domain, Security};

/// What is published for a port of a host.
pub(super) enum Published {
    /// Records that count.
    Secure(Records),
    /// No such records: the reason, and how many there are.
    None(&'static str, usize),
    /// There is no such host.
    NoHost,
    /// The look-up failed.
    Failed(NoAnswer),
}

/// Secure records.
pub(super) struct Records {
    /// The TLSA base domain: the host, or what it is an alias of.
    pub(super) base: Domain,
    pub(super) set: TlsaSet,
    /// In seconds, as in the zone.
    pub(super) ttl: u32,
}

/// Looks the records up where a sender does (RFC 7672 §2.2.2).
pub(super) async fn look_up(resolver: &Resolver, port: NonZeroU16, host: &Domain) -> Published {
    let mut nothing = None;
    let candidates = match candidates(resolver, host).await {
        Ok(candidates) => candidates,
        Err(failure) => return Published::Failed(failure),
    };
    for candidate in candidates {
        match read(&candidate, resolver.tlsa(port.get(), &candidate).await) {
            Published::None(reason, records) => nothing = Some(Published::None(reason, records)),
            decided @ (Published::Secure(_) | Published::Failed(_) | Published::NoHost) => return decided,
        }
    }
    match nothing {
        Some(insecure @ Published::None(_, 1..)) => insecure,
        // A host that does not exist is rather a mistake than one without records.
        Some(_) | None => match resolver.a(host).await {
            Ok(answer) if matches!(answer.data, Data::NxDomain) => Published::NoHost,
            Ok(_) => Published::None(NO_RECORDS, 0),
            Err(failure) => Published::Failed(failure),
        },
    }
}

const NO_RECORDS: &str = "no TLSA records are published";

/// The host, and before it what it is a secure alias of. Where no answer says what the alias leads to, nobody knows.
async fn candidates(resolver: &Resolver, host: &Domain) -> Result<Vec<Domain>, NoAnswer> {
    let alias = resolver.cname(host).await;
    if alias.is_ok_and(|alias| alias.records().is_empty()) {
        return Ok(vec![host.clone()]);
    }
    let (mut failure, mut is_answered) = (None, false);
    for lookup in [resolver.a(host).await, resolver.aaaa(host).await] {
        match lookup {
            Ok(answer) if answer.security == Security::Secure => {
                let mut candidates = vec![answer.expanded(host), host.clone()];
                candidates.dedup();
                return Ok(candidates);
            }
            Ok(_) => is_answered = true,
            Err(trouble) => failure = Some(trouble),
        }
    }
    match failure {
        Some(failure) if !is_answered => Err(failure),
        Some(_) | None => Ok(vec![host.clone()]),
    }
}

fn read(base: &Domain, lookup: Lookup<TlsaRecord>) -> Published {
    match lookup {
        Err(failure) => Published::Failed(failure),
        Ok(answer) => match (answer.security, &answer.data) {
            (Security::Secure, Data::Records(records)) => Published::Secure(Records {
                base: base.clone(),
                set: TlsaSet::new(records.to_vec()),
                ttl: answer
                    .signed
                    .as_ref()
                    .map_or(answer.ttl, |signed| signed.original_ttl),
            }),
            (Security::Insecure, Data::Records(records)) => Published::None(
                "the published TLSA records are insecure and do not count",
                records.len(),
            ),
            (Security::Secure | Security::Insecure, Data::NoData | Data::NxDomain) => {
                Published::None(NO_RECORDS, 0)
            }
        },
    }
}
