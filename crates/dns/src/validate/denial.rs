//! Denial of existence: what validated NSEC (RFC 4035 §5.4) and NSEC3 records (RFC 5155 §8) prove.
//!
//! Signatures are checked beforehand; here only secure records count, and only those of *one* signer: proofs of different
//! zones cannot be combined, and those from above a zone cut say nothing about names below it (RFC 6840 §4.1).

use hickory_proto::dnssec::Proof;
use hickory_proto::dnssec::rdata::{DNSSECRData, NSEC, NSEC3, RRSIG};
use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RData, Record, RecordType, RecordTypeSet};
use mail::Security;

use super::nsec3::{Hashes, Unfit};
use crate::hop::says_no_name;

/// What the records in an authority section prove about a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Neither the name nor a wildcard for it exists.
    NoName,
    /// The name does not exist, as its own record says (RFC 9824 §2): the RCODE may be that of an existing name.
    NoSuchName,
    /// The name, or the wildcard for it, exists without records of the type.
    NoType(Cut),
    /// Only unsigned delegations may exist there (RFC 5155 §6): this says nothing about what exists.
    OptOut,
    /// More NSEC3 iterations than we compute: RFC 9276 §3.2 lets us treat it as unsigned.
    TooManyIterations,
    /// So many that it counts as broken.
    FarTooManyIterations,
    /// Nothing.
    Unproven,
}

impl From<Unfit> for Verdict {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Mixed => Self::Unproven,
            Unfit::TooManyIterations => Self::TooManyIterations,
            Unfit::FarTooManyIterations => Self::FarTooManyIterations,
        }
    }
}

/// Whether the name that lacks the type is a delegation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// There is an NS RRset but no DS: everything below is unsigned (RFC 6840 §4.4).
    Unsigned,
    None,
}

/// The secure NSEC or NSEC3 records of one signer.
pub(super) struct Evidence<'a> {
    pub(super) signer: Name,
    links: Links<'a>,
}

enum Links<'a> {
    Nsec(Vec<(&'a Name, &'a NSEC)>),
    Nsec3(Vec<(&'a Name, &'a NSEC3)>),
}

impl<'a> Evidence<'a> {
    /// The records of the deepest signer at or above the name; with `signer`, only those of that zone.
    pub(super) fn collect(message: &'a Message, name: &Name, signer: Option<&Name>) -> Option<Self> {
        let secure: Vec<(&Record, Name)> = message
            .authorities
            .iter()
            .filter(|record| matches!(record.record_type(), RecordType::NSEC | RecordType::NSEC3))
            .filter_map(|record| {
                Some((
                    record,
                    signature(&message.authorities, record)?
                        .input()
                        .signer_name
                        .clone(),
                ))
            })
            .filter(|(_, by)| by.zone_of(name) && signer.is_none_or(|signer| signer == by))
            .collect();
        let signer = secure
            .iter()
            .map(|(_, by)| by)
            .max_by_key(|by| by.num_labels())?
            .clone();
        let (mut nsec, mut nsec3) = (Vec::new(), Vec::new());
        for (record, _) in secure.iter().filter(|(_, by)| *by == signer) {
            match &record.data {
                RData::DNSSEC(DNSSECRData::NSEC(data)) => nsec.push((&record.name, data)),
                RData::DNSSEC(DNSSECRData::NSEC3(data)) if record.name.base_name() == signer => {
                    nsec3.push((&record.name, data));
                }
                _ => {}
            }
        }
        let links = if nsec.is_empty() {
            Links::Nsec3(nsec3)
        } else {
            Links::Nsec(nsec)
        };
        Some(Self { signer, links })
    }

    /// What the records say about an absence.
    pub(super) fn about(&self, question: &Query) -> Verdict {
        match &self.links {
            Links::Nsec(links) => about_nsec(links, &self.signer, question),
            Links::Nsec3(links) => match Hashes::new(links, &self.signer) {
                Ok(hashes) => about_nsec3(&hashes, question),
                Err(unfit) => unfit.into(),
            },
        }
    }

