//! Connections to servers, each made once for all domains that it serves, and one at a time to each address.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use dane::{
    PkixFailure, ReferenceIdentifiers, TlsaSet, Usage, VerifyFailure, WebPki, openssl_cipher_name,
    server_name, verify_chain,
};
use delivery::probe::{Probe, Prober};
use delivery::route::{Candidate, Route, RouteHost};
use mail::Domain;
use policy::decision::{Action, Requirement};
use rustls::pki_types::{CertificateDer, UnixTime};
use tokio::time::Instant;

use super::address_locks::AddressLocks;
use super::deadline::{Cut, Deadline};
use super::observation::{AddressSeen, IssuerSeen, KeySeen, OfferResult, VersionSeen, WebPkiSeen};
use super::offers::{Made, Offers};
use super::once::{Good, Lasting, Octets, Once};
use super::outcome::{Outcome, OutcomeClass};
use super::ways::has_route;
use crate::explain::{certificates, published};

/// Connects.
pub(super) struct Contacts {
    prober: Prober,
    webpki: WebPki,
    /// Further handshakes; none if servers are to be bothered as little as possible.
    offers: Option<Offers>,
    known: Once<Key, Contact>,
    locks: AddressLocks,
}

/// The most that is remembered of connections, in octets: those of some thousand hosts.
const KNOWN: usize = 32 * 1024 * 1024;

/// How long a failure is remembered that may be one of the moment.
const FAILED: Duration = Duration::from_mins(1);

/// What one connection is like another by: what decides how it is made and what it must achieve.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    socket: SocketAddr,
    requirement: Requirement,
    /// The TLSA base domain and its records.
    tlsa: Option<(Domain, Vec<String>)>,
    /// The host and the names that are looked for in the certificate, where the chain is worth something else under them than
    /// under those of the first host.
    names: Vec<String>,
}

/// What came of it.
#[derive(Debug)]
struct Contact {
    seen: AddressSeen,
    chain: Vec<CertificateDer<'static>>,
    /// The host for which it was made.
    host: Option<Domain>,
    /// What the chain is worth by its TLSA records and under its names, if names matter to these at all.
    dane: Option<Result<(), VerifyFailure>>,
    /// What the WebPKI says of the chain under its name.
    webpki: Option<Result<(), PkixFailure>>,
    made: Instant,
}

impl Octets for Key {
    fn octets(&self) -> usize {
        let names = self.tlsa.iter().map(|(base, _)| base.as_str().len());
        let records = self.tlsa.iter().flat_map(|(_, records)| records);
        let texts = records.chain(&self.names);
        let texts = texts.map(|text| size_of::<String>() + text.len());
        size_of::<Self>() + names.chain(texts).sum::<usize>()
    }
}

impl Octets for Contact {
    /// In memory it takes about twice what it takes in writing.
    fn octets(&self) -> usize {
        let written = serde_json::to_vec(&self.seen).map_or(0, |json| json.len());
        let chain = self.chain.iter();
        let chain = chain.map(|certificate| size_of_val(certificate) + certificate.len());
        size_of::<Self>() + 2 * written + chain.sum::<usize>()
    }
}

impl Lasting for Contact {
    /// Another domain may have more time left.
    fn good(&self) -> Good {
        if self.seen.has_unexamined_offers() {
            Good::Once
        } else if self.seen.outcome.class() == OutcomeClass::Unknown {
            Good::Until(self.made + FAILED)
        } else {
            Good::Always
        }
    }
}

/// One address of a host that a route leads to.
#[derive(Clone, Copy)]
struct Place<'a> {
    route: &'a Route,
    candidate: &'a Candidate,
    socket: SocketAddr,
    deadline: Deadline,
}

impl Contacts {
    pub(super) fn new(prober: Prober, webpki: WebPki, offers: Option<Offers>) -> Self {
        Self {
            prober,
            webpki,
            offers,
            known: Once::new(KNOWN),
            locks: AddressLocks::default(),
        }
    }

    /// Forgets what was seen.
    pub(super) fn forget(&self) {
        self.known.clear();
    }

