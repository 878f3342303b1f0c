//! What can be asked for, in which form the answer is given, and how much of an answer is kept.

use std::net::IpAddr;
use std::sync::Arc;

use dane::TlsaSet;
use hickory_proto::rr::{Name, RData, RecordType};
use mail::{Domain, LookupFailure, Security};

use crate::outage::Outage;
use crate::record::{absolute, to_address, to_alias, to_mx, to_name, to_text, to_tlsa};
use crate::{Answer, Lookup, MxRecord, NoAnswer};

/// The most MX records or addresses of one name that are used: the first ones, in their order. Nobody needs more.
const RECORDS: usize = 100;
/// The most TLSA records of one name. Nobody could say which of them to leave out, so with more the look-up fails.
const TLSA_RECORDS: usize = 100;
/// The most octets of their data, for the same reason: room for ten whole certificates, while 100 digests take seven
/// thousand.
const TLSA_OCTETS: usize = 16 * 1024;

/// A question, and the form in which its answer is wanted: the key of the cache. Copies share their data.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Asked {
    Mx(Domain),
    A(Domain),
    Aaaa(Domain),
    Cname(Domain),
    /// At a port of a base domain.
    Tlsa(u16, Domain),
    /// Any type, with its records unchanged.
    Any(Arc<(Name, RecordType)>),
}

/// An answer in that form. Copies share their data.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    Mx(Answer<MxRecord>),
    Address(Answer<IpAddr>),
    Alias(Answer<Domain>),
    Tlsa(TlsaFound),
    Any(Answer<RData>),
}

/// TLSA records, and the usability of each.
#[derive(Debug, Clone)]
pub(crate) struct TlsaFound {
    pub(crate) answer: Answer<dane::TlsaRecord>,
    pub(crate) set: Arc<TlsaSet>,
}

impl Asked {
    pub(crate) fn any(name: Name, record_type: RecordType) -> Self {
        Self::Any(Arc::new((name, record_type)))
    }

    /// The name and type that servers are asked about.
    pub(crate) fn question(&self) -> Result<(Name, RecordType), LookupFailure> {
        Ok(match self {
            Self::Mx(domain) => (to_name(domain)?, RecordType::MX),
            Self::A(host) => (to_name(host)?, RecordType::A),
            Self::Aaaa(host) => (to_name(host)?, RecordType::AAAA),
            Self::Cname(name) => (to_name(name)?, RecordType::CNAME),
            Self::Tlsa(port, base) => {
                let owner = absolute(&format!("_{port}._tcp.{base}"));
                (owner.ok_or(LookupFailure::Malformed)?, RecordType::TLSA)
            }
            Self::Any(question) => (question.0.clone(), question.1),
        })
    }

    /// An answer in the requested form. A record that does not fit the form fails the whole answer.
    pub(crate) fn read(&self, answer: Answer<RData>) -> Result<Found, NoAnswer> {
        Ok(match self {
            Self::Mx(_) => Found::Mx(answer.try_convert(exchanges)?),
            Self::A(_) | Self::Aaaa(_) => Found::Address(answer.try_convert(addresses)?),
            Self::Cname(_) => Found::Alias(answer.try_convert(aliases)?),
            Self::Tlsa(..) => {
                let answer = answer.try_convert(tlsa_records)?;
                let set = Arc::new(TlsaSet::new(answer.records().to_vec()));
                Found::Tlsa(TlsaFound { answer, set })
            }
            Self::Any(question) => {
                // What a delivery would not take is no answer for whoever asks what it sees.
                if question.1 == RecordType::TLSA {
                    answer.clone().try_convert(tlsa_records)?;
                }
                Found::Any(answer)
            }
        })
    }
}

/// By preference; equal preferences in the order received.
fn exchanges(data: &[RData]) -> Result<Vec<MxRecord>, NoAnswer> {
    let mut all = each(data, to_mx)?;
    all.sort_by_key(|record| record.preference);
    all.truncate(RECORDS);
    Ok(all)
}

fn addresses(data: &[RData]) -> Result<Vec<IpAddr>, NoAnswer> {
    each(data.get(..RECORDS).unwrap_or(data), to_address)
}

fn aliases(data: &[RData]) -> Result<Vec<Domain>, NoAnswer> {
    each(data, to_alias)
}