    /// Whether they prove that a wildcard of `labels` labels was correctly expanded to the name: that neither the name nor a
    /// closer wildcard exists (RFC 4035 §5.3.4, RFC 5155 §8.8). Insecure if an unsigned delegation might exist there.
    pub(super) fn expansion(&self, name: &Name, labels: u8) -> Option<Security> {
        let encloser = name.trim_to(usize::from(labels));
        match &self.links {
            Links::Nsec(links) => {
                let (owner, nsec) = covering(links, &self.signer, name)?;
                let exists = name.zone_of(nsec.next_domain_name());
                (!exists && closest_encloser(name, owner, nsec) == encloser).then_some(Security::Secure)
            }
            Links::Nsec3(links) => {
                let hashes = Hashes::new(links, &self.signer).ok()?;
                let next_closer = name.trim_to(usize::from(labels).checked_add(1)?);
                let cover = hashes.covering(&next_closer)?;
                Some(if cover.opt_out() {
                    Security::Insecure
                } else {
                    Security::Secure
                })
            }
        }
    }
}

/// The signature by which a record was found secure: validation marks exactly that one.
pub(super) fn signature<'a>(section: &'a [Record], signed: &Record) -> Option<&'a RRSIG> {
    if signed.proof != Proof::Secure {
        return None;
    }
    section.iter().find_map(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(rrsig))
            if record.name == signed.name
                && record.proof == Proof::Secure
                && rrsig.input().type_covered == signed.record_type() =>
        {
            Some(rrsig)
        }
        _ => None,
    })
}

fn about_nsec(links: &[(&Name, &NSEC)], zone: &Name, question: &Query) -> Verdict {
    let name = question.name();
    let matching = |wanted: &Name| links.iter().find(|(owner, _)| *owner == wanted);
    if let Some((_, nsec)) = matching(name) {
        return at_itself(nsec.type_set(), question);
    }
    let Some((owner, nsec)) = covering(links, zone, name) else {
        return Verdict::Unproven;
    };
    if name.zone_of(nsec.next_domain_name()) {
        // An empty non-terminal: something exists below it (RFC 8020 §3.1).
        return Verdict::NoType(Cut::None);
    }
    let Ok(wildcard) = closest_encloser(name, owner, nsec).prepend_label("*") else {
        return Verdict::Unproven;
    };
    if let Some((_, nsec)) = matching(&wildcard) {
        return lacks(nsec.type_set(), question);
    }
    match covering(links, zone, &wildcard) {
        Some(_) => Verdict::NoName,
        None => Verdict::Unproven,
    }
}

fn about_nsec3(hashes: &Hashes<'_>, question: &Query) -> Verdict {
    let name = question.name();
    if let Some(nsec3) = hashes.matching(name) {
        return at_itself(nsec3.type_set(), question);
    }
    let mut next_closer = name.clone();
    while next_closer != *hashes.zone {
        let encloser = next_closer.base_name();
        let Some(found) = hashes.matching(&encloser) else {
            next_closer = encloser;
            continue;
        };
        // RFC 5155 §8.3: this zone cannot deny what lies below a delegation or a DNAME.
        if found.is_ancestor_delegation() {
            return Verdict::Unproven;
        }
        return about_next_closer(hashes, question, &encloser, &next_closer);
    }
    Verdict::Unproven
}

fn about_next_closer(hashes: &Hashes<'_>, question: &Query, encloser: &Name, next_closer: &Name) -> Verdict {
    let Some(cover) = hashes.covering(next_closer) else {
        return Verdict::Unproven;
    };
    if question.query_type() == RecordType::DS && cover.opt_out() {
        return Verdict::OptOut;
    }
    let Ok(wildcard) = encloser.prepend_label("*") else {
        return Verdict::Unproven;
    };
    let verdict = match (hashes.matching(&wildcard), hashes.covering(&wildcard)) {
        (Some(nsec3), _) => lacks(nsec3.type_set(), question),
        (None, Some(_)) => Verdict::NoName,
        (None, None) => Verdict::Unproven,
    };
    match verdict {
        // RFC 5155 §9.2: there may be an unsigned delegation at the next closer name.
        Verdict::NoName | Verdict::NoType(_) if cover.opt_out() => Verdict::OptOut,
        other => other,
    }
}

