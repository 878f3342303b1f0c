//! From what the look-ups found to what was seen: the same in plain data.

use dane::{TlsaRecord, TlsaSet};
use delivery::route::RouteHost;
use dns::{Exchange, Lookup, MxRecord, NoAnswer, Signed};
use mail::{Domain, LookupFailure};
use mta_sts::{Discovery, FetchFailure, Mode, Trouble};
use policy::facts::{HostFindings, Tlsa};
use tlsrpt::RecordFault;

use super::observation::{
    FailureKind, FailureSeen, ParentSeen, RecordSeen, SignatureSeen, StsKind, StsSeen, TlsaSeen, TlsrptKind,
    TlsrptSeen,
};
use crate::explain::TlsaStatus;

/// The preference of a host.
pub(super) fn preference(exchanges: &[MxRecord], host: &RouteHost) -> Option<u16> {
    let named = |record: &&MxRecord| match &record.exchange {
        Exchange::Name(name) => host.name() == Some(name),
        Exchange::Address(address) => host.name().is_none() && host.addresses().first() == Some(address),
        Exchange::Invalid(text) => host.no_name() == Some(text),
        Exchange::Root => false,
    };
    exchanges.iter().find(named).map(|record| record.preference)
}

/// The TLSA records of a host, before anything around them is known.
pub(super) fn tlsa(host: &RouteHost, port: u16) -> TlsaSeen {
    let status = match &host.facts.findings {
        HostFindings::AddressLiteral | HostFindings::AddressName => TlsaStatus::NotAsked,
        HostFindings::Named { tlsa, .. } => match tlsa {
            Tlsa::NotAsked => TlsaStatus::NotAsked,
            Tlsa::LookupFailed(_) => TlsaStatus::Failed,
            Tlsa::Absent => TlsaStatus::Absent,
            Tlsa::Unusable => TlsaStatus::Unusable,
            Tlsa::Usable => TlsaStatus::Usable,
        },
    };
    let answers = &host.answers().tlsa;
    TlsaSeen {
        status,
        base: host
            .tlsa()
            .map(|(base, _)| base)
            .or(host.name())
            .map(ToString::to_string),
        owner: owner(host, port),
        failure: answers
            .iter()
            .find_map(|(_, answer)| answer.as_ref().err())
            .map(failure),
        records: host.tlsa().map(|(_, set)| records(set)).unwrap_or_default(),
        zone: zone(host),
        signatures: of_base(host).and_then(signature).into_iter().collect(),
        parent: ParentSeen::NotAsked,
    }
}

/// Where the records stand, or would stand.
fn owner(host: &RouteHost, port: u16) -> Option<String> {
    let base = host.tlsa().map(|(base, _)| base).or(host.name())?;
    let alias = of_base(host).and_then(|answer| answer.as_ref().ok()?.aliases.last());
    Some(alias.map_or_else(|| format!("_{port}._tcp.{base}"), |alias| alias.to.to_string()))
}

/// The answer about the TLSA records of the base domain.
fn of_base(host: &RouteHost) -> Option<&Lookup<TlsaRecord>> {
    let base = host.tlsa().map(|(base, _)| base).or(host.name())?;
    let mut answers = host.answers().tlsa.iter();
    answers
        .find(|(candidate, _)| candidate == base)
        .map(|(_, answer)| answer)
}

/// The zone that signs the TLSA records; where there are none, that signs the addresses.
fn zone(host: &RouteHost) -> Option<String> {
    fn signer<T>(answer: &Lookup<T>) -> Option<&Signed> {
        answer.as_ref().ok()?.signed.as_ref()
    }
    let answers = host.answers();
    let mut of_addresses = [&answers.ipv4, &answers.ipv6].into_iter().flatten();
    let signed = of_base(host)
        .and_then(signer)
        .or_else(|| of_addresses.find_map(signer))?;
    Some(signed.zone.to_string())
}

/// What the signature over the records of an answer says.
pub(super) fn signature<T>(answer: &Lookup<T>) -> Option<SignatureSeen> {
    let signed = answer.as_ref().ok()?.signed.as_ref()?;
    Some(SignatureSeen {
        zone: signed.zone.to_string(),
        ttl: signed.original_ttl,
        from: signed.inception,
        until: signed.expiration,
    })
}

