//! One question and the records at exactly the name asked about.

use std::sync::Arc;

use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType, RecordTypeSet};
use jiff::Timestamp;
use mail::{LookupFailure, Security};

use crate::extended::ExtendedError;
use crate::flaw::nearest;
use crate::outage::Outage;
use crate::presentation::written;
use crate::{NoAnswer, Signed};

/// The records of one name, with their status. The caller follows aliases, one hop at a time.
#[derive(Debug, Clone)]
pub(crate) struct Hop {
    pub(crate) security: Security,
    pub(crate) finding: Finding,
    /// In seconds.
    pub(crate) ttl: u32,
    /// What the signature over the records says.
    pub(crate) signed: Option<Signed>,
}

/// The content of one hop.
#[derive(Debug, Clone)]
pub(crate) enum Finding {
    Records(Vec<RData>),
    Alias(Name),
    NoData,
    NxDomain,
}

/// Reads a NOERROR or NXDOMAIN message. Only records at the name asked for count; whatever the message says about other
/// names is ignored (RFC 7672 §2.1.3: the target is asked about separately).
pub(crate) fn read(message: &Message, question: &Query) -> Result<(Finding, u32), NoAnswer> {
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
        // A name has at most one alias (RFC 2181 §10.1).
        _ => {
            let several = NoAnswer::new(LookupFailure::Malformed, Outage::SeveralAliases);
            return Err(several.about(question.name(), question.query_type()));
        }
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

/// What the first signature over the records that were asked for says, of those that count.
pub(crate) fn signed(
    message: &Message,
    question: &Query,
    counts: impl Fn(&Record) -> bool,
) -> Option<Signed> {
    let now = Timestamp::now().as_second();
    let here = message
        .answers
        .iter()
        .filter(|record| record.name == *question.name());
    here.filter(|record| counts(record))
        .find_map(|record| match &record.data {
            RData::DNSSEC(DNSSECRData::RRSIG(rrsig))
                if rrsig.input().type_covered == question.query_type() =>
            {
                let input = rrsig.input();
                Some(Signed {
                    zone: zone_of(&input.signer_name),
                    original_ttl: input.original_ttl,
                    inception: nearest(now, input.sig_inception.get())?,
                    expiration: nearest(now, input.sig_expiration.get())?,
                })
            }
            _ => None,
        })
}

/// A zone in writing, without the final dot; `.` for the root.
fn zone_of(apex: &Name) -> Arc<str> {
    let written = written(&apex.to_lowercase());
    match written.trim_end_matches('.') {
        "" => ".".into(),
        name => name.into(),
    }
}

/// How long an absence may be cached (RFC 2308 §5), in seconds; at most three hours, as its §5 advises.
pub(crate) fn negative_ttl(message: &Message, name: &Name) -> u32 {
    const LONGEST: u32 = 3 * 3600;
    let proofs = message.authorities.iter().filter(|record| {
        // The proof may expire before the SOA does (RFC 9077 §3).
        matches!(record.record_type(), RecordType::NSEC | RecordType::NSEC3)
    });
    let proofs = proofs.map(|record| record.ttl).min().unwrap_or(LONGEST);
    let soa = message.authorities.iter().find_map(|record| match &record.data {
        RData::SOA(soa) if record.name.zone_of(name) => Some(record.ttl.min(soa.minimum)),
        _ => None,
    });
    soa.unwrap_or(0).min(proofs).min(LONGEST)
}

/// Whether the types at a name say that it does not exist: NXNAME, and otherwise only the types of the denial itself (RFC
/// 9824 §2).
pub(crate) fn says_no_name(types: &RecordTypeSet) -> bool {
    const NXNAME: u16 = 128;
    let beside = [RecordType::NSEC, RecordType::RRSIG];
    let nxname = RecordType::from(NXNAME);
    types.contains(nxname)
        && types
            .iter()
            .all(|known| known == nxname || beside.contains(&known))
}

/// Whether a message that is secure as a whole says, by the record of the name itself, that the name does not exist,
/// although its RCODE is that of an existing name (RFC 9824 §2).
pub(crate) fn is_denied_compactly(message: &Message, name: &Name) -> bool {
    message.authorities.iter().any(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::NSEC(nsec)) => record.name == *name && says_no_name(nsec.type_set()),
        _ => false,
    })
}

/// The failure that a message without an answer stands for.
pub(crate) fn failure_of(message: &Message) -> NoAnswer {
    let (cause, outage) = match u16::from(message.metadata.response_code) {
        // A referral: the server does not know the answer and does not ask those who do.
        0 => (LookupFailure::Malformed, Outage::Referral),
        2 => (LookupFailure::Servfail, Outage::Refused("SERVFAIL".to_owned())),
        number => {
            let name = mnemonic(number).map_or_else(|| number.to_string(), str::to_owned);
            (LookupFailure::Rcode(name.clone()), Outage::Refused(name))
        }
    };
    NoAnswer::new(cause, outage).said(ExtendedError::of(message))
}

/// The names of the codes as registered by IANA (RFC 6895 §2.3, RFC 7873 §8).
fn mnemonic(code: u16) -> Option<&'static str> {
    Some(match code {
        1 => "FORMERR",
        4 => "NOTIMP",
        5 => "REFUSED",
        6 => "YXDOMAIN",
        7 => "YXRRSET",
        8 => "NXRRSET",
        9 => "NOTAUTH",
        10 => "NOTZONE",
        11 => "DSOTYPENI",
        16 => "BADVERS",
        17 => "BADKEY",
        18 => "BADTIME",
        19 => "BADMODE",
        20 => "BADNAME",
        21 => "BADALG",
        22 => "BADTRUNC",
        23 => "BADCOOKIE",
        _ => return None,
    })
}

/// Whether the message answers the question, rather than refusing it or referring to other servers.
pub(crate) fn is_answer(message: &Message, question: &Query) -> bool {
    match message.metadata.response_code {
        ResponseCode::NoError => !is_referral(message, question),
        ResponseCode::NXDomain => true,
        _ => false,
    }
}

/// Whether a message is only a referral to a zone's servers: it has an NS RRset and no SOA beside it, while NODATA has both,
/// neither, or only the SOA (RFC 2308 §2.2). A resolver that is asked to find the answer should not send one.
fn is_referral(message: &Message, question: &Query) -> bool {
    let has = |wanted| {
        message
            .authorities
            .iter()
            .any(|record| record.record_type() == wanted)
    };
    has(RecordType::NS)
        && !has(RecordType::SOA)
        && [question.query_type(), RecordType::CNAME]
            .iter()
            .all(|wanted| at_owner(message, question.name(), *wanted).is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_names_that_iana_gives_them() {
        for (number, name) in [
            (0, "malformed"),
            (1, "rcode FORMERR"),
            (2, "servfail"),
            (8, "rcode NXRRSET"),
            (9, "rcode NOTAUTH"),
            (10, "rcode NOTZONE"),
            (11, "rcode DSOTYPENI"),
            (12, "rcode 12"),
            (16, "rcode BADVERS"),
            (23, "rcode BADCOOKIE"),
            (3841, "rcode 3841"),
        ] {
            let mut message = Message::query();
            message.metadata.response_code = u16::into(number);
            assert_eq!(failure_of(&message).cause.to_string(), name, "{number}");
        }
    }
}
