//! Which sessions a message may use: those that were opened on exactly the terms on which it would open one.
//!
//! A [`ReuseKey`] is made from the message's own decision, from current answers and the policy in force, and is compared
//! with what the session was opened for and has proven. Each part has its reason:
//!
//! - address and port: the server itself;
//! - source address: a destination always sees the same one of ours;
//! - MX host name: what PKIX verifies, and what an opportunistic session sent as SNI;
//! - requirement: a session never serves one that it was not opened for, even if it would meet it. A message under a
//!   weaker requirement would learn nothing about TLS at this host that the log and the reports could say;
//! - TLSA base domain and records: other records would have been checked, and another name sent as SNI. Equal contents
//!   are the same records, whichever answer they come from. A key change in DNS leads to a new session;
//! - reference identifiers: under DANE-TA(2) after a secure MX they contain the next-hop domain (RFC 7672 §3.2.2), so a
//!   certificate may be valid for one domain and not for another with the same MX host. If the server was verified by a
//!   record that ignores names (DANE-EE(3)), or under the TLSA base domain, which is one of the identifiers of every
//!   domain served by this host, they do not matter.
//!
//! - login: what the server takes from one user may not be for another, and not without one;
//! - whether TLS begins with the first octet or with STARTTLS.
//!
//! The lowest TLS version and the authorities of the WebPKI are the same for all sessions of this process.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use dane::{Match, ReferenceIdentifiers, TlsaSet};
use mail::Domain;
use policy::decision::Requirement;
use policy::login::Login;
use policy::settings::RouteTls;

use super::tls::Peer;

/// The terms of a session. See the module's documentation.
#[derive(Debug, Clone)]
pub(crate) struct ReuseKey {
    socket: SocketAddr,
    source: Option<IpAddr>,
    host: Option<Domain>,
    tls: RouteTls,
    login: Option<Login>,
    requirement: Requirement,
    basis: Basis,
}

/// What the requirement rests on.
#[derive(Debug, Clone)]
enum Basis {
    /// Nothing is verified, or only the host's name: the TLSA base domain is nothing but the name sent as SNI.
    Name(Option<Domain>),
    /// The host's TLSA records.
    Dane {
        base: Domain,
        records: Arc<TlsaSet>,
        names: Names,
    },
}

/// Which names the server's certificate had to have.
#[derive(Debug, Clone)]
enum Names {
    /// One of these.
    OneOf(ReferenceIdentifiers),
    /// It was verified, and for every next-hop domain with this host alike.
    AllAlike,
}

impl ReuseKey {
    /// The terms on which a session with `peer` is opened from `source`. `None` if the requirement cannot be met there:
    /// there is no such session.
    pub(super) fn new(
        peer: &Peer<'_>,
        source: Option<IpAddr>,
        requirement: Requirement,
        login: Option<&Login>,
    ) -> Option<Self> {
        let basis = match requirement {
            Requirement::Clear | Requirement::Opportunistic | Requirement::Encrypted => {
                Basis::Name(peer.dane.map(|dane| dane.base.clone()))
            }
            Requirement::Pkix if peer.host.is_none() => return None,
            Requirement::Pkix => Basis::Name(None),
            Requirement::Dane | Requirement::DaneAndPkix => {
                let dane = peer.dane?;
                Basis::Dane {
                    base: dane.base.clone(),
                    records: Arc::clone(&dane.set),
                    names: Names::OneOf(dane.references.clone()),
                }
            }
        };
        Some(Self {
            socket: peer.socket,
            source,
            host: peer.host.cloned(),
            tls: peer.tls,
            login: login.cloned(),
            requirement,
            basis,
        })
    }

    /// The terms of a session in which this record, if any, authenticated the server.
    pub(super) fn proven(mut self, matched: Option<&Match>) -> Self {
        if let (Basis::Dane { base, names, .. }, Some(matched)) = (&mut self.basis, matched) {
            let name = matched.name.as_deref();
            if name.is_none_or(|name| name.eq_ignore_ascii_case(base.as_str())) {
                *names = Names::AllAlike;
            }
        }
        self
    }

    /// The MX host.
    pub(super) fn host(&self) -> Option<&Domain> {
        self.host.as_ref()
    }

    /// Whether a session on these terms may be used by a message that would open one on `wanted`.
    pub(super) fn serves(&self, wanted: &Self) -> bool {
        self.socket == wanted.socket
            && self.source == wanted.source
            && self.host == wanted.host
            && self.tls == wanted.tls
            && self.login == wanted.login
            && self.requirement == wanted.requirement
            && self.basis.serves(&wanted.basis)
    }
}

impl Basis {
    fn serves(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::Name(one), Self::Name(other)) => one == other,
            (
                Self::Dane { base, records, names },
                Self::Dane {
                    base: wanted_base,
                    records: wanted_records,
                    names: wanted_names,
                },
            ) => base == wanted_base && records == wanted_records && names.serve(wanted_names),
            (Self::Name(_), Self::Dane { .. }) | (Self::Dane { .. }, Self::Name(_)) => false,
        }
    }
}

impl Names {
    fn serve(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::AllAlike, Self::OneOf(_) | Self::AllAlike) => true,
            (Self::OneOf(one), Self::OneOf(other)) => one == other,
            (Self::OneOf(_), Self::AllAlike) => false,
        }
    }
}