pub(super) fn failure(failure: &NoAnswer) -> FailureSeen {
    FailureSeen {
        kind: match &failure.cause {
            // Nobody else is blamed for it.
            _ if failure.is_ours() => FailureKind::Undecided,
            LookupFailure::Bogus => FailureKind::Bogus,
            LookupFailure::Servfail | LookupFailure::Rcode(_) => FailureKind::Refused,
            LookupFailure::Indeterminate
            | LookupFailure::Timeout
            | LookupFailure::Malformed
            | LookupFailure::AliasLoop => FailureKind::Undecided,
        },
        words: failure.to_string(),
    }
}

fn records(set: &TlsaSet) -> Vec<RecordSeen> {
    let usable = set.usable().iter().map(|record| record_seen(record, None));
    let outranked = set.outranked().iter().map(|record| {
        let reason = "passed over for a record with a stronger digest (RFC 7671 section 9)";
        record_seen(record, Some(reason.to_owned()))
    });
    let unusable = set
        .unusable()
        .iter()
        .map(|(record, reason)| record_seen(record, Some(reason.to_string())));
    usable.chain(outranked).chain(unusable).collect()
}

fn record_seen(record: &TlsaRecord, reason: Option<String>) -> RecordSeen {
    RecordSeen {
        record: record.to_string(),
        usage: record.usage.into(),
        selector: record.selector.into(),
        matching_type: record.matching.into(),
        usable: reason.is_none(),
        reason,
        of_nothing: is_of_nothing(&record.data),
    }
}

/// The digests of no octets: what a script publishes that could not read the certificate.
fn is_of_nothing(data: &[u8]) -> bool {
    const SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const SHA512: &str = "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
                          47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e";
    let hex = data_encoding::HEXLOWER.encode(data);
    data.is_empty() || hex == SHA256 || hex == SHA512
}

/// The MTA-STS policy, and which of these hosts it does not allow.
pub(super) fn sts<'a>(discovery: &Discovery, hosts: impl Iterator<Item = &'a str>) -> StsSeen {
    let entry = discovery.entry.as_ref();
    let status = match (entry.map(|entry| entry.policy.mode), &discovery.trouble) {
        (_, Some(Trouble::Lookup(_))) => StsKind::LookupFailed,
        (_, Some(Trouble::Record(_))) => StsKind::RecordInvalid,
        // That is our own haste, and nobody's fault.
        (_, Some(Trouble::Fetch(FetchFailure::Busy))) => StsKind::NotAsked,
        (_, Some(Trouble::Fetch(_))) => StsKind::PolicyFailed,
        (None, None) => StsKind::Absent,
        (Some(Mode::None), None) => StsKind::None,
        (Some(Mode::Testing), None) => StsKind::Testing,
        (Some(Mode::Enforce), None) => StsKind::Enforce,
    };
    let is_allowed = |host: &str| {
        entry.is_none_or(|entry| Domain::parse(host).is_ok_and(|host| entry.policy.allows(&host)))
    };
    StsSeen {
        status,
        id: entry.map(|entry| entry.id.to_string()),
        max_age: entry.map(|entry| entry.policy.max_age().as_secs()),
        mx: entry.map_or_else(Vec::new, |entry| {
            entry.policy.mx.iter().map(ToString::to_string).collect()
        }),
        not_allowed: hosts
            .filter(|host| !is_allowed(host))
            .map(str::to_owned)
            .collect(),
        reason: discovery.trouble.as_ref().map(ToString::to_string),
    }
}

/// What TXT records say about TLS reports, and where these are wanted.
pub(super) fn tlsrpt(texts: &[Box<[u8]>]) -> TlsrptSeen {
    let (status, reason) = match tlsrpt::published(texts) {
        Ok(None) => (TlsrptKind::Absent, None),
        Ok(Some(record)) => match record.passed_over.first() {
            None => (TlsrptKind::Present, None),
            Some(passed) => {
                let words = format!("{}: {}", passed.written, passed.fault);
                let kind = if record.places.is_empty() {
                    TlsrptKind::Invalid
                } else {
                    TlsrptKind::Present
                };
                (kind, Some(words))
            }
        },
        Err(RecordFault::Several) => (TlsrptKind::Several, None),
        Err(fault @ (RecordFault::Field | RecordFault::NoRua)) => {
            (TlsrptKind::Invalid, Some(fault.to_string()))
        }
    };
    let records = texts.iter().filter(|text| tlsrpt::is_about_reports(text));
    TlsrptSeen {
        status,
        records: records
            .map(|text| String::from_utf8_lossy(text).into_owned())
            .collect(),
        reason,
    }
}
