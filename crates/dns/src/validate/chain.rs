//! The way from a trust anchor down to a name, zone cut by zone cut. Each cut is proved by the zone above it, and only by
//! that.

use std::sync::Arc;
use std::time::Duration;

use hickory_proto::dnssec::rdata::DS;
use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RecordType};
use mail::{LookupFailure, Security};

use crate::budget::{TooMuch, Work};
use crate::cache::Octets;
use crate::digest::is_named;
use crate::flaw::Flaw;
use crate::hop::{at_owner, is_answer, negative_ttl};
use crate::subtrees::Subtrees;
use crate::upstream::{Asking, Upstream};
use crate::weight::{of_digests, of_keys};
use crate::{NoAnswer, TrustAnchors};

use super::denial::{Cut as Delegation, Evidence, Verdict};
use super::keyset::{delegation, prove};
use super::marks::Marker;
use super::proof::{Proven, is_own, is_redirected, rounds, rrset};
use super::prune::pruned;
use super::signature::{Keys, now};
use super::zone_cache::{Found, ZoneCache};

/// The position of a name in the tree of signed zones.
pub(super) enum Position {
    /// Below a proven unsigned delegation, or not below any trust anchor.
    Unsigned,
    /// In this signed zone.
    Signed(Arc<Keys>),
}

/// What lies between a zone and a name below it.
#[derive(Debug, Clone)]
enum Cut {
    /// A delegation, with the DS records that count.
    Signed(Arc<[DS]>),
    Unsigned,
    None,
    /// The name does not exist in the zone, so nothing below it does (RFC 8020).
    NoName,
}

impl Octets for Cut {
    fn octets(&self) -> usize {
        match self {
            Self::Signed(named) => of_digests(named),
            Self::Unsigned | Self::None | Self::NoName => 0,
        }
    }
}

impl Octets for Arc<Keys> {
    fn octets(&self) -> usize {
        size_of::<Keys>() + self.apex.octets() + of_keys(&self.keys)
    }
}

pub(super) struct Chain {
    upstream: Arc<Upstream>,
    anchors: TrustAnchors,
    zones: ZoneCache<Arc<Keys>>,
    cuts: ZoneCache<Cut>,
}

impl Chain {
    /// Keeps at most so many octets of keys and delegations.
    pub(super) fn new(upstream: Arc<Upstream>, anchors: TrustAnchors, octets: usize) -> Self {
        Self {
            upstream,
            anchors,
            zones: ZoneCache::new(RecordType::DNSKEY, octets / 2),
            cuts: ZoneCache::new(RecordType::DS, octets / 2),
        }
    }

    pub(super) fn anchors(&self) -> &TrustAnchors {
        &self.anchors
    }

    pub(super) fn flush(&self, trees: &Subtrees) {
        self.zones.flush(trees);
        self.cuts.flush(trees);
    }

    /// Asks the servers one question, and prunes the answer.
    pub(super) async fn ask(&self, question: &Query, work: &Work) -> Result<Message, NoAnswer> {
        let about = |failure: NoAnswer| failure.about(question.name(), question.query_type());
        work.ask().map_err(|limit| about(limit.into()))?;
        let reply = self.upstream.exchange(question, Asking::Unchecked).await?;
        work.read(&reply.message).map_err(|limit| about(limit.into()))?;
        if is_answer(&reply.message, question) {
            Ok(pruned(reply.message, question))
        } else {
            Err(reply.failure(question))
        }
    }

    /// Walks from the deepest trust anchor above a name down to it. If something on the way could not be fetched, everything
    /// below it is undecided (RFC 4035 §4.3).
    pub(super) async fn descend(&self, name: &Name, work: &Work) -> Result<Position, NoAnswer> {
        self.walk(name, work).await.map_err(|failure| {
            if failure.cause.is_bogus() {
                failure
            } else {
                failure.called(LookupFailure::Indeterminate)
            }
        })
    }

    async fn walk(&self, name: &Name, work: &Work) -> Result<Position, NoAnswer> {
        // RFC 4033 §5: without an anchor above it a name is neither secure nor bogus.
        let Some(anchored) = self.anchors.zone_above(name) else {
            return Ok(Position::Unsigned);
        };
        let mut zone = self.anchored(anchored, work).await?;
        for labels in anchored.iter().count() + 1..=name.iter().count() {
            let below = name.trim_to(labels);
            match self.cut(&zone, &below, work).await? {
                (Cut::Signed(named), life) => zone = self.delegated(&below, (&named, life), work).await?,
                (Cut::Unsigned, _) => return Ok(Position::Unsigned),
                (Cut::None, _) => {}
                (Cut::NoName, _) => break,
            }
        }
        Ok(Position::Signed(zone))
    }

