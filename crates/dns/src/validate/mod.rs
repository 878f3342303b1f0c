//! Validation in this process, up to the trust anchors.
//!
//! An answer is secure if its records, or the denials in their place, are signed by the zone that the name belongs to, and a
//! chain of keys leads from a trust anchor to that zone. In this order:
//!
//! 1. The servers are asked; of what they say only what is about the question is looked at ([`prune`]).
//! 2. From the deepest trust anchor above it the signer is descended to, cut by cut ([`chain`]); what was found out on the way
//!    is kept for its time ([`zone_cache`]). A zone has the keys of its set as soon as one that the cut or the anchor names has signed
//!    that ([`keyset`]).
//! 3. Its signatures are checked ([`signature`]), and the records that have a good one marked ([`marks`]).
//! 4. What the marks prove is read off them: an RRset, for a wildcard's also that nothing closer exists, or an absence ([`proof`],
//!    [`denial`], [`nsec3`]).
//!
//! Everything else is insecure only if the way down to the name proves an unsigned delegation; otherwise it is bogus (RFC
//! 4035 §4.3), or indeterminate if something on the way could not be fetched. [`budget`](crate::budget) limits the work that
//! servers can cause.

mod chain;
mod denial;
pub mod fuzzing;
mod keyset;
mod marks;
mod nsec3;
mod proof;
mod prune;
mod signature;
mod zone_cache;

use std::collections::BTreeSet;
use std::sync::Arc;

use hickory_proto::dnssec::Proof;
use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RecordType};
use mail::{LookupFailure, Security};

use crate::budget::Work;
use crate::flaw::Flaw;
use crate::hop::{Finding, Hop, read, signed};
use crate::subtrees::Subtrees;
use crate::upstream::Upstream;
use crate::{NoAnswer, TrustAnchors};
use chain::{Chain, Position};
use marks::Marker;
use proof::{Proven, proven, rounds};
pub(crate) use signature::signatures as signatures_of;
use signature::{Keys, as_signature, now};

/// The most signers of one answer whose keys are fetched. A correct answer has one.
const SIGNERS: usize = 3;

/// A validating resolver behind any upstream that passes DNSSEC records on.
pub(crate) struct Validator {
    chain: Chain,
}

impl Validator {
    /// Keeps at most so many octets of keys and delegations.
    pub(crate) fn new(upstream: Arc<Upstream>, anchors: TrustAnchors, octets: usize) -> Self {
        let chain = Chain::new(upstream, anchors, octets);
        Self { chain }
    }

    /// What stands at a name, validated.
    pub(crate) async fn hop(
        &self,
        name: &Name,
        record_type: RecordType,
        work: &Work,
    ) -> Result<Hop, NoAnswer> {
        let question = Query::query(name.clone(), record_type);
        let mut message = self.chain.ask(&question, work).await?;
        let (finding, _) = read(&message, &question)?;
        let proven = self.judge(&mut message, &question, &finding, work).await?;
        // With the TTLs that the signatures allow.
        let (finding, ttl) = read(&message, &question)?;
        let (security, finding) = match proven {
            Proved::Status(security) => (security, finding),
            Proved::NoName => (Security::Secure, Finding::NxDomain),
        };
        Ok(Hop {
            security,
            finding,
            ttl,
            signed: signed(&message, &question, |record| record.proof == Proof::Secure),
        })
    }

    /// The records at a name below a negative trust anchor (RFC 7646): no signature is looked at.
    pub(crate) async fn unvalidated(
        &self,
        name: &Name,
        record_type: RecordType,
        work: &Work,
    ) -> Result<Hop, NoAnswer> {
        let question = Query::query(name.clone(), record_type);
        let (finding, ttl) = read(&self.chain.ask(&question, work).await?, &question)?;
        Ok(Hop {
            security: Security::Insecure,
            finding,
            ttl,
            signed: None,
        })
    }

    pub(crate) fn anchors(&self) -> &TrustAnchors {
        self.chain.anchors()
    }

    /// Whether a name is below a trust anchor.
    pub(crate) fn reaches(&self, name: &Name) -> bool {
        self.anchors().zone_above(name).is_some()
    }

    pub(crate) fn flush(&self, trees: &Subtrees) {
        self.chain.flush(trees);
    }

