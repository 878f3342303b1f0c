//! The hosts of a route.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dane::{ReferenceIdentifiers, TlsaSet};
use dns::host::{AddressFamily, Answers};
use mail::{Culprit, Domain, FailedLookup, LookupFailure};
use policy::facts::{Host, HostFindings, Tlsa};

use crate::connections::DanePeer;

/// The memory limit for the TLSA records of all hosts of a destination, in octets. Whoever publishes them decides how
/// large they are, and they are kept as long as an attempt lasts: 32 hosts with ten digests each need half of it.
pub(super) const ROOM_FOR_TLSA: usize = 64 * 1024;
/// The memory that one record takes besides its data.
const OF_RECORD: usize = 64;

/// A host of a route and the decision about it.
pub type Candidate = policy::decision::Candidate<RouteHost>;

/// A host: the facts for the decision, and what a connection needs.
#[derive(Debug, Clone)]
pub struct RouteHost {
    /// What the policy and DNS say about it.
    pub facts: Host,
    /// Its name; `None` if only its address is known.
    pub(crate) name: Option<Domain>,
    pub(crate) addresses: Vec<IpAddr>,
    /// Addresses that are not connected to because `delivery.address_family` excludes them, if it has no others.
    pub(crate) other_family: Vec<IpAddr>,
    /// Addresses that are not connected to because no stranger receives mail there (D8a).
    pub(crate) ignored: Vec<IpAddr>,
    pub(crate) dane: Option<DanePeer>,
    /// The DNS answers that this is based on.
    pub(crate) answers: Answers,
    /// What an MX record has in place of a name, if that is not a valid name.
    pub(crate) no_name: Option<String>,
}

impl RouteHost {
    /// Its name; `None` if only its address is known.
    pub fn name(&self) -> Option<&Domain> {
        self.name.as_ref()
    }

    /// How the log names it at this address.
    pub(crate) fn relay(&self, address: IpAddr) -> String {
        match &self.name {
            Some(name) => format!("{name} [{address}]"),
            None => format!("[{address}]"),
        }
    }

    /// What an MX record has in place of a name, as written there, if that is not a valid name.
    pub fn no_name(&self) -> Option<&str> {
        self.no_name.as_deref()
    }

    /// The addresses that are tried, in order.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// Addresses that are not connected to because the settings exclude their family, if it has no others.
    pub fn other_family(&self) -> &[IpAddr] {
        &self.other_family
    }

    /// Addresses that it has as well, but that are not connected to because no stranger receives mail there.
    pub fn ignored(&self) -> &[IpAddr] {
        &self.ignored
    }

    /// The TLSA base domain and its records, if secure ones were found.
    pub fn tlsa(&self) -> Option<(&Domain, &TlsaSet)> {
        self.dane.as_ref().map(|dane| (&dane.base, &*dane.set))
    }

    /// The names that a certificate under a DANE-TA record may have, if secure TLSA records were found.
    pub fn references(&self) -> Option<&ReferenceIdentifiers> {
        self.dane.as_ref().map(|dane| &dane.references)
    }

    /// All DNS answers about it.
    pub fn answers(&self) -> &Answers {
        &self.answers
    }

    /// Deducts its TLSA records from the room left for those of all hosts. If they do not fit, they count as unknown,
    /// as if their look-up had failed: the host is not connected to.
    pub(super) fn fit_into(&mut self, room: &mut usize) {
        let found = self
            .answers
            .tlsa
            .iter()
            .filter_map(|(_, found)| found.as_ref().ok());
        let octets = found
            .flat_map(dns::Answer::records)
            .map(|record| OF_RECORD + record.data.len());
        if let Some(left) = room.checked_sub(octets.sum()) {
            *room = left;
            return;
        }
        self.dane = None;
        self.answers.tlsa.clear();
        if let HostFindings::Named { tlsa, .. } = &mut self.facts.findings {
            *tlsa = Tlsa::LookupFailed(too_much());
        }
    }

    /// A host of which only the address is known.
    pub(super) fn address(address: IpAddr, facts: Host) -> Self {
        Self {
            addresses: vec![address],
            ..Self::unknown(facts)
        }
    }

    /// A host of which only the facts are known.
    pub(super) fn unknown(facts: Host) -> Self {
        Self {
            facts,
            name: None,
            addresses: Vec::new(),
            other_family: Vec::new(),
            ignored: Vec::new(),
            dane: None,
            answers: Answers::default(),
            no_name: None,
        }
    }
}

fn too_much() -> FailedLookup {
    FailedLookup::new(
        LookupFailure::Malformed,
        Culprit::Elsewhere,
        &format!(
            "malformed: the TLSA records of the domain's MX hosts take more than {ROOM_FOR_TLSA} octets"
        ),
    )
}

impl AsRef<Host> for RouteHost {
    fn as_ref(&self) -> &Host {
        &self.facts
    }
}

/// Whether a name stands for the machine on which it is used (RFC 6761 §6.3).
pub(super) fn is_localhost(name: &Domain) -> bool {
    let name = name.as_str();
    name == "localhost" || name.ends_with(".localhost")
}

/// The addresses of this machine that can be reached only from the machine itself.
pub(super) fn loopback(family: AddressFamily) -> Vec<IpAddr> {
    let (ipv4, ipv6) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST));
    match family {
        AddressFamily::Any => vec![ipv4, ipv6],
        AddressFamily::Ipv4 => vec![ipv4],
        AddressFamily::Ipv6 => vec![ipv6],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn localhost_is_a_name_and_all_below_it() {
        for (name, expected) in [
            ("localhost", true),
            ("LOCALHOST", true),
            ("mx.localhost", true),
            ("notlocalhost", false),
            ("localhost.test", false),
        ] {
            assert_eq!(is_localhost(&Domain::parse(name).unwrap()), expected, "{name}");
        }
    }
}
