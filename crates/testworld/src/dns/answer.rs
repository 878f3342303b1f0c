//! The authoritative answer to one question, with its proofs (RFC 4035 §3.1).

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::CNAME;
use hickory_proto::rr::{Name, RData, Record, RecordType};

use super::denial::{Chain, Claim, wildcard_at};
use super::rdata::dname_target;
use super::tree::Tree;
use super::zone::{Denial, Status, Zone};
use crate::WorldError;

/// The most aliases followed in one answer; resolvers have a limit too.
const MAX_ALIASES: usize = 12;

/// What a correct validator would conclude about an answer. Ordered: an answer is only as good as its worst hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Security {
    Bogus,
    Insecure,
    Secure,
}

/// The sections of one answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: ResponseCode,
    pub(crate) answers: Vec<Record>,
    pub(crate) authorities: Vec<Record>,
    pub(crate) security: Security,
}

impl Answer {
    fn new() -> Self {
        Self {
            code: ResponseCode::NoError,
            answers: Vec::new(),
            authorities: Vec::new(),
            security: Security::Secure,
        }
    }

    /// A code and nothing else.
    pub(crate) fn bare(code: ResponseCode) -> Self {
        Self {
            code,
            security: Security::Insecure,
            ..Self::new()
        }
    }

    pub(crate) fn coded(self, code: ResponseCode) -> Self {
        Self { code, ..self }
    }

    /// Differs from the zone's data: bogus to a validator, unless the zone is insecure anyway.
    pub(crate) fn forged(self) -> Self {
        let security = match self.security {
            Security::Secure | Security::Bogus => Security::Bogus,
            Security::Insecure => Security::Insecure,
        };
        Self { security, ..self }
    }
}

/// Answers from all zones as a recursive resolver would: aliases are followed from zone to zone. An endless chain is
/// returned as far as it was followed, without an error, as some resolvers do.
pub(crate) fn respond(tree: &Tree, name: &Name, record_type: RecordType) -> Result<Answer, WorldError> {
    let mut answer = Answer::new();
    let mut name = name.to_lowercase();
    name.set_fqdn(true);
    for _ in 0..=MAX_ALIASES {
        let Some(zone) = responsible_zone(tree, &name, record_type) else {
            answer.code = ResponseCode::Refused;
            return Ok(answer);
        };
        answer.security = answer.security.min(security_of(tree, zone));
        match (Hop {
            tree,
            zone,
            record_type,
        })
        .resolve(&name, &mut answer)?
        {
            Step::Done => return Ok(answer),
            Step::Follow(target) => name = target,
        }
    }
    Ok(answer)
}

/// NODATA whose only proof is the SOA of some other zone: what a forger can say who owns an unsigned zone.
pub(crate) fn soa_of(tree: &Tree, zone: &Name) -> Result<Answer, WorldError> {
    let zone = tree
        .zone(zone)
        .ok_or_else(|| WorldError::NoZone(zone.to_string()))?;
    let mut answer = Answer::new();
    answer.authorities = tree.rrset(zone, &zone.apex, RecordType::SOA)?;
    Ok(answer.forged())
}

/// The wildcard beside `name`, validly signed, returned as if it were the name's own and without the proof that the name
/// does not exist (RFC 4035 §5.3.4 makes a validator refuse it).
pub(crate) fn replay_wildcard(
    tree: &Tree,
    name: &Name,
    record_type: RecordType,
) -> Result<Answer, WorldError> {
    let mut answer = Answer::new();
    if let Some(zone) = tree.zone_of(name) {
        answer.security = security_of(tree, zone);
        let wildcard = wildcard_at(&name.base_name())?;
        Hop {
            tree,
            zone,
            record_type,
        }
        .answered(&wildcard, name, &mut answer)?;
    }
    Ok(answer.forged())
}

/// A name denied as if nothing stood at it or below it, with validly signed proofs.
pub(crate) fn deny_existing(tree: &Tree, name: &Name) -> Result<Answer, WorldError> {
    let mut answer = Answer::new().coded(ResponseCode::NXDomain);
    let Some(zone) = tree.zone_of(name) else {
        return Ok(answer);
    };
    answer.security = security_of(tree, zone);
    let hop = Hop {
        tree,
        zone,
        record_type: RecordType::A,
    };
    let soa = tree.rrset(zone, &zone.apex, RecordType::SOA)?;
    answer.authorities.extend(hop.signed(soa)?);
    let encloser = name.base_name();
    let chain = Chain::of(tree, zone)?.without(name)?;
    for record in chain.prove(zone, tree.ttl, name, Claim::NoName { encloser: &encloser })? {
        answer.authorities.extend(hop.signed(vec![record])?);
    }
    Ok(answer)
}

/// The zone that answers: a DS lives above the cut (RFC 4035 §3.1.4.1).
fn responsible_zone<'a>(tree: &'a Tree, name: &Name, record_type: RecordType) -> Option<&'a Zone> {
    let zone = tree.zone_of(name)?;
    if record_type == RecordType::DS && zone.apex == *name {
        return tree.parent_of(name).or(Some(zone));
    }
    Some(zone)
}

