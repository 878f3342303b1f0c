//! One question and what stands at exactly the name asked about.

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use mail::{LookupFailure, Security};

/// What one name holds, with its status. Aliases are followed by the caller, one hop at a time.
#[derive(Debug, Clone)]
pub(crate) struct Hop {
    pub(crate) security: Security,
    pub(crate) finding: Finding,
    /// In seconds.
    pub(crate) ttl: u32,
}

/// The content of one hop.
#[derive(Debug, Clone)]
pub(crate) enum Finding {
    Records(Vec<RData>),
    Alias(Name),
    NoData,
    NxDomain,
}

/// Reads a NOERROR or NXDOMAIN message. Only records at the name asked for count; whatever else the message carries about
/// other names is not looked at (RFC 7672 §2.1.3: the target is asked about by itself).
pub(crate) fn read(message: &Message, question: &Query) -> Result<(Finding, u32), LookupFailure> {
    let records = at_owner(message, question.name(), question.query_type());
    if !records.is_empty() {
        let ttl = records.iter().map(|record| record.ttl).min().unwrap_or(0);
        return Ok((
            Finding::Records(records.into_iter().map(|record| record.data.clone()).collect()),
            ttl,
        ));
    }
    let aliases = at_owner(message, question.name(), RecordType::CNAME);
    match aliases.as_slice() {
        [] => {}
        [
            Record {
                data: RData::CNAME(target),
                ttl,
                ..
            },
        ] => return Ok((Finding::Alias(target.0.clone()), *ttl)),
        // A name has one alias at most (RFC 2181 §10.1).
        _ => return Err(LookupFailure::Malformed),
    }
    let finding = match message.metadata.response_code {
        ResponseCode::NXDomain => Finding::NxDomain,
        _ => Finding::NoData,
    };
    Ok((finding, negative_ttl(message, question.name())))
}

/// The RRset of one type at one name in the answer section.
pub(crate) fn at_owner<'a>(message: &'a Message, name: &Name, record_type: RecordType) -> Vec<&'a Record> {
    let here = |record: &&Record| record.name == *name && record.record_type() == record_type;
    message.answers.iter().filter(here).collect()
}

/// How long an absence may be kept (RFC 2308 §5), in seconds; at most three hours as its §5 advises.
fn negative_ttl(message: &Message, name: &Name) -> u32 {
    const LONGEST: u32 = 3 * 3600;
    let proofs = message.authorities.iter().filter(|record| {
        // The proof may end before the SOA does (RFC 9077 §3).
        matches!(record.record_type(), RecordType::NSEC | RecordType::NSEC3)
    });
    let proofs = proofs.map(|record| record.ttl).min().unwrap_or(LONGEST);
    let soa = message.authorities.iter().find_map(|record| match &record.data {
        RData::SOA(soa) if record.name.zone_of(name) => Some(record.ttl.min(soa.minimum)),
        _ => None,
    });
    soa.unwrap_or(0).min(proofs).min(LONGEST)
}

/// What an RCODE means that is neither NOERROR nor NXDOMAIN.
pub(crate) fn failure_of(code: ResponseCode) -> LookupFailure {
    match code {
        ResponseCode::ServFail => LookupFailure::Servfail,
        ResponseCode::FormErr => LookupFailure::Rcode("FORMERR".to_owned()),
        ResponseCode::NotImp => LookupFailure::Rcode("NOTIMP".to_owned()),
        ResponseCode::Refused => LookupFailure::Rcode("REFUSED".to_owned()),
        ResponseCode::YXDomain => LookupFailure::Rcode("YXDOMAIN".to_owned()),
        ResponseCode::NotAuth => LookupFailure::Rcode("NOTAUTH".to_owned()),
        other => LookupFailure::Rcode(format!("{}", u16::from(other))),
    }
}

/// Whether the message answers the question, as opposed to refusing to.
pub(crate) fn is_answer(message: &Message) -> bool {
    matches!(
        message.metadata.response_code,
        ResponseCode::NoError | ResponseCode::NXDomain
    )
}
