//! Looks at one domain: every look-up, and a session with every address of every host.

use std::collections::HashMap;
use std::sync::Arc;

use delivery::DeliveryConfig;
use delivery::route::{self, Candidate, Means, Route, RouteHost, Sought};
use dns::mx::{self, MxFinding};
use dns::{Data, MxRecord, Resolver};
use futures_util::future::join_all;
use jiff::{Timestamp, Zoned};
use mail::{Domain, LookupFailure, NextHop};
use mta_sts::Policies;
use parking_lot::Mutex;
use policy::Policy;
use policy::decision::Decision;
use policy::facts::{Addresses, HostFindings};
use tokio::sync::{OnceCell, Semaphore};

use super::contacts::{Contacts, date, untried};
use super::observation::{
    AddressSeen, HostKind, HostSeen, MxKind, MxSeen, Observation, ParentSeen, SignatureSeen, TlsrptKind,
    TlsrptSeen, ZoneSeen,
};
use super::plain::{self, preference, sts, tlsa};
use super::zone::Asking;
use crate::explain::{address_status, host_steps, mx_words};
use crate::lookup_report::LookupReport;

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What a verdict needs: one connection to each address.
    Verdict,
    /// Also the name servers one by one, and what else a server can do.
    Everything,
}

/// What is needed to look at domains.
pub(crate) struct Examiner {
    pub(super) resolver: Resolver,
    pub(super) delivery: DeliveryConfig,
    pub(super) policies: Policies,
    /// `None`: DNS alone.
    pub(super) contacts: Option<Contacts>,
    pub(super) depth: Depth,
    /// Where name servers listen: 53, except in tests.
    pub(super) name_server_port: u16,
    /// How many name servers are asked directly at once.
    pub(super) direct: Semaphore,
    /// What each TLSA base domain has in DNS.
    pub(super) bases: Mutex<HashMap<Domain, Arc<OnceCell<Surroundings>>>>,
}

/// What stands around the TLSA records of a host in DNS.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    signatures: Vec<SignatureSeen>,
    /// The zone that signs the name.
    signer: Option<String>,
    parent: ParentSeen,
    zone: Option<ZoneSeen>,
    caa: Option<LookupReport>,
}

impl Examiner {
    /// Looks at a domain. It is never an error: what fails is part of what is seen.
    pub(crate) async fn examine(&self, domain: &Domain) -> Observation {
        let checked = Timestamp::now();
        let (mx, discovery, tlsrpt) = tokio::join!(
            self.mx(domain),
            self.policies.discover(domain),
            self.tlsrpt(domain)
        );
        let (mx, exchanges) = mx;
        let hosts = match mx.kind {
            MxKind::Hosts | MxKind::Implicit => self.hosts(domain, &exchanges).await,
            MxKind::NullMx | MxKind::NoSuchDomain | MxKind::Failed => Vec::new(),
        };
        let names = hosts.iter().filter(|host| host.kind == HostKind::Name);
        Observation {
            domain: domain.to_string(),
            checked,
            port: self.delivery.port,
            connected: self.contacts.is_some(),
            mta_sts: sts(&discovery, names.map(|host| host.name.as_str())),
            mx,
            hosts,
            tlsrpt,
        }
    }

