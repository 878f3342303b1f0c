//! All records of the world and the zone cuts between them.

use std::collections::BTreeMap;

use hickory_proto::dnssec::Nsec3HashAlgorithm;
use hickory_proto::dnssec::rdata::{DNSSECRData, NSEC3PARAM};
use hickory_proto::rr::rdata::{NS, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use super::zone::{Denial, Zone};
use crate::WorldError;

/// The records of all zones in one map. Which zone a record belongs to follows from the cuts alone, so zones and records may
/// be added in any order.
pub(crate) struct Tree {
    zones: BTreeMap<Name, Zone>,
    records: BTreeMap<Name, BTreeMap<RecordType, Vec<RData>>>,
    /// TTL of every record, in seconds.
    pub(crate) ttl: u32,
}

impl Tree {
    pub(crate) fn new(root: Zone, ttl: u32) -> Self {
        let zones = BTreeMap::from([(root.apex.clone(), root)]);
        Self {
            zones,
            records: BTreeMap::new(),
            ttl,
        }
    }

    pub(crate) fn add_zone(&mut self, zone: Zone) {
        self.zones.insert(zone.apex.clone(), zone);
    }

    pub(crate) fn zone(&self, apex: &Name) -> Option<&Zone> {
        self.zones.get(apex)
    }

    pub(crate) fn zone_mut(&mut self, apex: &Name) -> Option<&mut Zone> {
        self.zones.get_mut(apex)
    }

    pub(crate) fn set(&mut self, name: &Name, record_type: RecordType, rrset: Vec<RData>) {
        let types = self.records.entry(name.clone()).or_default();
        if rrset.is_empty() {
            types.remove(&record_type);
        } else {
            types.insert(record_type, rrset);
        }
        if types.is_empty() {
            self.records.remove(name);
        }
    }

    pub(crate) fn add(&mut self, name: &Name, record_type: RecordType, rdata: RData) {
        let rrset = self
            .records
            .entry(name.clone())
            .or_default()
            .entry(record_type)
            .or_default();
        if !rrset.contains(&rdata) {
            rrset.push(rdata);
        }
    }

    /// The zone that is authoritative for a name.
    pub(crate) fn zone_of(&self, name: &Name) -> Option<&Zone> {
        let mut name = name.clone();
        loop {
            if let Some(zone) = self.zones.get(&name) {
                return Some(zone);
            }
            if name.is_root() {
                return None;
            }
            name = name.base_name();
        }
    }

    /// The zone above a cut; the root has none.
    pub(crate) fn parent_of(&self, apex: &Name) -> Option<&Zone> {
        if apex.is_root() {
            None
        } else {
            self.zone_of(&apex.base_name())
        }
    }

    /// Whether a name owns records, is a cut, or has either below it (an empty non-terminal, RFC 8020). In canonical order
    /// everything below a name follows it directly.
    pub(crate) fn exists(&self, name: &Name) -> bool {
        let record = self.records.range(name.clone()..).next().map(|(owner, _)| owner);
        let cut = self.zones.range(name.clone()..).next().map(|(apex, _)| apex);
        record.into_iter().chain(cut).any(|owner| name.zone_of(owner))
    }

    /// The owner names in one zone with their types, in canonical order (RFC 4034 §6.1): its own and its delegations.
    pub(crate) fn owners(&self, zone: &Zone) -> BTreeMap<Name, Vec<RecordType>> {
        let apex = &zone.apex;
        let is_here = |found: Option<&Zone>| found.is_some_and(|found| found.apex == *apex);
        let records = self.records.range(apex.clone()..).map(|(name, _)| name);
        let own = records
            .take_while(|name| apex.zone_of(name))
            .filter(|name| is_here(self.zone_of(name)));
        let cuts = self.zones.range(apex.clone()..).map(|(name, _)| name);
        let delegated = cuts
            .take_while(|name| apex.zone_of(name))
            .filter(|name| is_here(self.parent_of(name)));
        let all = own.chain(delegated).chain([apex]);
        all.map(|name| (name.clone(), self.types_at(zone, name)))
            .collect()
    }

    /// The types at one name as `zone` sees it, without RRSIG, NSEC and NSEC3.
    fn types_at(&self, zone: &Zone, name: &Name) -> Vec<RecordType> {
        if *name != zone.apex
            && let Some(child) = self.zones.get(name)
        {
            return match child.ds() {
                Ok(Some(_)) => vec![RecordType::NS, RecordType::DS],
                Ok(None) | Err(_) => vec![RecordType::NS],
            };
        }
        let mut types: Vec<RecordType> = self
            .records
            .get(name)
            .map(|types| types.keys().copied().collect())
            .unwrap_or_default();
        if *name == zone.apex {
            types.extend([RecordType::SOA, RecordType::NS]);
            if zone.serves_signatures() {
                types.push(RecordType::DNSKEY);
                types.extend(match zone.denial {
                    Denial::Nsec | Denial::Compact => None,
                    Denial::Nsec3 { .. } => Some(RecordType::NSEC3PARAM),
                });
            }
        }
        types
    }

    /// One record set as `zone` sees it; empty if there is none.
    pub(crate) fn rrset(
        &self,
        zone: &Zone,
        name: &Name,
        record_type: RecordType,
    ) -> Result<Vec<Record>, WorldError> {
        let mut rrset = if *name == zone.apex {
            self.apex_rrset(zone, record_type)
        } else {
            Vec::new()
        };
        if record_type == RecordType::DS
            && *name != zone.apex
            && let Some(child) = self.zones.get(name)
        {
            rrset.extend(child.ds()?);
        }
        if let Some(stored) = self.records.get(name).and_then(|types| types.get(&record_type)) {
            rrset.extend(stored.iter().cloned());
        }
        Ok(rrset
            .into_iter()
            .map(|rdata| Record::from_rdata(name.clone(), self.ttl, rdata))
            .collect())
    }

    /// What every zone has at its apex by default.
    fn apex_rrset(&self, zone: &Zone, record_type: RecordType) -> Vec<RData> {
        match record_type {
            RecordType::SOA => vec![self.soa(zone)],
            RecordType::NS => vec![RData::NS(NS(name_server()))],
            RecordType::DNSKEY if zone.serves_signatures() => {
                let keys = zone.dnskeys().cloned();
                keys.map(|key| RData::DNSSEC(DNSSECRData::DNSKEY(key))).collect()
            }
            RecordType::NSEC3PARAM if zone.serves_signatures() => match zone.denial {
                Denial::Nsec | Denial::Compact => Vec::new(),
                // The flags field is zero here even for an opt-out chain (RFC 5155 §4.1.2).
                Denial::Nsec3 { iterations, span: _ } => {
                    let param = NSEC3PARAM::new(Nsec3HashAlgorithm::SHA1, false, iterations, Vec::new());
                    vec![RData::DNSSEC(DNSSECRData::NSEC3PARAM(param))]
                }
            },
            _ => Vec::new(),
        }
    }

    fn soa(&self, zone: &Zone) -> RData {
        let mailbox = zone
            .apex
            .prepend_label("hostmaster")
            .unwrap_or_else(|_| zone.apex.clone());
        RData::SOA(SOA::new(name_server(), mailbox, 1, 3600, 600, 86_400, self.ttl))
    }
}

/// The world has one server whatever the zone; the name in NS and SOA is never asked about.
fn name_server() -> Name {
    Name::from_labels(["ns", "invalid"]).unwrap_or_else(|_| Name::root())
}
