//! Connections to servers, each made once for all domains that it serves, and one at a time to each address.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use dane::{
    ClientConfigs, PkixFailure, RecordingVerifier, ReferenceIdentifiers, TlsaSet, Usage, VerifyFailure,
    WebPki, server_name, verify_chain,
};
use delivery::probe::{Probe, Prober};
use delivery::route::{Candidate, Route, RouteHost};
use jiff::Timestamp;
use mail::Domain;
use parking_lot::Mutex;
use policy::decision::{Action, Requirement};
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use tokio::sync::{OnceCell, Semaphore};

use super::observation::{AddressSeen, IssuerSeen, KeySeen, OfferResult, OfferSeen, VersionSeen, WebPkiSeen};
use super::offers::Offers;
use super::outcome::{Outcome, Standing};
use super::ways::has_route;
use crate::explain::{certificates, published};

/// Connects.
pub(super) struct Contacts {
    prober: Prober,
    configs: ClientConfigs,
    webpki: WebPki,
    /// Further handshakes; none if servers are to be bothered as little as possible.
    offers: Option<Offers>,
    known: Known<Key, Contact>,
    /// For chains that other names than those of the first domain are looked for in.
    known_with_names: Known<(Key, Vec<String>), Contact>,
    turns: Known<IpAddr, Semaphore>,
}

/// What one connection is like another by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    host: Option<Domain>,
    socket: SocketAddr,
    requirement: Requirement,
    /// The TLSA base domain and its records.
    tlsa: Option<(Domain, Vec<String>)>,
}

/// What came of it.
#[derive(Debug)]
struct Contact {
    seen: AddressSeen,
    chain: Vec<CertificateDer<'static>>,
    /// What the chain is worth under the first domain's names.
    verified: Option<Result<(), VerifyFailure>>,
}

/// Values that are made once.
struct Known<K, V>(Mutex<HashMap<K, Arc<OnceCell<V>>>>);

impl<K: Eq + Hash, V> Known<K, V> {
    fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    fn cell(&self, key: K) -> Arc<OnceCell<V>> {
        Arc::clone(self.0.lock().entry(key).or_default())
    }
}

impl Contacts {
    pub(super) fn new(
        prober: Prober,
        (configs, webpki): (ClientConfigs, WebPki),
        offers: Option<Offers>,
    ) -> Self {
        Self {
            prober,
            configs,
            webpki,
            offers,
            known: Known::new(),
            known_with_names: Known::new(),
            turns: Known::new(),
        }
    }

    /// What an address shows. Who is passed over is not connected to.
    pub(super) async fn address(&self, route: &Route, candidate: &Candidate, address: IpAddr) -> AddressSeen {
        let Action::Connect { requirement, .. } = &candidate.decision.action else {
            return blank(address, Outcome::NotTried);
        };
        if !has_route(address) {
            return blank(address, Outcome::NoRoute);
        }
        let host = &candidate.host;
        let key = Key {
            host: host.name().cloned(),
            socket: SocketAddr::new(address, route.port),
            requirement: *requirement,
            tlsa: host.tlsa().map(|(base, set)| {
                let mut records: Vec<String> = set.usable().iter().map(ToString::to_string).collect();
                records.sort();
                (base.clone(), records)
            }),
        };
        let cell = self.known.cell(key.clone());
        let contact = cell.get_or_init(|| self.connect(route, candidate, address)).await;
        if contact.verified == verified(host, &contact.chain) {
            return of_candidate(contact, candidate);
        }
        let names = host.references().into_iter().flat_map(ReferenceIdentifiers::iter);
        let cell = self
            .known_with_names
            .cell((key, names.map(str::to_owned).collect()));
        let contact = cell.get_or_init(|| self.connect(route, candidate, address)).await;
        of_candidate(contact, candidate)
    }