    /// A zone that turned out bogus may just be changing its keys: it is fetched again. What is above it is proved without
    /// it, and is kept; so are keys that a trust anchor vouches for.
    pub(super) fn doubt(&self, zone: &Name) {
        if !self.anchors.are_for(zone) {
            self.zones.forget(zone);
            self.cuts.forget(zone);
        }
    }

    async fn anchored(&self, apex: &Name, work: &Work) -> Result<Arc<Keys>, NoAnswer> {
        let find = || self.find_anchored(apex, work);
        let found = self.zones.get(apex, work, find).await;
        // Without the root nothing can be validated; that is not the name's fault, unless this look-up exceeds its budget.
        let is_ours = apex.is_root() && !work.is_over();
        let (keys, _) = found.map_err(|failure| if is_ours { failure.ours() } else { failure })?;
        Ok(keys)
    }

    async fn find_anchored(&self, apex: &Name, work: &Work) -> Found<Arc<Keys>> {
        let message = self
            .ask(&Query::query(apex.clone(), RecordType::DNSKEY), work)
            .await?;
        let vouched = |key: &_| self.anchors.vouch_for(apex, key);
        let proof = prove(&message, apex, vouched, now(), work);
        let is_anchor_wrong = matches!(proof, Ok(Err(None)));
        let found = proved(proof, apex, Flaw::NoKeyMatchesAnchor);
        found.map_err(|failure| if is_anchor_wrong { failure.ours() } else { failure })
    }

    async fn delegated(
        &self,
        apex: &Name,
        by: (&[DS], Duration),
        work: &Work,
    ) -> Result<Arc<Keys>, NoAnswer> {
        let find = || self.find_delegated(apex, by, work);
        let (keys, _) = self.zones.get(apex, work, find).await?;
        Ok(keys)
    }

    /// The keys of a zone that these DS records name, valid as long as the DS records are.
    async fn find_delegated(&self, apex: &Name, by: (&[DS], Duration), work: &Work) -> Found<Arc<Keys>> {
        let message = self
            .ask(&Query::query(apex.clone(), RecordType::DNSKEY), work)
            .await?;
        let (named, life) = by;
        let proof = prove(&message, apex, |key| is_named(key, apex, named), now(), work);
        if matches!(proof, Ok(Err(_))) {
            self.cuts.forget(apex);
        }
        let (keys, own) = proved(proof, apex, Flaw::NoKeyMatchesDs)?;
        Ok((keys, own.min(life)))
    }

    /// What the zone says about a name below it, and for how long that holds.
    async fn cut(&self, zone: &Keys, below: &Name, work: &Work) -> Found<Cut> {
        let find = || self.find_cut(zone, below, work);
        self.cuts.get(below, work, find).await
    }

    async fn find_cut(&self, zone: &Keys, below: &Name, work: &Work) -> Found<Cut> {
        let question = Query::query(below.clone(), RecordType::DS);
        let about = |failure: NoAnswer| failure.about(below, RecordType::DS).in_zone(&zone.apex);
        let mut message = self.ask(&question, work).await?;
        let marker = Marker {
            keys: zone,
            now: now(),
            work,
        };
        let wrong = marker
            .mark(&mut message, &question)
            .map_err(|limit| about(limit.into()))?;
        work.hash(rounds(&message, below))
            .map_err(|limit| about(limit.into()))?;
        match cut_in(&message, &question, &zone.apex) {
            Ok(cut) => Ok((cut, life(&message, below))),
            Err(missing) => {
                self.doubt(&zone.apex);
                let flaw = if let Flaw::NoSignature = wrong {
                    missing
                } else {
                    wrong
                };
                Err(about(NoAnswer::bogus(flaw)))
            }
        }
    }
}

