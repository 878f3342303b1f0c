//! Which parts of an answer are validated: those that concern the question, with no more signatures than are worth checking.
//!
//! Checking a signature is the costliest thing that a message can make us do, and whoever answers decides how many there
//! are. A zone that changes its algorithm and its key at the same time has four signatures on each RRset. With these limits
//! a message costs at most [`SIGNATURES_OF_MESSAGE`] signatures, each tried with at most two keys of the same tag; an answer
//! that would need more fails.

use std::collections::{HashMap, HashSet};

use hickory_proto::dnssec::rdata::{DNSSECRData, RRSIG};
use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::algorithm;

/// The most signatures of one RRset that are checked; its others are dropped.
const SIGNATURES_OF_RRSET: usize = 8;
/// The most per message: an RRset with an expanded alias, and denials for several wildcards on the way.
const SIGNATURES_OF_MESSAGE: usize = 32;

/// Prunes a message to what can matter: in the answer section the records at the name itself and DNAMEs above it, in the
/// authority section denials and the SOA of a zone above the name. Nothing else is validated, so nobody can make us fetch
/// keys for it.
pub(super) fn pruned(mut message: Message, question: &Query) -> Message {
    let name = question.name();
    message.answers.retain(|record| {
        record.name == *name || covered_type(record) == RecordType::DNAME && record.name.zone_of(name)
    });
    message.authorities.retain(|record| {
        let signed_above = signature(record).is_none_or(|rrsig| rrsig.input().signer_name.zone_of(name));
        match covered_type(record) {
            RecordType::NSEC | RecordType::NSEC3 => signed_above,
            RecordType::SOA => signed_above && record.name.zone_of(name),
            _ => false,
        }
    });
    // An RRset never contains a record twice, and is not signed as if it did (RFC 4034 §6.3). Denials of two names may be
    // the same.
    let mut seen = HashSet::new();
    message
        .authorities
        .retain(|record| seen.insert((record.name.clone(), record.data.clone())));
    message.additionals.clear();
    let mut left = SIGNATURES_OF_MESSAGE;
    limit_signatures(&mut message.answers, &mut left);
    limit_signatures(&mut message.authorities, &mut left);
    // Unsigned denials prove nothing, and each would be processed as a separate set.
    let signed: HashSet<(Name, RecordType)> = message
        .authorities
        .iter()
        .filter_map(|record| Some((record.name.clone(), signature(record)?.input().type_covered)))
        .collect();
    message.authorities.retain(|record| match record.record_type() {
        RecordType::NSEC | RecordType::NSEC3 => signed.contains(&(record.name.clone(), record.record_type())),
        _ => true,
    });
    message
}

/// Keeps the first signatures of each RRset, as long as `left` allows. Those of algorithms that do not count here are
/// removed first (RFC 4035 §5.3.1 requires us to ignore them).
fn limit_signatures(section: &mut Vec<Record>, left: &mut usize) {
    let mut kept: HashMap<(Name, RecordType), usize> = HashMap::new();
    section.retain(|record| {
        let Some(rrsig) = signature(record) else {
            return true;
        };
        if !algorithm::counts(rrsig.input().algorithm) || *left == 0 {
            return false;
        }
        let of_rrset = kept
            .entry((record.name.clone(), rrsig.input().type_covered))
            .or_default();
        if *of_rrset == SIGNATURES_OF_RRSET {
            return false;
        }
        *of_rrset += 1;
        *left -= 1;
        true
    });
}

/// The type of a record, or, for a signature, the type that it covers.
fn covered_type(record: &Record) -> RecordType {
    signature(record).map_or(record.record_type(), |rrsig| rrsig.input().type_covered)
}

fn signature(record: &Record) -> Option<&RRSIG> {
    match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) => Some(rrsig),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hickory_proto::dnssec::Algorithm;
    use hickory_proto::dnssec::rdata::{NSEC, SigInput};
    use hickory_proto::rr::SerialNumber;

    use super::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn signature_at(owner: &str, type_covered: RecordType, algorithm: Algorithm) -> Record {
        let input = SigInput {
            type_covered,
            algorithm,
            num_labels: 2,
            original_ttl: 300,
            sig_expiration: SerialNumber::new(2),
            sig_inception: SerialNumber::new(1),
            key_tag: 1,
            signer_name: name("example."),
        };
        let rrsig = RRSIG::from_sig(input, vec![0; 64]);
        Record::from_rdata(name(owner), 300, RData::DNSSEC(DNSSECRData::RRSIG(rrsig)))
    }

    fn signatures(records: &[Record]) -> usize {
        records
            .iter()
            .filter(|record| signature(record).is_some())
            .count()
    }

    #[test]
    fn no_message_costs_more_than_a_few_signatures() {
        let question = Query::query(name("mx.example."), RecordType::A);
        let mut message = Message::query();
        for number in 0..200 {
            let algorithm = Algorithm::ECDSAP256SHA256;
            message
                .answers
                .push(signature_at("mx.example.", RecordType::A, algorithm));
            for _ in 0..5 {
                let owner = format!("h{number}.example.");
                message
                    .authorities
                    .push(signature_at(&owner, RecordType::NSEC3, algorithm));
            }
        }
        let pruned = pruned(message, &question);
        assert_eq!(signatures(&pruned.answers), SIGNATURES_OF_RRSET);
        assert_eq!(
            signatures(&pruned.authorities),
            SIGNATURES_OF_MESSAGE - SIGNATURES_OF_RRSET
        );
    }

    #[test]
    fn denials_that_nobody_signed_are_not_looked_at() {
        let question = Query::query(name("mx.example."), RecordType::A);
        let mut message = Message::query();
        for number in 0..3_000 {
            let owner = name(&format!("h{number}.example."));
            let denial = NSEC::new(name("example."), [RecordType::A]);
            let data = RData::DNSSEC(DNSSECRData::NSEC(denial));
            message.authorities.push(Record::from_rdata(owner, 300, data));
        }
        let signed = signature_at("h7.example.", RecordType::NSEC, Algorithm::ED25519);
        message.authorities.push(signed);
        let pruned = pruned(message, &question);
        assert_eq!(pruned.authorities.len(), 2);
        assert!(
            pruned
                .authorities
                .iter()
                .all(|record| record.name == name("h7.example."))
        );
    }

    #[test]
    fn signatures_that_do_not_count_do_not_crowd_out_the_others() {
        let question = Query::query(name("mx.example."), RecordType::A);
        let mut message = Message::query();
        for unknown in [5, 7, 16].map(Algorithm::from_u8) {
            for _ in 0..100 {
                message
                    .answers
                    .push(signature_at("mx.example.", RecordType::A, unknown));
            }
        }
        message
            .answers
            .push(signature_at("mx.example.", RecordType::A, Algorithm::ED25519));
        let pruned = pruned(message, &question);
        assert_eq!(signatures(&pruned.answers), 1);
    }
}