    /// What an address shows. Who is passed over is not connected to.
    pub(super) async fn address(
        &self,
        route: &Route,
        candidate: &Candidate,
        address: IpAddr,
        deadline: Deadline,
    ) -> AddressSeen {
        let Action::Connect { requirement, .. } = &candidate.decision.action else {
            return blank(address, Outcome::NotTried);
        };
        if !has_route(address) {
            return blank(address, Outcome::NoRoute);
        }
        let place = Place {
            route,
            candidate,
            socket: SocketAddr::new(address, route.port),
            deadline,
        };
        let contact = deadline.cut(Box::pin(self.contact(place, *requirement))).await;
        match contact {
            Some(contact) => of_candidate(&contact, candidate),
            None => blank(address, Outcome::NotExamined),
        }
    }

    /// Hosts at one address that are to achieve the same share a connection, as long as its chain is worth the same to each of
    /// them: providers have a host name for each of their customers.
    async fn contact(&self, place: Place<'_>, requirement: Requirement) -> Arc<Contact> {
        let host = &place.candidate.host;
        let mut key = Key {
            socket: place.socket,
            requirement,
            tlsa: host.tlsa().map(|(base, set)| {
                let mut records: Vec<String> = set.usable().iter().map(ToString::to_string).collect();
                records.sort();
                (base.clone(), records)
            }),
            names: Vec::new(),
        };
        // Boxed, like what follows: a known one needs no space for a whole session.
        let contact = self.known.get(&key, Box::pin(self.connect(place))).await;
        let is_same_webpki =
            || contact.host.as_ref() == host.name() || contact.webpki == self.webpki(host, &contact.chain);
        if contact.dane == verified(host, &contact.chain) && is_same_webpki() {
            return contact;
        }
        let names = host.references().into_iter().flat_map(ReferenceIdentifiers::iter);
        let names = host.name().map(Domain::as_str).into_iter().chain(names);
        key.names = names.map(str::to_owned).collect();
        self.known.get(&key, Box::pin(self.connect(place))).await
    }

    async fn connect(&self, place: Place<'_>) -> Contact {
        let (host, address) = (&place.candidate.host, place.socket.ip());
        let _lock = self.locks.lock(address).await;
        let probed = Box::pin(self.prober.probe_address(place.route, place.candidate, address));
        let Some(probe) = probed.await else {
            return Contact {
                seen: blank(address, Outcome::NotTried),
                chain: Vec::new(),
                host: host.name().cloned(),
                dane: None,
                webpki: None,
                made: Instant::now(),
            };
        };
        let webpki = self.webpki(host, &probe.chain);
        let mut seen = seen(host, &probe, webpki);
        Box::pin(self.further(place, &mut seen)).await;
        Contact {
            seen,
            host: host.name().cloned(),
            dane: verified(host, &probe.chain),
            webpki,
            chain: probe.chain,
            made: Instant::now(),
        }
    }

