//! Denial of existence: the NSEC (RFC 4035 §3.1.3) and NSEC3 (RFC 5155 §7.2) records that prove what is not there.

use std::collections::BTreeMap;

use data_encoding::BASE32_DNSSEC;
use hickory_proto::dnssec::Nsec3HashAlgorithm;
use hickory_proto::dnssec::rdata::{DNSSECRData, NSEC, NSEC3};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use super::tree::Tree;
use super::zone::{Denial, Span, Zone};
use crate::WorldError;

/// The chain of a zone, computed from its present records.
pub(crate) enum Chain {
    Nsec(BTreeMap<Name, Vec<RecordType>>),
    Nsec3 {
        hashes: BTreeMap<Vec<u8>, Vec<RecordType>>,
        iterations: u16,
        span: Span,
    },
    Compact(BTreeMap<Name, Vec<RecordType>>),
}

/// The type listed at a name that does not exist (RFC 9824 §2).
const NXNAME: u16 = 128;

/// What must be proved about a name that has no such record.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Claim<'a> {
    /// The name exists and does not have the type.
    NoData,
    /// Neither the name nor a wildcard for it exists.
    NoName { encloser: &'a Name },
    /// The answer came from a wildcard: the name itself does not exist (RFC 4035 §5.3.4).
    Expanded,
    /// The wildcard exists and does not have the type either.
    WildcardNoData { encloser: &'a Name },
}

impl Chain {
    pub(crate) fn of(tree: &Tree, zone: &Zone) -> Result<Self, WorldError> {
        let owners = tree.owners(zone);
        match zone.denial {
            Denial::Nsec => Ok(Self::Nsec(owners)),
            Denial::Compact => Ok(Self::Compact(owners)),
            Denial::Nsec3 { iterations, span } => {
                let mut hashes = BTreeMap::new();
                let named = |types: &[RecordType]| span == Span::Full || types != [RecordType::NS];
                for (name, types) in owners.iter().filter(|(_, types)| named(types)) {
                    hashes.insert(hash(name, iterations)?, types.clone());
                    // Empty non-terminals are links of an NSEC3 chain (RFC 5155 §7.1).
                    let mut above = name.clone();
                    while above != zone.apex && !above.is_root() {
                        above = above.base_name();
                        let types = owners.get(&above).cloned().unwrap_or_default();
                        hashes.insert(hash(&above, iterations)?, types);
                    }
                }
                Ok(Self::Nsec3 {
                    hashes,
                    iterations,
                    span,
                })
            }
        }
    }

    /// The chain of a signer that has forgotten this name.
    pub(crate) fn without(mut self, name: &Name) -> Result<Self, WorldError> {
        match &mut self {
            Self::Nsec(owners) | Self::Compact(owners) => {
                owners.remove(name);
            }
            Self::Nsec3 {
                hashes, iterations, ..
            } => {
                hashes.remove(&hash(name, *iterations)?);
            }
        }
        Ok(self)
    }

    /// Whether a proof of `claim` relies on an opt-out span, in which there may be an unsigned delegation: such an answer is
    /// not authenticated (RFC 5155 §9.2).
    pub(crate) fn is_uncertain(&self, name: &Name, claim: Claim<'_>) -> Result<bool, WorldError> {
        Ok(match (self, claim) {
            (Self::Nsec(_) | Self::Compact(_) | Self::Nsec3 { span: Span::Full, .. }, _) => false,
            (
                Self::Nsec3 {
                    span: Span::OptOut, ..
                },
                Claim::NoData,
            ) => !self.has(name)?,
            (
                Self::Nsec3 {
                    span: Span::OptOut, ..
                },
                Claim::NoName { .. } | Claim::Expanded | Claim::WildcardNoData { .. },
            ) => true,
        })
    }

    /// The records that prove `claim` about `name`, unsigned and without duplicates.
    pub(crate) fn prove(
        &self,
        zone: &Zone,
        ttl: u32,
        name: &Name,
        claim: Claim<'_>,
    ) -> Result<Vec<Record>, WorldError> {
        let spots = match self {
            Self::Nsec(_) => nsec_spots(name, claim)?,
            Self::Nsec3 { .. } => self.nsec3_spots(zone, name, claim)?,
            Self::Compact(owners) => return compact(owners, ttl, name, claim),
        };
        let mut proof: Vec<Record> = Vec::new();
        for spot in &spots {
            let record = self.link(zone, ttl, spot)?;
            if !proof.iter().any(|known| known.name == record.name) {
                proof.push(record);
            }
        }
        Ok(proof)
    }

    /// The one record that matches `name` or covers it.
    fn link(&self, zone: &Zone, ttl: u32, name: &Name) -> Result<Record, WorldError> {
        let (owner, data) = match self {
            Self::Nsec(owners) | Self::Compact(owners) => {
                let (owner, types) = owners
                    .range(..=name.clone())
                    .next_back()
                    .ok_or_else(|| WorldError::signing("a name outside its zone"))?;
                let next = owners.keys().find(|other| *other > owner).unwrap_or(&zone.apex);
                let nsec = NSEC::new_cover_self(next.clone(), types.iter().copied());
                (owner.clone(), DNSSECRData::NSEC(nsec))
            }
            Self::Nsec3 {
                hashes,
                iterations,
                span,
            } => {
                let wanted = hash(name, *iterations)?;
                let (owner, types) = hashes
                    .range(..=wanted)
                    .next_back()
                    .or_else(|| hashes.last_key_value())
                    .ok_or_else(|| WorldError::signing("an empty NSEC3 chain"))?;
                let next = hashes
                    .keys()
                    .find(|other| *other > owner)
                    .or_else(|| hashes.keys().next());
                let next = next.cloned().unwrap_or_default();
                let signed =
                    (!types.is_empty() && types.as_slice() != [RecordType::NS]).then_some(RecordType::RRSIG);
                let nsec3 = NSEC3::new(
                    Nsec3HashAlgorithm::SHA1,
                    *span == Span::OptOut,
                    *iterations,
                    Vec::new(),
                    next,
                    types.iter().copied().chain(signed),
                );
                let owner = zone
                    .apex
                    .prepend_label(BASE32_DNSSEC.encode(owner))
                    .map_err(WorldError::signing)?;
                (owner, DNSSECRData::NSEC3(nsec3))
            }
        };
        Ok(Record::from_rdata(owner, ttl, RData::DNSSEC(data)))
    }

    /// RFC 5155 §7.2: closest encloser, next closer name, and the wildcard where one matters.
    fn nsec3_spots(&self, zone: &Zone, name: &Name, claim: Claim<'_>) -> Result<Vec<Name>, WorldError> {
        let (encloser, next_closer) = self.closest(zone, name)?;
        Ok(match claim {
            Claim::NoData if self.has(name)? => vec![name.clone()],
            // A delegation that the chain leaves out (§7.2.4).
            Claim::NoData => vec![encloser, next_closer],
            Claim::Expanded => vec![next_closer],
            Claim::NoName { .. } | Claim::WildcardNoData { .. } => {
                let wildcard = wildcard_at(&encloser)?;
                vec![encloser, next_closer, wildcard]
            }
        })
    }

    /// The closest ancestor that the chain names, and the name one label longer.
    fn closest(&self, zone: &Zone, name: &Name) -> Result<(Name, Name), WorldError> {
        let mut next_closer = name.clone();
        while next_closer != zone.apex && !next_closer.is_root() {
            let encloser = next_closer.base_name();
            if self.has(&encloser)? {
                return Ok((encloser, next_closer));
            }
            next_closer = encloser;
        }
        Ok((zone.apex.clone(), name.clone()))
    }

    fn has(&self, name: &Name) -> Result<bool, WorldError> {
        Ok(match self {
            Self::Nsec(owners) | Self::Compact(owners) => owners.contains_key(name),
            Self::Nsec3 {
                hashes, iterations, ..
            } => hashes.contains_key(&hash(name, *iterations)?),
        })
    }
}

/// The one NSEC of a compact denial (RFC 9824 §3): at the name itself, up to the very next one.
fn compact(
    owners: &BTreeMap<Name, Vec<RecordType>>,
    ttl: u32,
    name: &Name,
    claim: Claim<'_>,
) -> Result<Vec<Record>, WorldError> {
    let here = |owner: &Name| owners.get(owner).cloned().unwrap_or_default();
    let types = match claim {
        // The answer is signed as the name's own.
        Claim::Expanded => return Ok(Vec::new()),
        Claim::NoName { .. } => vec![RecordType::from(NXNAME)],
        Claim::NoData => here(name),
        Claim::WildcardNoData { encloser } => here(&wildcard_at(encloser)?),
    };
    let next = name
        .prepend_label([0_u8].as_slice())
        .map_err(WorldError::signing)?;
    let nsec = NSEC::new_cover_self(next, types);
    let data = RData::DNSSEC(DNSSECRData::NSEC(nsec));
    Ok(vec![Record::from_rdata(name.clone(), ttl, data)])
}

fn nsec_spots(name: &Name, claim: Claim<'_>) -> Result<Vec<Name>, WorldError> {
    Ok(match claim {
        Claim::NoData | Claim::Expanded => vec![name.clone()],
        Claim::NoName { encloser } | Claim::WildcardNoData { encloser } => {
            vec![name.clone(), wildcard_at(encloser)?]
        }
    })
}

/// `*.` in front of a name.
pub(crate) fn wildcard_at(encloser: &Name) -> Result<Name, WorldError> {
    encloser.prepend_label("*").map_err(WorldError::signing)
}

fn hash(name: &Name, iterations: u16) -> Result<Vec<u8>, WorldError> {
    let digest = Nsec3HashAlgorithm::SHA1
        .hash(&[], name, iterations)
        .map_err(WorldError::signing)?;
    Ok(digest.as_ref().to_vec())
}
