//! The single look-ups behind a route, with the status of each.

use std::net::IpAddr;

use dane::TlsaRecord;
use delivery::route::RouteHost;
use dns::{Exchange, Mode, MxRecord, Resolver};
use mail::{Domain, NextHop};
use serde::Serialize;

use super::{Route, target};
use crate::cli::dns::Report as LookupReport;

/// Each look-up that the route rests on, as far as its answer was needed.
pub(super) struct Findings {
    pub(super) mode: Mode,
    pub(super) mx: Option<Step>,
    /// In the order of the route's hosts.
    pub(super) hosts: Vec<Vec<Step>>,
    /// Why a name server over TLS could not be spoken to.
    pub(super) obstacle: Option<String>,
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
    pub(super) async fn gather(destination: &NextHop, route: &Route, resolver: &Resolver) -> Self {
        let mx = match target(destination, route) {
            NextHop::Domain { domain, .. } => Some(mx(resolver, domain).await),
            NextHop::Host { .. } | NextHop::Address { .. } => None,
        };
        let hosts = route.hosts().iter();
        let hosts = hosts.map(|host| host_steps(host, route.port)).collect();
        Self {
            mode: resolver.mode(),
            mx,
            hosts,
            obstacle: resolver.obstacle(),
        }
    }
}

async fn mx(resolver: &Resolver, domain: &Domain) -> Step {
    let lookup = resolver.mx(domain).await;
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

/// What the route itself was told about a host: nothing is asked again.
fn host_steps(host: &RouteHost, port: u16) -> Vec<Step> {
    let Some(name) = host.name() else {
        return Vec::new();
    };
    let answers = host.answers();
    let families = [("AAAA", &answers.ipv6), ("A", &answers.ipv4)];
    let addresses = families.into_iter().filter_map(|(record_type, answer)| {
        Some(Step {
            name: name.to_string(),
            record_type,
            found: LookupReport::new(answer.as_ref()?, IpAddr::to_string),
        })
    });
    let tlsa = answers.tlsa.iter().map(|(base, answer)| Step {
        name: format!("_{port}._tcp.{base}"),
        record_type: "TLSA",
        found: LookupReport::new(answer, TlsaRecord::to_string),
    });
    addresses.chain(tlsa).collect()
}
