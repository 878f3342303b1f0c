//! Marks on the records of a message: which of them a zone has signed.
//!
//! What follows from the marks is worked out elsewhere ([`proof`](super::proof), [`denial`](super::denial)).

use std::collections::BTreeSet;

use hickory_proto::dnssec::Proof;
use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, Record, RecordType};

use crate::budget::{TooMuch, Work};
use crate::flaw::Flaw;

use super::denial::signature;
use super::signature::{Keys, Rrset, as_signature, graver};

/// Checks what one zone has signed.
pub(super) struct Marker<'a> {
    pub(super) keys: &'a Keys,
    pub(super) now: i64,
    pub(super) work: &'a Work,
}

impl Marker<'_> {
    /// Marks what concerns the question: the records or the alias at the name, DNAMEs above it, and, if these are not
    /// enough, all denials. Returns what is wrong with a signature, if something is; a missing one may be legitimate.
    pub(super) fn mark(&self, message: &mut Message, question: &Query) -> Result<Flaw, TooMuch> {
        let name = question.name();
        let mut flaw = Flaw::NoSignature;
        for (owner, record_type) in sets(&message.answers, |record| {
            let here = record.name == *name
                && [question.query_type(), RecordType::CNAME].contains(&record.record_type());
            here || record.record_type() == RecordType::DNAME
        }) {
            flaw = graver(flaw, self.mark_one(&mut message.answers, &owner, record_type)?);
        }
        if is_enough(message, question) {
            return Ok(flaw);
        }
        for (owner, record_type) in sets(&message.authorities, |record| {
            matches!(record.record_type(), RecordType::NSEC | RecordType::NSEC3)
        }) {
            flaw = graver(
                flaw,
                self.mark_one(&mut message.authorities, &owner, record_type)?,
            );
        }
        Ok(flaw)
    }

    fn mark_one(
        &self,
        section: &mut [Record],
        owner: &Name,
        record_type: RecordType,
    ) -> Result<Flaw, TooMuch> {
        let good = match Rrset::of(section, owner, record_type).check(self.keys, self.now, self.work)? {
            Ok(good) => good,
            Err(flaw) => return Ok(flaw),
        };
        let mut signatures = 0;
        for record in section.iter_mut().filter(|record| record.name == *owner) {
            let is_proof = as_signature(record).is_some_and(|rrsig| {
                let covers = rrsig.input().type_covered == record_type;
                signatures += usize::from(covers);
                covers && signatures == good.index + 1
            });
            if is_proof || record.record_type() == record_type {
                record.proof = Proof::Secure;
                record.ttl = record.ttl.min(good.ttl);
            }
        }
        Ok(Flaw::NoSignature)
    }
}

/// The names and types of the records in a section that `wanted` accepts.
fn sets(section: &[Record], wanted: impl Fn(&Record) -> bool) -> BTreeSet<(Name, RecordType)> {
    let records = section.iter().filter(|record| wanted(record));
    records
        .map(|record| (record.name.clone(), record.record_type()))
        .collect()
}

/// Whether the answer section is proof by itself: signed, and for exactly this name.
fn is_enough(message: &Message, question: &Query) -> bool {
    let name = question.name();
    message.answers.iter().any(|record| {
        let counts = record.name == *name || record.record_type() == RecordType::DNAME;
        counts
            && signature(&message.answers, record)
                .is_some_and(|rrsig| rrsig.input().num_labels >= record.name.num_labels())
    })
}