    async fn connect(&self, route: &Route, candidate: &Candidate, address: IpAddr) -> Contact {
        let turn = self.turns.cell(address);
        let turn = turn.get_or_init(|| async { Semaphore::new(1) }).await;
        // `None` only if the semaphore were closed, which never happens.
        let _turn = turn.acquire().await.ok();
        let host = &candidate.host;
        let Some(probe) = self.prober.probe_address(route, candidate, address).await else {
            return Contact {
                seen: blank(address, Outcome::NotTried),
                chain: Vec::new(),
                verified: None,
            };
        };
        let mut seen = self.seen(host, &probe);
        let socket = SocketAddr::new(address, route.port);
        seen.offers = self.further(host, socket, &seen).await;
        Contact {
            seen,
            verified: verified(host, &probe.chain),
            // Of others nothing more is asked.
            chain: if host.tlsa().is_some_and(|(_, set)| has_anchors(set)) {
                probe.chain
            } else {
                Vec::new()
            },
        }
    }

    fn seen(&self, host: &RouteHost, probe: &Probe) -> AddressSeen {
        let failure = probe.failure.as_ref();
        let dane = failure.map_or_else(|| probe.verdict.clone(), policy::failure::Failure::verdict);
        let published = match host.tlsa() {
            Some((_, set)) if !probe.chain.is_empty() => published(set, &probe.chain),
            Some(_) | None => Vec::new(),
        };
        let webpki = self.webpki(host, &probe.chain);
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
                Some(Err(PkixFailure::Untrusted(_) | PkixFailure::UnsupportedKey(_))) => {
                    WebPkiSeen::Untrusted
                }
            },
            webpki_reason: webpki.and_then(Result::err).map(|failure| failure.to_string()),
            presented: certificates(&probe.chain),
            published,
            ..blank(probe.address, Outcome::NotTried)
        }
    }

    /// What the WebPKI says about the host's name, for information.
    fn webpki(&self, host: &RouteHost, chain: &[CertificateDer<'static>]) -> Option<Result<(), PkixFailure>> {
        let name = server_name(host.name()?.as_str()).ok()?;
        let (own, issuers) = chain.split_first()?;
        let provider = self.configs.provider();
        let verifier = RecordingVerifier::with_webpki(provider, &self.webpki, name.clone());
        verifier
            .verify_server_cert(own, issuers, &name, &[], UnixTime::now())
            .ok()?;
        verifier.observed()?.webpki
    }

    /// The other version of TLS, and the other kind of key.
    async fn further(&self, host: &RouteHost, socket: SocketAddr, seen: &AddressSeen) -> Vec<OfferSeen> {
        let (Some(offers), false) = (&self.offers, seen.presented.is_empty()) else {
            return Vec::new();
        };
        let mut made = Vec::new();
        for version in [VersionSeen::Tls12, VersionSeen::Tls13] {
            made.push(offers.make(host, socket, version, None).await);
        }
        let taken = |made: &[OfferSeen], wanted| {
            made.iter()
                .any(|offer| offer.version == wanted && offer.result == OfferResult::Taken)
        };
        let version = if taken(&made, VersionSeen::Tls13) {
            VersionSeen::Tls13
        } else {
            VersionSeen::Tls12
        };
        for keys in [KeySeen::Ecdsa, KeySeen::Rsa] {
            made.push(offers.make(host, socket, version, Some(keys)).await);
        }
        made
    }
}

/// What a connection shows about this domain's host: the names that count, and how securely the host is named, are its own.
fn of_candidate(contact: &Contact, candidate: &Candidate) -> AddressSeen {
    let mut seen = contact.seen.clone();
    if let (Standing::Good, Action::Connect { verdict, .. }) =
        (seen.outcome.standing(), &candidate.decision.action)
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
    }
}

/// An address that nobody connected to.
pub(super) fn untried(address: IpAddr) -> AddressSeen {
    blank(address, Outcome::NotTried)
}

/// A date of a certificate or signature.
pub(super) fn date(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}