/// What the types at exactly this name say.
fn at_itself(types: &RecordTypeSet, question: &Query) -> Verdict {
    if says_no_name(types) {
        Verdict::NoSuchName
    } else {
        lacks(types, question)
    }
}

/// What the types at a name (or its wildcard) say about a type that was asked for.
fn lacks(types: &RecordTypeSet, question: &Query) -> Verdict {
    let wanted = question.query_type();
    // RFC 6840 §4.3: if there is an alias, it would have been the right answer.
    if types.contains(wanted) || types.contains(RecordType::CNAME) {
        return Verdict::Unproven;
    }
    let (cut, apex) = (types.contains(RecordType::NS), types.contains(RecordType::SOA));
    let child_side_of_ds = wanted == RecordType::DS && apex && !question.name().is_root();
    let parent_side_of_others = wanted != RecordType::DS && cut && !apex;
    if child_side_of_ds || parent_side_of_others {
        return Verdict::Unproven;
    }
    Verdict::NoType(if cut && !apex { Cut::Unsigned } else { Cut::None })
}

/// The NSEC that covers the name (RFC 4034 §6.1), unless it is from above a cut or DNAME on the way to the name.
fn covering<'a>(links: &[(&'a Name, &'a NSEC)], zone: &Name, name: &Name) -> Option<(&'a Name, &'a NSEC)> {
    links.iter().copied().find(|(owner, nsec)| {
        let next = nsec.next_domain_name();
        let is_last = next <= *owner;
        let beyond_a_cut = nsec.is_ancestor_delegation() && owner.zone_of(name);
        !beyond_a_cut && *owner < name && (name < next || is_last && zone.zone_of(name))
    })
}

/// The longest existing ancestor of a name, according to the NSEC that covers the name: one that it shares with either end.
fn closest_encloser(name: &Name, owner: &Name, nsec: &NSEC) -> Name {
    let mut encloser = name.base_name();
    while !encloser.is_root() && !encloser.zone_of(owner) && !encloser.zone_of(nsec.next_domain_name()) {
        encloser = encloser.base_name();
    }
    encloser
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hickory_proto::dnssec::Nsec3HashAlgorithm;

    use super::*;

    fn link(iterations: u16, next: u8) -> NSEC3 {
        let (hash, salt) = (Nsec3HashAlgorithm::SHA1, vec![0xab; 8]);
        NSEC3::new(hash, false, iterations, salt, vec![next; 20], [RecordType::A])
    }

    /// How many names are hashed to check a denial of the deepest possible name with these records.
    fn hashed(owner: &str, link: &NSEC3) -> usize {
        let zone = Name::from_ascii("test.").unwrap();
        let owner = Name::from_ascii(format!("{owner}.test.")).unwrap();
        let hashes = Hashes::new(&[(&owner, link)], &zone).ok().unwrap();
        let deep = Name::from_ascii("a.".repeat(124) + "test.").unwrap();
        about_nsec3(&hashes, &Query::query(deep, RecordType::A));
        hashes.made.get()
    }

    #[test]
    fn each_ancestor_of_a_name_is_hashed_once_and_no_more() {
        // A record that matches nothing: the search goes all the way up to the zone.
        let nothing = "0".repeat(32);
        assert!((100..=126).contains(&hashed(&nothing, &link(150, 0x55))));
    }

    #[test]
    fn beyond_the_limits_nothing_is_hashed() {
        let zone = Name::from_ascii("test.").unwrap();
        let owner = Name::from_ascii("0".repeat(32) + ".test.").unwrap();
        let verdict = |iterations| Hashes::new(&[(&owner, &link(iterations, 0x55))], &zone).err();
        assert_eq!(verdict(150), None);
        for (iterations, expected) in [
            (151, Unfit::TooManyIterations),
            (500, Unfit::TooManyIterations),
            (501, Unfit::FarTooManyIterations),
            (u16::MAX, Unfit::FarTooManyIterations),
        ] {
            assert_eq!(verdict(iterations), Some(expected), "{iterations}");
        }
    }
}
