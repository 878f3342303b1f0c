//! Looks at one domain: every look-up, and a session with every address of every host.

use std::sync::Arc;
use std::time::Duration;

use delivery::DeliveryConfig;
use delivery::route::{self, Candidate, Means, Route, RouteHost, Sought};
use dns::mx::{self, MxFinding};
use dns::{Data, Lookup, MxRecord, NoAnswer, Resolver};
use futures_util::future::join_all;
use jiff::{Timestamp, Zoned};
use mail::{Domain, LookupFailure, NextHop};
use mta_sts::Policies;
use policy::Policy;
use policy::decision::Decision;
use policy::facts::{Addresses, HostFindings};
use serde::Serialize;
use tokio::sync::Semaphore;

use super::contacts::{Contacts, untried};
use super::deadline::Deadline;
use super::observation::{
    AddressSeen, Depth, FailureKind, HostKind, HostSeen, Manner, MxKind, MxSeen, Observation, ParentSeen,
    StsSeen, TlsrptKind, TlsrptSeen, Unexamined, ZoneSeen,
};
use super::once::{Lasting, Octets, Once};
use super::outcome::Outcome;
use super::plain::{self, preference, sts, tlsa};
use super::zone::Asking;
use crate::explain::{address_status, host_steps, mx_words};
use crate::lookup_report::LookupReport;

/// What is needed to look at domains.
pub(crate) struct Examiner {
    pub(super) resolver: Resolver,
    pub(super) delivery: DeliveryConfig,
    pub(super) policies: Policies,
    /// `None`: DNS alone.
    pub(super) contacts: Option<Contacts>,
    pub(super) depth: Depth,
    /// Of what expires within so many days the findings warn.
    pub(super) days: u16,
    /// For one domain as a whole.
    pub(super) limit: Duration,
    /// Where name servers listen: 53, except in tests.
    pub(super) name_server_port: u16,
    /// How many name servers are asked directly at once.
    pub(super) direct: Semaphore,
    /// What each TLSA base domain has in DNS.
    pub(super) bases: Once<Domain, BaseSeen>,
}

/// The most that is remembered of what stands around TLSA records, in octets.
pub(super) const AROUND: usize = 8 * 1024 * 1024;

/// What stands around the TLSA records of a host in DNS.
#[derive(Debug, Clone, Serialize)]
pub(super) struct BaseSeen {
    parent: ParentSeen,
    zone: Option<ZoneSeen>,
    caa: Option<LookupReport>,
}

impl Octets for BaseSeen {
    /// In memory it takes about twice what it takes in writing.
    fn octets(&self) -> usize {
        size_of::<Self>() + 2 * serde_json::to_vec(self).map_or(0, |json| json.len())
    }
}

impl Lasting for BaseSeen {}

impl Octets for Domain {
    fn octets(&self) -> usize {
        size_of::<Self>() + self.as_str().len()
    }
}

impl Examiner {
    /// Looks at a domain, as long as there is time. It is never an error: what fails is part of what is seen.
    pub(crate) async fn examine(&self, domain: &Domain) -> Observation {
        let checked = Timestamp::now();
        let deadline = Deadline::after(self.limit);
        let mut missed = Missed::default();
        // A policy host that is slow takes no time from the hosts.
        let ((mx, hosts), discovery, tlsrpt, zone) = tokio::join!(
            Box::pin(self.mx_and_hosts(domain, deadline, &mut missed)),
            deadline.cut(Box::pin(self.policies.discover(domain))),
            deadline.cut(self.tlsrpt(domain)),
            deadline.cut(self.zone(domain)),
        );
        let names = hosts.iter().filter(|host| host.kind == HostKind::Name);
        let names = names.map(|host| host.name.as_str());
        let mta_sts = missed.unless(discovery, || "the MTA-STS policy".to_owned());
        let tlsrpt = missed.unless(tlsrpt, || "the TLSRPT record".to_owned());
        let zone = missed.unless(zone, || "the name servers of the domain".to_owned());
        Observation {
            domain: domain.to_string(),
            checked,
            manner: self.manner(),
            mta_sts: mta_sts.map_or_else(StsSeen::not_asked, |discovery| sts(&discovery, names)),
            mx: MxSeen {
                zone: zone.flatten().filter(|_| mx.kind != MxKind::NoSuchDomain),
                ..mx
            },
            hosts,
            tlsrpt: tlsrpt.unwrap_or_else(TlsrptSeen::not_asked),
            unexamined: (!missed.0.is_empty()).then(|| Unexamined {
                within: deadline.seconds(),
                what: missed.0,
            }),
        }
    }