/// Converts the result of proving keys into that of a look-up. `unnamed` is the flaw to report if no key is named.
fn proved(
    proof: Result<Result<(Keys, u32), Option<Flaw>>, TooMuch>,
    apex: &Name,
    unnamed: Flaw,
) -> Found<Arc<Keys>> {
    let about = |failure: NoAnswer| failure.about(apex, RecordType::DNSKEY).in_zone(apex);
    match proof.map_err(|limit| about(limit.into()))? {
        Ok((keys, ttl)) => Ok((Arc::new(keys), Duration::from_secs(ttl.into()))),
        Err(flaw) => {
            let flaw = match flaw {
                None => unnamed,
                Some(Flaw::NoSignature | Flaw::NoSuchKey { .. }) => Flaw::KeysNotSigned,
                Some(other) => other,
            };
            Err(about(NoAnswer::bogus(flaw)))
        }
    }
}

/// What an answer about DS records says, according to its marks; otherwise what is missing.
fn cut_in(message: &Message, question: &Query, zone: &Name) -> Result<Cut, Flaw> {
    let below = question.name();
    let unless_bogus = |proven: Proven| match proven {
        Proven::Status(Security::Secure) => Ok(Cut::None),
        // There may be an unsigned delegation as well.
        Proven::Status(Security::Insecure) | Proven::TooCostly(_) => Ok(Cut::Unsigned),
        Proven::NoName => Ok(Cut::NoName),
        Proven::Nothing(flaw) => Err(flaw),
    };
    if is_own(message, below, RecordType::DS) {
        // RFC 4035 §5.2, RFC 6840 §5.2: a delegation that uses only what we do not know is unsigned.
        let named = delegation(message, below);
        return Ok(if named.is_empty() {
            Cut::Unsigned
        } else {
            Cut::Signed(named.into())
        });
    }
    // A wildcard cannot delegate a zone (RFC 4592 §4.2, §4.6), and an alias stands alone (RFC 2181 §10.1).
    for record_type in [RecordType::DS, RecordType::CNAME] {
        if !at_owner(message, below, record_type).is_empty() && !is_redirected(message, below) {
            return unless_bogus(rrset(message, below, record_type));
        }
    }
    if is_redirected(message, below) {
        // RFC 6672 §2.4: there is nothing below a DNAME.
        return Ok(Cut::None);
    }
    let evidence = Evidence::collect(message, below, Some(zone));
    match evidence.map_or(Verdict::Unproven, |evidence| evidence.about(question)) {
        Verdict::NoType(Delegation::Unsigned) | Verdict::OptOut | Verdict::TooManyIterations => {
            Ok(Cut::Unsigned)
        }
        Verdict::NoType(Delegation::None) => Ok(Cut::None),
        Verdict::NoName | Verdict::NoSuchName => Ok(Cut::NoName),
        Verdict::FarTooManyIterations => Err(Flaw::TooManyIterations),
        Verdict::Unproven => Err(Flaw::NoProofOfAbsence),
    }
}

/// How long an answer about DS records may be kept.
fn life(message: &Message, below: &Name) -> Duration {
    let answers = message.answers.iter().map(|record| record.ttl).min();
    Duration::from_secs(answers.unwrap_or_else(|| negative_ttl(message, below)).into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hickory_proto::dnssec::rdata::DNSKEY;
    use hickory_proto::dnssec::{Algorithm, DigestType, PublicKeyBuf};

    use super::*;
    use crate::weight::tests::filled;

    const ROOM: usize = 10 * 1024 * 1024;

    fn zone(number: usize) -> Name {
        Name::from_ascii(format!("a-zone-with-a-long-name-{number}.example.nl.")).unwrap()
    }

    #[test]
    fn keys_take_what_they_weigh() {
        let share = filled(40_000, ROOM, |number| {
            let apex = zone(number);
            let key = || {
                let octets = PublicKeyBuf::new(vec![7; 260], Algorithm::RSASHA256);
                (7, DNSKEY::new(true, false, false, octets))
            };
            let keys = (0..4).map(|_| key()).collect();
            (apex.clone(), Arc::new(Keys { apex, keys }))
        });
        assert!((0.5..1.15).contains(&share), "{share}");
    }

    #[test]
    fn delegations_take_what_they_weigh() {
        for (number, count) in [(100_000, 0), (40_000, 2), (8_000, 20)] {
            let share = filled(number, ROOM, |number| {
                let ds = || DS::new(7, Algorithm::ED25519, DigestType::SHA256, vec![9; 32]);
                let named: Vec<DS> = (0..count).map(|_| ds()).collect();
                let cut = if named.is_empty() {
                    Cut::None
                } else {
                    Cut::Signed(named.into())
                };
                (zone(number), cut)
            });
            // Memory that the previous one freed is reused.
            assert!(share < 1.15, "{count}: {share}");
        }
    }
}
