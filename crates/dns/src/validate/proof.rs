//! What the marked records of a message prove, before anything is known about the zones above.

use hickory_proto::dnssec::Proof;
use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use mail::Security;

use crate::flaw::Flaw;
use crate::hop::{Finding, at_owner};

use super::denial::{Evidence, Verdict, signature};
use super::nsec3::ITERATIONS_INSECURE;

/// What a message proves by itself.
#[derive(Debug)]
pub(super) enum Proven {
    Status(Security),
    /// The name does not exist, whatever the RCODE says (RFC 9824 §2).
    NoName,
    /// Denied with too many NSEC3 iterations by this zone.
    TooCostly(Name),
    /// Nothing, and what is missing.
    Nothing(Flaw),
}

pub(super) fn proven(message: &Message, question: &Query, finding: &Finding) -> Proven {
    let name = question.name();
    match finding {
        Finding::Records(records) => match (question.query_type(), records.as_slice()) {
            (RecordType::CNAME, [RData::CNAME(target)]) if by_dname(message, name, &target.0) => {
                Proven::Status(Security::Secure)
            }
            (wanted, _) => rrset(message, name, wanted),
        },
        Finding::Alias(target) if by_dname(message, name, target) => Proven::Status(Security::Secure),
        Finding::Alias(_) => rrset(message, name, RecordType::CNAME),
        Finding::NoData => absence(message, question, |verdict| matches!(verdict, Verdict::NoType(_))),
        Finding::NxDomain => absence(message, question, |verdict| verdict == Verdict::NoName),
    }
}

/// `fits`: whether the verdict agrees with the RCODE. A server that gives NXDOMAIN for an existing name is wrong (RFC 8020
/// §3.1), and is not believed.
fn absence(message: &Message, question: &Query, fits: impl Fn(Verdict) -> bool) -> Proven {
    let Some(evidence) = Evidence::collect(message, question.name(), None) else {
        return Proven::Nothing(Flaw::NoProofOfAbsence);
    };
    match evidence.about(question) {
        verdict if fits(verdict) => Proven::Status(Security::Secure),
        Verdict::NoSuchName => Proven::NoName,
        // RFC 5155 §9.2: under opt-out an absence is not authenticated.
        Verdict::OptOut => Proven::Status(Security::Insecure),
        Verdict::TooManyIterations => Proven::TooCostly(evidence.signer),
        // It fits no NXDOMAIN.
        Verdict::NoType(_) => Proven::Nothing(Flaw::ProvedToExist),
        Verdict::FarTooManyIterations => Proven::Nothing(Flaw::TooManyIterations),
        Verdict::NoName | Verdict::Unproven => Proven::Nothing(Flaw::NoProofOfAbsence),
    }
}

/// The status of an RRset. It was expanded from a wildcard if its signature has fewer labels than its name.
pub(super) fn rrset(message: &Message, name: &Name, record_type: RecordType) -> Proven {
    let records = at_owner(message, name, record_type);
    let Some(rrsig) = records
        .first()
        .and_then(|record| signature(&message.answers, record))
    else {
        return Proven::Nothing(Flaw::NoSignature);
    };
    let (labels, signer) = (rrsig.input().num_labels, &rrsig.input().signer_name);
    if !records.iter().all(|record| record.proof == Proof::Secure) {
        return Proven::Nothing(Flaw::NoSignature);
    }
    if labels >= name.num_labels() {
        return Proven::Status(Security::Secure);
    }
    // RFC 4035 §5.3.4.
    let evidence = Evidence::collect(message, name, Some(signer));
    evidence
        .and_then(|evidence| evidence.expansion(name, labels))
        .map_or(Proven::Nothing(Flaw::NoProofOfWildcard), Proven::Status)
}

/// Whether an RRset at a name is signed under that name, not expanded from a wildcard.
pub(super) fn is_own(message: &Message, name: &Name, record_type: RecordType) -> bool {
    let records = at_owner(message, name, record_type);
    !records.is_empty() && records.iter().all(|record| is_own_record(message, record))
}

fn is_own_record(message: &Message, record: &Record) -> bool {
    signature(&message.answers, record)
        .is_some_and(|rrsig| rrsig.input().num_labels >= record.name.num_labels())
}

/// The secure DNAMEs above a name. A DNAME that was itself expanded from a wildcard does not count: RFC 6672 §3.3 advises
/// against those.
fn dnames<'a>(message: &'a Message, name: &'a Name) -> impl Iterator<Item = &'a Record> {
    message.answers.iter().filter(move |record| {
        record.record_type() == RecordType::DNAME
            && record.name != *name
            && record.name.zone_of(name)
            && is_own_record(message, record)
    })
}

/// Whether a secure DNAME above a name redirects everything at it.
pub(super) fn is_redirected(message: &Message, name: &Name) -> bool {
    dnames(message, name).next().is_some()
}

/// Whether an alias follows from a secure DNAME, so that it counts as signed (RFC 4035 §4.8, RFC 6672 §5.3.1).
fn by_dname(message: &Message, name: &Name, target: &Name) -> bool {
    dnames(message, name).any(|record| {
        let RData::Unknown { rdata, .. } = &record.data else {
            return false;
        };
        let Ok(to) = Name::read(&mut BinDecoder::new(&rdata.anything)) else {
            return false;
        };
        let kept = name.iter().count().saturating_sub(record.name.iter().count());
        let prefix = Name::from_labels(name.iter().take(kept));
        prefix
            .and_then(|prefix| prefix.append_domain(&to))
            .is_ok_and(|derived| derived == *target)
    })
}

/// The most hashes needed to read the NSEC3 records about a name: one for each label between it and the zone, and one for
/// the wildcard.
pub(super) fn rounds(message: &Message, name: &Name) -> usize {
    let marked = message
        .authorities
        .iter()
        .filter(|record| record.proof == Proof::Secure);
    let of_one = marked.filter_map(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::NSEC3(nsec3)) if nsec3.iterations() <= ITERATIONS_INSECURE => {
            let zone = record.name.iter().count().saturating_sub(1);
            let names = name.iter().count().saturating_sub(zone) + 2;
            Some(names * (usize::from(nsec3.iterations()) + 1))
        }
        _ => None,
    });
    of_one.max().unwrap_or(0)
}