    async fn judge(
        &self,
        message: &mut Message,
        question: &Query,
        finding: &Finding,
        work: &Work,
    ) -> Result<Proved, NoAnswer> {
        let mut flaw = None;
        for signer in signers(message, question) {
            let zone = match self.chain.descend(&signer, work).await? {
                Position::Signed(zone) if zone.apex == signer => zone,
                // It is not a zone; or it is unsigned, which proves nothing if there is a trust anchor between it and the
                // name.
                Position::Signed(_) | Position::Unsigned => continue,
            };
            match proven_by(&zone, message, question, finding, work)? {
                Proven::Status(security) => return Ok(Proved::Status(security)),
                Proven::NoName => return Ok(Proved::NoName),
                // Exactly the zone that the name belongs to, not one above it, is known to need too many iterations.
                Proven::TooCostly(zone) => match self.chain.descend(&place(question), work).await? {
                    Position::Signed(keys) if keys.apex != zone => {}
                    Position::Signed(_) | Position::Unsigned => {
                        return Ok(Proved::Status(Security::Insecure));
                    }
                },
                Proven::Nothing(missing) => flaw = flaw.or(Some(missing)),
            }
        }
        match self.chain.descend(&place(question), work).await? {
            Position::Unsigned => Ok(Proved::Status(Security::Insecure)),
            Position::Signed(zone) => {
                self.chain.doubt(&zone.apex);
                let flaw = flaw.unwrap_or_else(|| unsigned(finding));
                let bogus = NoAnswer::bogus(flaw).about(question.name(), question.query_type());
                Err(bogus.in_zone(&zone.apex))
            }
        }
    }
}

/// What the records that one zone has signed prove.
fn proven_by(
    zone: &Keys,
    message: &mut Message,
    question: &Query,
    finding: &Finding,
    work: &Work,
) -> Result<Proven, NoAnswer> {
    let marker = Marker {
        keys: zone,
        now: now(),
        work,
    };
    let name = question.name();
    let wrong = marker.mark(message, question).and_then(|wrong| {
        work.hash(rounds(message, name))?;
        Ok(wrong)
    });
    let wrong = wrong.map_err(|limit| NoAnswer::from(limit).about(name, question.query_type()))?;
    Ok(match (proven(message, question, finding), wrong) {
        (Proven::Nothing(missing), Flaw::NoSignature) => Proven::Nothing(missing),
        (Proven::Nothing(_), wrong) => Proven::Nothing(wrong),
        (proven, _) => proven,
    })
}

/// The final result for an answer.
enum Proved {
    Status(Security),
    /// The name does not exist, whatever the RCODE says.
    NoName,
}

/// The name whose zone answers a question: a DS RRset belongs to the parent (RFC 4035 §3.1.4.1).
fn place(question: &Query) -> Name {
    match question.query_type() {
        RecordType::DS => question.name().base_name(),
        _ => question.name().clone(),
    }
}

/// The signers in a message that are entitled to sign, deepest first.
fn signers(message: &Message, question: &Query) -> Vec<Name> {
    let place = place(question);
    let records = message.answers.iter().chain(&message.authorities);
    let all: BTreeSet<Name> = records
        .filter_map(as_signature)
        .map(|rrsig| &rrsig.input().signer_name)
        .filter(|signer| signer.zone_of(&place))
        .map(Name::to_lowercase)
        .collect();
    let mut all = Vec::from_iter(all);
    all.sort_by_key(|signer| std::cmp::Reverse(signer.iter().count()));
    all.truncate(SIGNERS);
    all
}

/// What is missing if nothing is signed.
fn unsigned(finding: &Finding) -> Flaw {
    match finding {
        Finding::Records(_) | Finding::Alias(_) => Flaw::NoSignature,
        Finding::NoData | Finding::NxDomain => Flaw::NoProofOfAbsence,
    }
}

/// What a look-up that ran out of time was waiting for: keys or a delegation on the way, without which nothing is decided.
pub(crate) fn overdue(late: NoAnswer, work: &Work) -> NoAnswer {
    match work.awaited() {
        Some((name, record_type)) => late
            .called(LookupFailure::Indeterminate)
            .about(&name, record_type),
        None => late,
    }
}