/// Security is decided by the first zone on the way down from the root that is not plainly signed.
fn security_of(tree: &Tree, zone: &Zone) -> Security {
    let above = tree
        .parent_of(&zone.apex)
        .map_or(Security::Secure, |parent| security_of(tree, parent));
    match (above, zone.status) {
        (Security::Bogus | Security::Insecure, _) => above,
        (Security::Secure, Status::Signed) => Security::Secure,
        (Security::Secure, Status::Unsigned) => Security::Insecure,
        (Security::Secure, Status::Bogus(_)) => Security::Bogus,
    }
}

enum Step {
    Done,
    Follow(Name),
}

/// One question to one zone.
struct Hop<'a> {
    tree: &'a Tree,
    zone: &'a Zone,
    record_type: RecordType,
}

impl Hop<'_> {
    fn resolve(&self, name: &Name, answer: &mut Answer) -> Result<Step, WorldError> {
        if let Some(step) = self.redirected(name, answer)? {
            return Ok(step);
        }
        if self.tree.exists(name) {
            if let Some(step) = self.answered(name, name, answer)? {
                return Ok(step);
            }
            self.deny(name, Claim::NoData, answer)?;
            return Ok(Step::Done);
        }
        let encloser = self.closest_encloser(name);
        let wildcard = wildcard_at(&encloser)?;
        if !self.tree.exists(&wildcard) {
            if self.zone.denial != Denial::Compact || !self.zone.serves_signatures() {
                answer.code = ResponseCode::NXDomain;
            }
            self.deny(name, Claim::NoName { encloser: &encloser }, answer)?;
            return Ok(Step::Done);
        }
        if let Some(step) = self.answered(&wildcard, name, answer)? {
            self.prove(name, Claim::Expanded, answer)?;
            return Ok(step);
        }
        self.deny(name, Claim::WildcardNoData { encloser: &encloser }, answer)?;
        Ok(Step::Done)
    }

    /// A DNAME above the name redirects it (RFC 6672 §3.2); the CNAME made from it is not signed.
    fn redirected(&self, name: &Name, answer: &mut Answer) -> Result<Option<Step>, WorldError> {
        let mut owner = name.clone();
        while owner != self.zone.apex && !owner.is_root() {
            owner = owner.base_name();
            let rrset = self.tree.rrset(self.zone, &owner, RecordType::DNAME)?;
            let Some(target) = rrset.first().and_then(|record| dname_target(&record.data)) else {
                continue;
            };
            answer.answers.extend(self.signed(rrset)?);
            let kept = usize::from(name.num_labels()).saturating_sub(usize::from(owner.num_labels()));
            let prefix = Name::from_labels(name.iter().take(kept)).map_err(WorldError::signing)?;
            let Ok(new_name) = prefix.append_domain(&target) else {
                answer.code = ResponseCode::YXDomain;
                return Ok(Some(Step::Done));
            };
            let alias = RData::CNAME(CNAME(new_name.clone()));
            answer
                .answers
                .push(Record::from_rdata(name.clone(), self.tree.ttl, alias));
            let wanted = self.record_type == RecordType::CNAME;
            return Ok(Some(if wanted {
                Step::Done
            } else {
                Step::Follow(new_name)
            }));
        }
        Ok(None)
    }

    /// The record set stored at `owner`, returned as that of `name`; `None` if there is neither the type nor an alias.
    fn answered(&self, owner: &Name, name: &Name, answer: &mut Answer) -> Result<Option<Step>, WorldError> {
        let mut step = Step::Done;
        let mut rrset = self.tree.rrset(self.zone, owner, self.record_type)?;
        if rrset.is_empty() {
            rrset = self.tree.rrset(self.zone, owner, RecordType::CNAME)?;
            match rrset.first().map(|record| &record.data) {
                Some(RData::CNAME(target)) => step = Step::Follow(target.0.clone()),
                _ => return Ok(None),
            }
        }
        if self.zone.denial == Denial::Compact {
            for record in &mut rrset {
                record.name = name.clone();
            }
        }
        let mut records = self.signed(rrset)?;
        // Signed under the wildcard's own name, returned under the name asked for (RFC 4035 §3.1.3.3).
        for record in &mut records {
            record.name = name.clone();
        }
        answer.answers.extend(records);
        Ok(Some(step))
    }

    fn deny(&self, name: &Name, claim: Claim<'_>, answer: &mut Answer) -> Result<(), WorldError> {
        let soa = self.tree.rrset(self.zone, &self.zone.apex, RecordType::SOA)?;
        answer.authorities.extend(self.signed(soa)?);
        self.prove(name, claim, answer)
    }

    fn prove(&self, name: &Name, claim: Claim<'_>, answer: &mut Answer) -> Result<(), WorldError> {
        if !self.zone.serves_signatures() {
            return Ok(());
        }
        let chain = Chain::of(self.tree, self.zone)?;
        for record in chain.prove(self.zone, self.tree.ttl, name, claim)? {
            answer.authorities.extend(self.signed(vec![record])?);
        }
        if chain.is_uncertain(name, claim)? {
            answer.security = answer.security.min(Security::Insecure);
        }
        Ok(())
    }

    fn signed(&self, mut rrset: Vec<Record>) -> Result<Vec<Record>, WorldError> {
        if self.zone.serves_signatures() {
            rrset.extend(self.zone.sign(&rrset)?);
        }
        Ok(rrset)
    }

    fn closest_encloser(&self, name: &Name) -> Name {
        let mut encloser = name.base_name();
        while encloser != self.zone.apex && !encloser.is_root() && !self.tree.exists(&encloser) {
            encloser = encloser.base_name();
        }
        encloser
    }
}