/// Each record with its strings joined (RFC 8461 §3.1).
pub(crate) fn texts(data: &[RData]) -> Result<Vec<Box<[u8]>>, NoAnswer> {
    each(data.get(..RECORDS).unwrap_or(data), to_text)
}

fn tlsa_records(data: &[RData]) -> Result<Vec<dane::TlsaRecord>, NoAnswer> {
    if data.len() > TLSA_RECORDS {
        let many = Outage::TooManyRecords(TLSA_RECORDS);
        return Err(NoAnswer::new(LookupFailure::Malformed, many));
    }
    let records = each(data, to_tlsa)?;
    if records.iter().map(|record| record.data.len()).sum::<usize>() > TLSA_OCTETS {
        let large = Outage::TooManyOctets(TLSA_OCTETS);
        return Err(NoAnswer::new(LookupFailure::Malformed, large));
    }
    Ok(records)
}

fn each<T>(data: &[RData], convert: impl Fn(&RData) -> Result<T, LookupFailure>) -> Result<Vec<T>, NoAnswer> {
    let all: Result<_, _> = data.iter().map(convert).collect();
    all.map_err(|cause| NoAnswer::new(cause, Outage::UnreadableData))
}

impl Found {
    /// The rest of its life, in seconds.
    pub(crate) fn set_ttl(&mut self, seconds: u32) {
        let ttl = match self {
            Self::Mx(answer) => &mut answer.ttl,
            Self::Address(answer) => &mut answer.ttl,
            Self::Alias(answer) => &mut answer.ttl,
            Self::Tlsa(found) => &mut found.answer.ttl,
            Self::Any(answer) => &mut answer.ttl,
        };
        *ttl = seconds;
    }

    pub(crate) fn ttl(&self) -> u32 {
        match self {
            Self::Mx(answer) => answer.ttl,
            Self::Address(answer) => answer.ttl,
            Self::Alias(answer) => answer.ttl,
            Self::Tlsa(found) => found.answer.ttl,
            Self::Any(answer) => answer.ttl,
        }
    }

    /// Its weakest status on the way.
    pub(crate) fn security(&self) -> Security {
        match self {
            Self::Mx(answer) => answer.security,
            Self::Address(answer) => answer.security,
            Self::Alias(answer) => answer.security,
            Self::Tlsa(found) => found.answer.security,
            Self::Any(answer) => answer.security,
        }
    }

    /// The aliases on the way to it.
    pub(crate) fn aliases(&self) -> &[crate::Alias] {
        match self {
            Self::Mx(answer) => &answer.aliases,
            Self::Address(answer) => &answer.aliases,
            Self::Alias(answer) => &answer.aliases,
            Self::Tlsa(found) => &found.answer.aliases,
            Self::Any(answer) => &answer.aliases,
        }
    }

    pub(crate) fn mx(self) -> Lookup<MxRecord> {
        match self {
            Self::Mx(answer) => Ok(answer),
            Self::Address(_) | Self::Alias(_) | Self::Tlsa(_) | Self::Any(_) => Err(other_form()),
        }
    }

    pub(crate) fn address(self) -> Lookup<IpAddr> {
        match self {
            Self::Address(answer) => Ok(answer),
            Self::Mx(_) | Self::Alias(_) | Self::Tlsa(_) | Self::Any(_) => Err(other_form()),
        }
    }

    pub(crate) fn alias(self) -> Lookup<Domain> {
        match self {
            Self::Alias(answer) => Ok(answer),
            Self::Mx(_) | Self::Address(_) | Self::Tlsa(_) | Self::Any(_) => Err(other_form()),
        }
    }

    pub(crate) fn tlsa(self) -> Result<TlsaFound, NoAnswer> {
        match self {
            Self::Tlsa(found) => Ok(found),
            Self::Mx(_) | Self::Address(_) | Self::Alias(_) | Self::Any(_) => Err(other_form()),
        }
    }

    pub(crate) fn any(self) -> Lookup<RData> {
        match self {
            Self::Any(answer) => Ok(answer),
            Self::Mx(_) | Self::Address(_) | Self::Alias(_) | Self::Tlsa(_) => Err(other_form()),
        }
    }
}

/// This never happens: each question is answered in its own form.
fn other_form() -> NoAnswer {
    LookupFailure::Malformed.into()
}