    async fn mx_and_hosts(
        &self,
        domain: &Domain,
        deadline: Deadline,
        missed: &mut Missed,
    ) -> (MxSeen, Vec<HostSeen>) {
        let mx = deadline.cut(self.mx(domain)).await;
        let mx = missed.unless(mx, || "the MX records".to_owned());
        let (mx, exchanges) = mx.unwrap_or_else(|| {
            let late = || NoAnswer::from(LookupFailure::Timeout);
            mx_seen(MxFinding::Failed(late()), &Err(late()))
        });
        let hosts = match mx.kind {
            MxKind::Hosts | MxKind::Implicit => {
                Box::pin(self.hosts(domain, &exchanges, deadline, missed)).await
            }
            MxKind::NullMx | MxKind::NoSuchDomain | MxKind::Failed => Vec::new(),
        };
        (mx, hosts)
    }

    /// How it looks at domains.
    pub(crate) fn manner(&self) -> Manner {
        Manner {
            port: self.delivery.port,
            connected: self.contacts.is_some(),
            depth: self.depth,
            days: self.days,
        }
    }

    /// Forgets what was seen, in DNS and elsewhere.
    pub(crate) fn forget(&self) {
        self.resolver.flush_all();
        self.policies.flush_all();
        self.bases.clear();
        if let Some(contacts) = &self.contacts {
            contacts.forget();
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

    async fn zone(&self, domain: &Domain) -> Option<ZoneSeen> {
        match self.depth {
            Depth::Verdict => None,
            Depth::Everything => self.asking().zone(domain).await,
        }
    }

    async fn mx(&self, domain: &Domain) -> (MxSeen, Arc<[MxRecord]>) {
        let found = mx::discover(&self.resolver, domain).await;
        mx_seen(found, &self.resolver.mx(domain).await)
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
    async fn hosts(
        &self,
        domain: &Domain,
        exchanges: &[MxRecord],
        deadline: Deadline,
        missed: &mut Missed,
    ) -> Vec<HostSeen> {
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
        let finding = Box::pin(route::find(Sought::usual(&next_hop), means));
        let found = deadline.cut(finding).await;
        let Some(route) = missed.unless(found, || "the MX hosts".to_owned()) else {
            return Vec::new();
        };
        let all: Vec<(&RouteHost, Option<&Candidate>)> = match &route.decision {
            Decision::Try(candidates) | Decision::PassOver(_, candidates) => {
                let each = candidates.iter();
                each.map(|candidate| (&candidate.host, Some(candidate))).collect()
            }
            Decision::Stop(_, hosts) => hosts.iter().map(|host| (host, None)).collect(),
        };
        let looks = all.into_iter().map(async |(host, candidate)| {
            let (seen, missed) = self.host(&route, host, candidate, deadline).await;
            let preference = preference(exchanges, host);
            (HostSeen { preference, ..seen }, missed)
        });
        let mut hosts = Vec::new();
        for (host, of_host) in join_all(looks).await {
            hosts.push(host);
            missed.0.extend(of_host.0);
        }
        hosts.sort_by(|one, other| (one.preference, &one.name).cmp(&(other.preference, &other.name)));
        hosts
    }

    async fn host(
        &self,
        route: &Route,
        host: &RouteHost,
        candidate: Option<&Candidate>,
        deadline: Deadline,
    ) -> (HostSeen, Missed) {
        let mut records = tlsa(host, route.port);
        let around = deadline.cut(self.around(host, route.port));
        let (around, addresses) = tokio::join!(around, self.addresses(route, host, candidate, deadline));
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
        let mut missed = Missed::default();
        let around = missed.unless(around, || format!("the name servers of {name}"));
        let addresses_missed = addresses
            .iter()
            .filter(|seen| seen.outcome == Outcome::NotExamined || seen.has_unexamined_offers());
        missed.0.extend(addresses_missed.map(|seen| {
            let what = if seen.has_unexamined_offers() {
                ": all keys and versions"
            } else {
                ""
            };
            format!("{name} [{}]{what}", seen.address)
        }));
        let findings = &host.facts.findings;
        let (zone, caa) = match around.flatten() {
            Some(around) => {
                records.parent = around.parent;
                (around.zone.clone(), around.caa.clone())
            }
            None => (None, None),
        };
        let seen = HostSeen {
            provider: host.name().map(|name| mail::registrable::of(name).to_string()),
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
        };
        (seen, missed)
    }

    async fn addresses(
        &self,
        route: &Route,
        host: &RouteHost,
        candidate: Option<&Candidate>,
        deadline: Deadline,
    ) -> Vec<AddressSeen> {
        let addresses = host.addresses().iter().copied();
        match (&self.contacts, candidate) {
            (Some(contacts), Some(candidate)) => {
                join_all(addresses.map(|address| contacts.address(route, candidate, address, deadline))).await
            }
            (None, _) | (_, None) => addresses.map(untried).collect(),
        }
    }

    /// Once for each base domain, whatever the number of domains that it serves.
    async fn around(&self, host: &RouteHost, port: u16) -> Option<Arc<BaseSeen>> {
        let base = host.tlsa().map(|(base, _)| base).or(host.name())?;
        let look = self.look_around(base, port, host.tlsa().is_some());
        Some(self.bases.get(base, Box::pin(look)).await)
    }

    async fn look_around(&self, base: &Domain, port: u16, has_records: bool) -> BaseSeen {
        let parent = if has_records {
            self.parent(base).await
        } else {
            ParentSeen::NotAsked
        };
        let (zone, caa) = match self.depth {
            Depth::Verdict => (None, None),
            Depth::Everything => {
                let asking = self.asking();
                let (zone, caa) = tokio::join!(asking.zone_with_tlsa(port, base), self.caa(base));
                (zone, caa)
            }
        };
        BaseSeen { parent, zone, caa }
    }

    async fn parent(&self, base: &Domain) -> ParentSeen {
        match self.resolver.text(&format!("_tcp.{base}"), "A").await {
            Ok(Ok(answer)) => match answer.data {
                Data::NxDomain => ParentSeen::Denied,
                Data::NoData | Data::Records(_) => ParentSeen::Exists,
            },
            Ok(Err(failure)) => match plain::failure(&failure).kind {
                FailureKind::Bogus => ParentSeen::Denied,
                FailureKind::Refused => ParentSeen::Failed,
                FailureKind::Undecided => ParentSeen::Undecided,
            },
            Err(_) => ParentSeen::Undecided,
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

fn mx_seen(found: MxFinding, lookup: &Lookup<MxRecord>) -> (MxSeen, Arc<[MxRecord]>) {
    let (kind, exchanges) = match found {
        MxFinding::Failed(_) => (MxKind::Failed, Arc::default()),
        MxFinding::NullMx(_) => (MxKind::NullMx, Arc::default()),
        MxFinding::NxDomain { .. } => (MxKind::NoSuchDomain, Arc::default()),
        MxFinding::NoData { .. } => (MxKind::Implicit, Arc::default()),
        MxFinding::Records { exchanges, .. } => (MxKind::Hosts, exchanges),
    };
    let seen = MxSeen {
        kind,
        signatures: plain::signature(lookup).into_iter().collect(),
        lookup: LookupReport::new(lookup, mx_words),
        zone: None,
    };
    (seen, exchanges)
}

/// What there was no time for, in words.
#[derive(Debug, Default)]
struct Missed(Vec<String>);

impl Missed {
    /// Notes what is missing.
    fn unless<T>(&mut self, found: Option<T>, what: impl FnOnce() -> String) -> Option<T> {
        if found.is_none() {
            self.0.push(what());
        }
        found
    }
}