    fn asking(&self) -> Asking<'_> {
        Asking {
            resolver: &self.resolver,
            ignored: &self.delivery.ignore_addresses,
            port: self.name_server_port,
            places: &self.direct,
        }
    }

    async fn mx(&self, domain: &Domain) -> (MxSeen, Arc<[MxRecord]>) {
        let found = mx::discover(&self.resolver, domain).await;
        let lookup = self.resolver.mx(domain).await;
        let (kind, exchanges) = match found {
            MxFinding::Failed(_) => (MxKind::Failed, Arc::default()),
            MxFinding::NullMx(_) => (MxKind::NullMx, Arc::default()),
            MxFinding::NxDomain { .. } => (MxKind::NoSuchDomain, Arc::default()),
            MxFinding::NoData { .. } => (MxKind::Implicit, Arc::default()),
            MxFinding::Records { exchanges, .. } => (MxKind::Hosts, exchanges),
        };
        let signatures = match kind {
            MxKind::Hosts | MxKind::NullMx => self.signatures(domain.as_str(), "MX").await,
            MxKind::Implicit | MxKind::NoSuchDomain | MxKind::Failed => Vec::new(),
        };
        let zone = match (self.depth, kind) {
            (Depth::Verdict, _) | (_, MxKind::NoSuchDomain) => None,
            (Depth::Everything, _) => self.asking().zone(domain).await,
        };
        let seen = MxSeen {
            kind,
            lookup: LookupReport::new(&lookup, mx_words),
            zone,
            signatures,
        };
        (seen, exchanges)
    }

    async fn signatures(&self, name: &str, record_type: &str) -> Vec<SignatureSeen> {
        let found = self.resolver.signatures(name, record_type).await;
        let signatures = found.unwrap_or_default().into_iter();
        signatures
            .map(|signature| SignatureSeen {
                zone: signature.zone,
                ttl: signature.ttl,
                from: date(signature.from),
                until: date(signature.until),
            })
            .collect()
    }

    async fn tlsrpt(&self, domain: &Domain) -> TlsrptSeen {
        let name = tlsrpt::record_name(domain);
        let records = match &name {
            Some(name) => self.resolver.txt(name).await,
            None => return plain::tlsrpt(&[]),
        };
        match records {
            Ok(answer) => plain::tlsrpt(answer.records()),
            Err(failure) => TlsrptSeen {
                status: TlsrptKind::Failed,
                records: Vec::new(),
                reason: Some(failure.to_string()),
            },
        }
    }

    /// All hosts, as a delivery finds them under the policy that the RFCs describe, whatever the administrator's is.
    async fn hosts(&self, domain: &Domain, exchanges: &[MxRecord]) -> Vec<HostSeen> {
        let policy = Policy::builtin();
        let means = Means {
            policy: &policy,
            resolver: &self.resolver,
            // What it means for the hosts is said apart: it is DANE that the verdict is about.
            mta_sts: None,
            config: &self.delivery,
            today: Zoned::now().date(),
        };
        let next_hop = NextHop::Domain {
            domain: domain.clone(),
            port: None,
        };
        let route = route::find(Sought::usual(&next_hop), means).await;
        let mut hosts = match &route.decision {
            Decision::Try(candidates) | Decision::PassOver(_, candidates) => {
                let each = candidates
                    .iter()
                    .map(|candidate| self.host(&route, &candidate.host, Some(candidate)));
                join_all(each).await
            }
            Decision::Stop(_, hosts) => {
                join_all(hosts.iter().map(|host| self.host(&route, host, None))).await
            }
        };
        for host in &mut hosts {
            host.preference = preference(exchanges, &host.name);
        }
        hosts.sort_by(|one, other| (one.preference, &one.name).cmp(&(other.preference, &other.name)));
        hosts
    }

    async fn host(&self, route: &Route, host: &RouteHost, candidate: Option<&Candidate>) -> HostSeen {
        let mut records = tlsa(host, route.port);
        let around = async {
            match (host.tlsa().map(|(base, _)| base).or(host.name()), &records.owner) {
                (Some(base), Some(owner)) => Some(self.around(base, owner, route.port).await),
                (None, _) | (_, None) => None,
            }
        };
        let (around, addresses) = tokio::join!(around, self.addresses(route, host, candidate));
        let (name, kind) = match (host.name(), host.no_name()) {
            (Some(name), _) => (name.to_string(), HostKind::Name),
            (None, Some(text)) => (text.to_owned(), HostKind::Invalid),
            (None, None) => (
                host.addresses()
                    .first()
                    .map_or_else(String::new, ToString::to_string),
                HostKind::Address,
            ),
        };
        let findings = &host.facts.findings;
        let (zone, caa) = match around {
            Some(around) => {
                records.signatures = around.signatures;
                records.zone = around.signer;
                records.parent = around.parent;
                (around.zone, around.caa)
            }
            None => (None, None),
        };
        HostSeen {
            provider: host.name().map(|name| report::provider::of(name).to_string()),
            name,
            kind,
            preference: None,
            address_status: address_status(findings),
            address_reason: match findings {
                HostFindings::Named {
                    addresses: Addresses::Unresolvable(failure),
                    ..
                } => Some(failure.to_string()),
                HostFindings::Named { .. } | HostFindings::AddressLiteral | HostFindings::AddressName => None,
            },
            ignored: host.ignored().to_vec(),
            lookups: host_steps(host, route.port),
            tlsa: records,
            addresses,
            zone,
            caa,
        }
    }

    async fn addresses(
        &self,
        route: &Route,
        host: &RouteHost,
        candidate: Option<&Candidate>,
    ) -> Vec<AddressSeen> {
        let addresses = host.addresses().iter().copied();
        match (&self.contacts, candidate) {
            (Some(contacts), Some(candidate)) => {
                join_all(addresses.map(|address| contacts.address(route, candidate, address))).await
            }
            (None, _) | (_, None) => addresses.map(untried).collect(),
        }
    }

    /// Once for each base domain, whatever the number of domains that it serves.
    async fn around(&self, base: &Domain, owner: &str, port: u16) -> Surroundings {
        let cell = Arc::clone(self.bases.lock().entry(base.clone()).or_default());
        cell.get_or_init(|| self.look_around(base, owner, port))
            .await
            .clone()
    }

    async fn look_around(&self, base: &Domain, owner: &str, port: u16) -> Surroundings {
        let signatures = self.signatures(owner, "TLSA").await;
        let signer = match signatures.first() {
            Some(signature) => Some(signature.zone.clone()),
            None => self.signer(base).await,
        };
        let parent = if signatures.is_empty() {
            ParentSeen::NotAsked
        } else {
            self.parent(base).await
        };
        let (zone, caa) = match self.depth {
            Depth::Verdict => (None, None),
            Depth::Everything => {
                let asking = self.asking();
                let (zone, caa) = tokio::join!(asking.zone_with_tlsa(port, base), self.caa(base));
                (zone, caa)
            }
        };
        Surroundings {
            signatures,
            signer,
            parent,
            zone,
            caa,
        }
    }

    /// The zone that signs the addresses of a host.
    async fn signer(&self, host: &Domain) -> Option<String> {
        for record_type in ["A", "AAAA"] {
            if let Some(signature) = self.signatures(host.as_str(), record_type).await.first() {
                return Some(signature.zone.clone());
            }
        }
        None
    }

    async fn parent(&self, base: &Domain) -> ParentSeen {
        match self.resolver.text(&format!("_tcp.{base}"), "A").await {
            Ok(Ok(answer)) => match answer.data {
                Data::NxDomain => ParentSeen::Denied,
                Data::NoData | Data::Records(_) => ParentSeen::Exists,
            },
            Ok(Err(failure)) if failure.cause == LookupFailure::Bogus => ParentSeen::Denied,
            Ok(Err(_)) | Err(_) => ParentSeen::Failed,
        }
    }

    /// The CAA records at the name, or at the closest name above it that has any (RFC 8659 §3).
    async fn caa(&self, name: &Domain) -> Option<LookupReport> {
        let mut at = name.clone();
        loop {
            let found = self.resolver.text(at.as_str(), "CAA").await.ok()?;
            let is_end = !found.as_ref().is_ok_and(|answer| answer.records().is_empty());
            match at.parent() {
                Some(parent) if !is_end => at = parent,
                Some(_) | None => return Some(LookupReport::new(&found, String::clone)),
            }
        }
    }
}
