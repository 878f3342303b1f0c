//! One host of a destination: what is known of it, what it must achieve, and what became of a try.

use std::fmt;

use delivery::probe::{HostProbe, Probe};
use delivery::route::RouteHost;
use mail::{DaneVerdict, Domain};
use policy::cause::Failure;
use policy::decision::{Action, HostDecision, Requirement};
use policy::facts::{Addresses, Host, HostFindings, Tlsa};
use serde::{Serialize, Serializer};

use super::findings::Step;
use crate::cli::tlsa_records::{self, RecordReport};

/// One host, for people and for programs.
#[derive(Debug, Serialize)]
pub(super) struct HostReport {
    /// Nothing where it is known by its address alone; also what stands in the place of a name and is none.
    pub(super) name: Option<String>,
    pub(super) addresses: Vec<String>,
    /// `secure`, `insecure`, `secure-alias` (insecure addresses behind a secure alias), `none`, `failed`, or `literal`.
    pub(super) address_status: &'static str,
    /// How much DANE counts for this host, and what set it.
    pub(super) mode: Option<String>,
    pub(super) source: Option<String>,
    pub(super) lookups: Vec<Step>,
    pub(super) tlsa: TlsaReport,
    /// `connect`, `pass-over`, or `not-tried` where the destination itself is the obstacle.
    pub(super) action: &'static str,
    /// `opportunistic`, `encrypted`, `pkix`, `dane` or `dane-and-pkix`.
    pub(super) requirement: Option<Must>,
    /// What `dane=` will say if the requirement is met, or says of the host that is passed over.
    pub(super) dane: Option<String>,
    /// Why the host is passed over.
    pub(super) reason: Option<String>,
    /// With soft-fail: the requirement of the second round.
    pub(super) soft_fail: Option<Must>,
    /// With `--connect`: what came of it.
    pub(super) connections: Option<Vec<ConnectionReport>>,
}

/// The TLSA records of a host.
#[derive(Debug, Serialize)]
pub(super) struct TlsaReport {
    /// `usable`, `unusable`, `absent`, `failed` or `not-asked`.
    pub(super) status: &'static str,
    pub(super) base_domain: Option<String>,
    pub(super) cause: Option<String>,
    pub(super) records: Vec<RecordReport>,
}

/// One address that was connected to.
#[derive(Debug, Serialize)]
pub(super) struct ConnectionReport {
    pub(super) address: String,
    /// What the connection had to achieve.
    pub(super) requirement: Must,
    pub(super) met: bool,
    pub(super) dane: String,
    /// Version and cipher suite; nothing in clear.
    pub(super) tls: Option<String>,
    /// Why TLS did not come about.
    pub(super) tlsfail: Option<String>,
    /// OpenSSL's number and words for the check of the certificate.
    pub(super) tlsvalid: Option<String>,
    /// The record that matched.
    pub(super) matched: Option<String>,
    pub(super) reason: Option<String>,
    /// Whether a message that waits because of this goes in clear once it is older than the first step of `retry`.
    pub(super) later_in_clear: bool,
}

impl HostReport {
    /// `facts` are missing where the next hop is an address; `decision` where the destination itself is the obstacle.
    pub(super) fn new(host: &RouteHost, facts: Option<&Host>, decision: Option<&HostDecision>) -> Self {
        let (action, requirement, dane, reason) = match decision.map(|decision| &decision.action) {
            None => ("not-tried", None, None, None),
            Some(Action::Connect { requirement, verdict }) => (
                "connect",
                Some(Must(*requirement)),
                Some(verdict.to_string()),
                None,
            ),
            Some(Action::PassOver(failure)) => {
                let dane = Some(failure.verdict.to_string());
                ("pass-over", None, dane, Some(failure.reason.clone()))
            }
        };
        Self {
            name: host
                .name()
                .map(Domain::as_str)
                .or(host.no_name())
                .map(str::to_owned),
            addresses: host.addresses().iter().map(ToString::to_string).collect(),
            address_status: facts.map_or("literal", |facts| address_status(&facts.findings)),
            mode: facts.map(|facts| facts.policy.dane.to_string()),
            source: facts.map(|facts| facts.policy.dane_source.to_string()),
            lookups: Vec::new(),
            tlsa: TlsaReport::new(facts.map(|facts| &facts.findings), host),
            action,
            requirement,
            dane,
            reason,
            soft_fail: decision.and_then(|decision| decision.soft_fail).map(Must),
            connections: None,
        }
    }

    pub(super) fn set_connections(&mut self, probe: &HostProbe) {
        self.connections = Some(probe.tries.iter().map(ConnectionReport::new).collect());
    }
}

fn address_status(findings: &HostFindings) -> &'static str {
    match findings {
        HostFindings::AddressName => "literal",
        HostFindings::Named { addresses, .. } => match addresses {
            Addresses::Unresolvable(_) => "failed",
            Addresses::Absent(_) => "none",
            Addresses::Insecure => "insecure",
            Addresses::SecureAlias => "secure-alias",
            Addresses::Secure => "secure",
        },
    }
}

/// What a connection must achieve, as one word for programs and in words for people.
#[derive(Debug, Clone, Copy)]
pub(super) struct Must(Requirement);

impl Serialize for Must {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self.0 {
            Requirement::Opportunistic => "opportunistic",
            Requirement::Encrypted => "encrypted",
            Requirement::Pkix => "pkix",
            Requirement::Dane => "dane",
            Requirement::DaneAndPkix => "dane-and-pkix",
        })
    }
}

impl fmt::Display for Must {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Requirement::Opportunistic => "nothing (TLS if it is offered)",
            Requirement::Encrypted => "speak TLS, with any certificate",
            Requirement::Pkix => "prove its name with a certificate of the WebPKI",
            Requirement::Dane => "match the TLSA records",
            Requirement::DaneAndPkix => {
                "match the TLSA records, and prove its name with a certificate of the WebPKI"
            }
        })
    }
}

impl TlsaReport {
    fn new(findings: Option<&HostFindings>, host: &RouteHost) -> Self {
        let (status, cause) = match findings {
            None | Some(HostFindings::AddressName) => ("not-asked", None),
            Some(HostFindings::Named { tlsa, .. }) => match tlsa {
                Tlsa::NotAsked => ("not-asked", None),
                Tlsa::LookupFailed(cause) => ("failed", Some(cause.cause.to_string())),
                Tlsa::Absent => ("absent", None),
                Tlsa::Unusable => ("unusable", None),
                Tlsa::Usable => ("usable", None),
            },
        };
        Self {
            status,
            cause,
            base_domain: host.tlsa().map(|(base, _)| base.to_string()),
            records: host
                .tlsa()
                .map(|(_, set)| tlsa_records::reports(set))
                .unwrap_or_default(),
        }
    }
}

impl ConnectionReport {
    fn new(probe: &Probe) -> Self {
        let (met, dane, reason) = match &probe.failure {
            None => (true, probe.verdict.clone(), None),
            Some(failure) => (
                false,
                failure.verdict.clone(),
                Some(Failure::clone(failure).reason),
            ),
        };
        Self {
            address: probe.address.to_string(),
            requirement: Must(probe.requirement),
            met,
            dane: DaneVerdict::to_string(&dane),
            tls: probe.session.clone(),
            tlsfail: probe.unprotected.clone(),
            tlsvalid: probe.valid.map(|valid| valid.to_string()),
            matched: probe.matched.clone(),
            reason,
            later_in_clear: probe.later_in_clear,
        }
    }
}
