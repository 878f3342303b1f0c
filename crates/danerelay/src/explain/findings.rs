//! The individual look-ups that a route is based on, with the status of each.

use std::net::IpAddr;

use dane::TlsaRecord;
use delivery::route::RouteHost;
use dns::{Exchange, MxRecord, Resolver};
use mail::NextHop;
use serde::{Deserialize, Serialize};

use crate::lookup_report::LookupReport;

/// One look-up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) record_type: StepType,
    #[serde(flatten)]
    pub(crate) found: LookupReport,
}

impl Step {
    /// The name at which it ended: where the last alias led.
    pub(crate) fn reached(&self) -> &str {
        self.found.reached(&self.name)
    }
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

/// The look-up of the MX records, if there is one. The answer comes from the resolver's cache, which has just answered
/// the same question.
pub(super) async fn mx(target: &NextHop, resolver: &Resolver) -> Option<Step> {
    let domain = match target {
        NextHop::Domain { domain, .. } => domain,
        NextHop::Host { .. } | NextHop::Address { .. } => return None,
    };
    let lookup = resolver.mx(domain).await;
    Some(Step {
        name: domain.to_string(),
        record_type: StepType::Mx,
        found: LookupReport::new(&lookup, mx_words),
    })
}

/// `10 mx.example.nl`.
pub(crate) fn mx_words(record: &MxRecord) -> String {
    let host = match &record.exchange {
        Exchange::Name(name) => name.to_string(),
        Exchange::Root => ".".to_owned(),
        Exchange::Address(address) => address.to_string(),
        Exchange::Invalid(text) => text.clone(),
    };
    format!("{} {host}", record.preference)
}

/// The look-ups for a host, as far as they were needed. They are taken from the route: nothing is looked up again.
pub(crate) fn host_steps(host: &RouteHost, port: u16) -> Vec<Step> {
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