    /// What the WebPKI says about the host's name.
    fn webpki(&self, host: &RouteHost, chain: &[CertificateDer<'static>]) -> Option<Result<(), PkixFailure>> {
        let name = server_name(host.name()?.as_str()).ok()?;
        (!chain.is_empty()).then(|| self.webpki.verify_chain(chain, &name, UnixTime::now()))
    }

    /// The other version of TLS, the other kind of key, and the other cipher suites.
    async fn further(&self, place: Place<'_>, seen: &mut AddressSeen) {
        let (Some(offers), false) = (&self.offers, seen.presented.is_empty()) else {
            return;
        };
        let host = &place.candidate.host;
        let dial = || self.prober.dial(place.route, place.socket);
        let attempt = async |version, keys| {
            let work = Box::pin(offers.make(host, dial(), version, keys));
            let result = match place.deadline.cut_details(offers.patience, work).await {
                Ok(made) => return made,
                Err(Cut::Slow) => OfferResult::Unknown,
                Err(Cut::Over) => OfferResult::NotExamined,
            };
            Made::without(version, keys, result)
        };
        let (mut taken, mut best, mut is_complete) = (Vec::new(), VersionSeen::Tls12, true);
        for version in [VersionSeen::Tls12, VersionSeen::Tls13] {
            let made = attempt(version, None).await;
            if made.seen.result == OfferResult::Taken {
                best = version;
            }
            match made.suite {
                Some(suite) => taken.push((version, suite)),
                None => is_complete &= made.seen.result == OfferResult::Declined,
            }
            seen.offers.push(made.seen);
        }
        for keys in [KeySeen::Ecdsa, KeySeen::Rsa] {
            seen.offers.push(attempt(best, Some(keys)).await.seen);
        }
        // Last: no verdict depends on them.
        for (version, first) in taken {
            let mut suites = vec![first];
            let finding = Box::pin(offers.suites(host, dial, version, &mut suites));
            is_complete &= place.deadline.cut_details(offers.patience, finding).await == Ok(true);
            let names = suites.into_iter().filter_map(openssl_cipher_name);
            seen.suites.extend(names.map(str::to_owned));
        }
        seen.suites_complete = is_complete;
    }
}

fn seen(host: &RouteHost, probe: &Probe, webpki: Option<Result<(), PkixFailure>>) -> AddressSeen {
    let failure = probe.failure.as_ref();
    let dane = failure.map_or_else(|| probe.verdict.clone(), policy::failure::Failure::verdict);
    let published = match host.tlsa() {
        Some((_, set)) if !probe.chain.is_empty() => published(set, &probe.chain),
        Some(_) | None => Vec::new(),
    };
    AddressSeen {
        outcome: Outcome::of(probe),
        reason: failure
            .map(|failure| failure.reason.to_string())
            .or_else(|| probe.unprotected.clone()),
        dane: Some(dane.to_string()),
        tls: probe.session.clone(),
        group: probe.group.map(str::to_owned),
        tlsvalid: probe.valid.map(|valid| valid.to_string()),
        webpki: match &webpki {
            None => WebPkiSeen::NotAsked,
            Some(Ok(())) => WebPkiSeen::Valid,
            Some(Err(PkixFailure::NameMismatch)) => WebPkiSeen::NameMismatch,
            Some(Err(PkixFailure::Expired | PkixFailure::NotYetValid)) => WebPkiSeen::Expired,
            Some(Err(PkixFailure::Untrusted(_) | PkixFailure::UnsupportedKey(_))) => WebPkiSeen::Untrusted,
        },
        webpki_reason: webpki.and_then(Result::err).map(|failure| failure.to_string()),
        presented: certificates(&probe.chain),
        published,
        ..blank(probe.address, Outcome::NotTried)
    }
}

/// What a connection shows about this domain's host: the names that count, and how securely the host is named, are its own.
fn of_candidate(contact: &Contact, candidate: &Candidate) -> AddressSeen {
    let mut seen = contact.seen.clone();
    if let (OutcomeClass::Good, Action::Connect { verdict, .. }) =
        (seen.outcome.class(), &candidate.decision.action)
    {
        seen.dane = Some(verdict.to_string());
    }
    match issuer(&candidate.host, &contact.chain) {
        None => {}
        Some(Ok(())) => seen.issuer = IssuerSeen::Valid,
        Some(Err(failure)) => {
            seen.issuer = IssuerSeen::Invalid;
            seen.issuer_reason = Some(failure.to_string());
        }
    }
    seen
}

/// What the trust anchors alone would verify: with the next key nothing else is left of what is published now.
fn issuer(host: &RouteHost, chain: &[CertificateDer<'static>]) -> Option<Result<(), VerifyFailure>> {
    let ((_, set), references) = (host.tlsa()?, host.references()?);
    let anchors = set.usable().iter().filter(|record| record.usage == Usage::DaneTa);
    let anchors = TlsaSet::new(anchors.cloned().collect());
    if chain.is_empty() || anchors.is_empty() {
        return None;
    }
    Some(verify_chain(&anchors, chain, references, UnixTime::now()).map(|_| ()))
}

/// What a chain is worth under the names of this host, if the names matter at all.
fn verified(host: &RouteHost, chain: &[CertificateDer<'static>]) -> Option<Result<(), VerifyFailure>> {
    let ((_, set), references) = (host.tlsa()?, host.references()?);
    if chain.is_empty() || !has_anchors(set) {
        return None;
    }
    Some(verify_chain(set, chain, references, UnixTime::now()).map(|_| ()))
}

fn has_anchors(set: &TlsaSet) -> bool {
    set.usable().iter().any(|record| record.usage == Usage::DaneTa)
}

fn blank(address: IpAddr, outcome: Outcome) -> AddressSeen {
    AddressSeen {
        address,
        outcome,
        reason: None,
        dane: None,
        tls: None,
        group: None,
        tlsvalid: None,
        webpki: WebPkiSeen::NotAsked,
        webpki_reason: None,
        presented: Vec::new(),
        published: Vec::new(),
        issuer: IssuerSeen::NotAsked,
        issuer_reason: None,
        offers: Vec::new(),
        suites: Vec::new(),
        suites_complete: false,
    }
}

/// An address that nobody connected to.
pub(super) fn untried(address: IpAddr) -> AddressSeen {
    blank(address, Outcome::NotTried)
}
