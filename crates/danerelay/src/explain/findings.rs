//! The single look-ups behind a route, with the status of each.

use std::net::IpAddr;

use dane::TlsaRecord;
use delivery::route::{Route, RouteHost};
use dns::{Exchange, MxRecord, Resolver};
use mail::{Domain, NextHop};
use serde::{Deserialize, Serialize};

use super::target;
use crate::lookup_report::LookupReport;

/// Each look-up that the route rests on, as far as its answer was needed. That of the MX records comes from the resolver's
/// cache, which has just answered the same question.
pub(super) struct Findings {
    pub(super) mx: Option<Step>,
    /// In the order of the route's hosts.
    pub(super) hosts: Vec<Vec<Step>>,
}

/// One look-up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) record_type: StepType,
    #[serde(flatten)]
    pub(crate) found: LookupReport,
}

/// What is looked up for a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum StepType {
    Mx,
    Aaaa,
    A,
    Tlsa,
}

impl StepType {
    /// The mnemonic.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Mx => "MX",
            Self::Aaaa => "AAAA",
            Self::A => "A",
            Self::Tlsa => "TLSA",
        }
    }
}

impl Findings {
    pub(super) async fn gather(destination: &NextHop, route: &Route, resolver: &Resolver) -> Self {
        let mx = match target(destination, route) {
            NextHop::Domain { domain, .. } => Some(mx(resolver, domain).await),
            NextHop::Host { .. } | NextHop::Address { .. } => None,
        };
        let hosts = route.hosts().iter();
        let hosts = hosts.map(|host| host_steps(host, route.port)).collect();
        Self { mx, hosts }
    }
}

async fn mx(resolver: &Resolver, domain: &Domain) -> Step {
    let lookup = resolver.mx(domain).await;
    Step {
        name: domain.to_string(),
        record_type: StepType::Mx,
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

/// What the route itself was told about a host: nothing is asked again.
fn host_steps(host: &RouteHost, port: u16) -> Vec<Step> {
    let Some(name) = host.name() else {
        return Vec::new();
    };
    let answers = host.answers();
    let families = [(StepType::Aaaa, &answers.ipv6), (StepType::A, &answers.ipv4)];
    let addresses = families.into_iter().filter_map(|(record_type, answer)| {
        Some(Step {
            name: name.to_string(),
            record_type,
            found: LookupReport::new(answer.as_ref()?, IpAddr::to_string),
        })
    });
    let tlsa = answers.tlsa.iter().map(|(base, answer)| Step {
        name: format!("_{port}._tcp.{base}"),
        record_type: StepType::Tlsa,
        found: LookupReport::new(answer, TlsaRecord::to_string),
    });
    addresses.chain(tlsa).collect()
}
