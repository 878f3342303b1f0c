//! The single look-ups behind a route, with the status of each.

use std::net::IpAddr;

use dane::TlsaRecord;
use dns::host::AddressFamily;
use dns::{Answer, Data, Exchange, Mode, MxRecord, Resolver};
use mail::{Domain, NextHop};
use policy::facts::{Addresses, HostFindings, Tlsa};
use serde::Serialize;

use super::{Route, target};
use crate::cli::dns::Report as LookupReport;

/// Each look-up that the route rests on, as far as its answer was needed.
pub(super) struct Findings {
    pub(super) mode: Mode,
    pub(super) mx: Option<Step>,
    /// In the order of the route's hosts.
    pub(super) hosts: Vec<Vec<Step>>,
}

/// One look-up.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Step {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) record_type: &'static str,
    #[serde(flatten)]
    pub(super) found: LookupReport,
}

impl Findings {
    pub(super) async fn gather(
        destination: &NextHop,
        route: &Route,
        resolver: &Resolver,
        family: AddressFamily,
    ) -> Self {
        let mx = match target(destination, route) {
            NextHop::Domain { domain, .. } => Some(mx(resolver, domain).await),
            NextHop::Host { .. } | NextHop::Address { .. } => None,
        };
        let mut hosts = Vec::new();
        for (position, host) in route.hosts().iter().enumerate() {
            let findings = route
                .facts
                .destination
                .hosts()
                .get(position)
                .map(|host| &host.findings);
            hosts.push(match (host.name(), findings) {
                (Some(name), Some(HostFindings::Named { addresses, tlsa })) => {
                    let mut steps = address_steps(resolver, name, family).await;
                    if was_asked(addresses, tlsa) {
                        let base = host.tlsa().map_or(name, |(base, _)| base);
                        steps.push(tlsa_step(resolver, route.port, base).await);
                    }
                    steps
                }
                (None, _) | (Some(_), None | Some(HostFindings::AddressName)) => Vec::new(),
            });
        }
        Self {
            mode: resolver.mode(),
            mx,
            hosts,
        }
    }
}

/// Whether TLSA records were looked up at a name that is known here: a second question must never be one that the first
/// way did not ask (RFC 7672 §2.2.2).
fn was_asked(addresses: &Addresses, tlsa: &Tlsa) -> bool {
    let asked_at_host = match tlsa {
        Tlsa::Absent | Tlsa::Unusable | Tlsa::Usable => true,
        // Which of the candidates failed is not known; the cause is.
        Tlsa::LookupFailed(_) | Tlsa::NotAsked => false,
    };
    asked_at_host
        && match addresses {
            Addresses::Secure | Addresses::SecureAlias => true,
            Addresses::Insecure | Addresses::Absent(_) | Addresses::Unresolvable(_) => false,
        }
}

async fn mx(resolver: &Resolver, domain: &Domain) -> Step {
    let mut lookup = resolver.mx(domain).await;
    if let Ok(Answer {
        data: Data::Records(records),
        ..
    }) = &mut lookup
    {
        records.sort_by_key(|record| record.preference);
    }
    Step {
        name: domain.to_string(),
        record_type: "MX",
        found: LookupReport::new(&lookup, mx_words),
    }
}

fn mx_words(record: &MxRecord) -> String {
    let host = match &record.exchange {
        Exchange::Name(name) => name.to_string(),
        Exchange::Root => ".".to_owned(),
        Exchange::Address(address) => address.to_string(),
        Exchange::Invalid(text) => text.clone(),
    };
    format!("{} {host}", record.preference)
}

async fn address_steps(resolver: &Resolver, host: &Domain, family: AddressFamily) -> Vec<Step> {
    let step = |record_type, found| Step {
        name: host.to_string(),
        record_type,
        found,
    };
    let mut steps = Vec::new();
    if family != AddressFamily::Ipv4 {
        steps.push(step(
            "AAAA",
            LookupReport::new(&resolver.aaaa(host).await, IpAddr::to_string),
        ));
    }
    if family != AddressFamily::Ipv6 {
        steps.push(step(
            "A",
            LookupReport::new(&resolver.a(host).await, IpAddr::to_string),
        ));
    }
    steps
}

async fn tlsa_step(resolver: &Resolver, port: u16, base: &Domain) -> Step {
    Step {
        name: format!("_{port}._tcp.{base}"),
        record_type: "TLSA",
        found: LookupReport::new(&resolver.tlsa(port, base).await, TlsaRecord::to_string),
    }
}
