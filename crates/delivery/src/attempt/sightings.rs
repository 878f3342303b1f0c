//! What an attempt sees of the security of hosts, for incidents.

use dane::{CertificateSummary, MatchingType, Selector, TlsaRecord, TlsaSet, Usage};
use jiff::Timestamp;
use mail::cause::{Cause, TlsFault};
use mail::sighting::evidence::{CERTIFICATES, RECORDS, shortened};
use mail::sighting::{Ending, Evidence, Failing, Place, PresentedCertificate, Proven, Spot, Starttls};
use mail::{DaneVerdict, Domain, NextHop, Security, Sighting, SkipReason};
use policy::decision::Requirement;
use policy::failure::{Failure, Standing};
use rustls::pki_types::CertificateDer;

use super::record::{Connection, HostRecord};
use super::target::Target;
use super::walk::Attempt;
use crate::route::Route;

impl Attempt<'_, '_> {
    /// Something failed on the way along this route, at the host of the record if it has one. Returns the record with what
    /// mail waits for because of it. `chain` is what the server presented.
    pub(super) fn see_failure(
        &mut self,
        route: &Route,
        failure: &Failure,
        record: HostRecord,
        chain: &[CertificateDer<'_>],
    ) -> HostRecord {
        let Some(spot) = spot(failure, record.host(), &route.next_hop) else {
            return record;
        };
        let now = self.deliverer.clock.now();
        let evidence = evidence(&record, chain, (now, failure));
        let worked = self
            .deliverer
            .remembered
            .fails(&spot.place, evidence.address, now);
        let is_known = self.trail.sightings.iter().any(|one| is_of(one, &spot));
        if !is_known {
            self.trail.sightings.push(Sighting::Fails(Box::new(Failing {
                spot: spot.clone(),
                domain: domain(&self.lease.next_hop).cloned(),
                evidence,
                worked,
            })));
        }
        record.held_up_at(spot)
    }

    /// A connection has met what was decided for its host. `chain` is what the server presented, if the connection is new.
    pub(super) fn see_success(
        &mut self,
        target: &Target<'_>,
        record: &HostRecord,
        chain: Option<&[CertificateDer<'_>]>,
    ) {
        let Some(connection) = &record.connection else {
            return;
        };
        let now = self.deliverer.clock.now();
        if let Some(ending) = ending(connection) {
            self.see_end(target, (record, connection), ending, now);
        }
        let (Some(host), true) = (record.host(), is_proof(connection)) else {
            return;
        };
        // Without the certificates there is nothing to pass on: a session that is kept was news when it was new.
        let Some(chain) = chain else {
            self.deliverer.remembered.still_proves(host, now);
            return;
        };
        let shown = (connection.presented.as_ref(), connection.published.as_deref());
        if self.deliverer.remembered.proves(host, shown, now) {
            self.trail.sightings.push(Sighting::Proven(Box::new(Proven {
                host: host.clone(),
                evidence: of_connection(record, connection, chain, now),
            })));
        }
    }

    /// The places through which a message gets to a host work again, if they did not.
    fn see_end(
        &mut self,
        target: &Target<'_>,
        (record, connection): (&HostRecord, &Connection),
        ending: Ending,
        now: Timestamp,
    ) {
        let remembered = &self.deliverer.remembered;
        if !remembered.knows_of_failures() {
            return;
        }
        let address = Some(connection.address);
        let host = record.host().cloned().map(Place::Host);
        // A domain whose signatures are not demanded at present has not healed because mail gets through.
        let is_secure = target.route.mx == Some(Security::Secure) || connection.requirement.authenticates();
        let domain = domain(&target.route.next_hop).filter(|_| is_secure);
        let places = [host, domain.cloned().map(Place::Domain), Some(Place::Resolver)];
        for place in places.into_iter().flatten() {
            if remembered.works(&place, address, now) {
                self.trail.sightings.push(Sighting::Works(place, ending));
            }
        }
    }

    /// A login was accepted.
    pub(super) fn see_login(&mut self, route: &Route) {
        let place = Place::Login(route.next_hop.clone());
        let now = self.deliverer.clock.now();
        if self.deliverer.remembered.works(&place, None, now) {
            self.trail
                .sightings
                .push(Sighting::Works(place, Ending::Verified));
        }
    }
}

/// Which incident a failure belongs to. A host that may get mail in clear text has not failed if TLS did.
fn spot(failure: &Failure, host: Option<&Domain>, next_hop: &NextHop) -> Option<Spot> {
    match (&failure.standing, &failure.cause) {
        (Standing::Uncleared { requirement, .. }, Cause::Tls(_)) if requirement.allows_plain_text() => None,
        (
            Standing::Apart | Standing::Misrouted | Standing::Uncleared { .. } | Standing::Cleared(_),
            cause,
        ) => Spot::of(cause, host, next_hop),
    }
}

fn is_of(sighting: &Sighting, spot: &Spot) -> bool {
    match sighting {
        Sighting::Fails(failing) => failing.spot == *spot,
        Sighting::Works(..) | Sighting::Proven(_) => false,
    }
}

/// How incidents of the host end if this is what was decided about it, and was met; `None` if that says nothing, because an
/// exception or the policy demands nothing of it.
fn ending(connection: &Connection) -> Option<Ending> {
    match &connection.verdict {
        DaneVerdict::Verify | DaneVerdict::VerifyHostOnly => Some(Ending::Verified),
        DaneVerdict::EncryptNoUsable | DaneVerdict::Skip(SkipReason::EncryptInsecureMx) => {
            Some(Ending::Encrypted)
        }
        DaneVerdict::Skip(_) if connection.requirement.authenticates() => Some(Ending::Verified),
        DaneVerdict::Skip(SkipReason::InsecureHost | SkipReason::NoSecureTlsa) => Some(Ending::Withdrawn),
        DaneVerdict::Skip(
            SkipReason::InsecureMx
            | SkipReason::AddressLiteral
            | SkipReason::DisabledByPolicy
            | SkipReason::TlsRequiredNo
            | SkipReason::Danefail { .. }
            | SkipReason::Exception { .. },
        )
        | DaneVerdict::Softfail(_)
        | DaneVerdict::Fail(_)
        | DaneVerdict::NotReached => None,
    }
}

/// Whether the server has proven itself by DANE.
fn is_proof(connection: &Connection) -> bool {
    match connection.requirement {
        Requirement::Dane | Requirement::DaneAndPkix => true,
        Requirement::Clear | Requirement::Opportunistic | Requirement::Encrypted | Requirement::Pkix => false,
    }
}

/// What was seen of a host, or on the way to it, when it failed.
fn evidence(
    record: &HostRecord,
    chain: &[CertificateDer<'_>],
    (at, failure): (Timestamp, &Failure),
) -> Evidence {
    let reason = shortened(&failure.reason);
    match &record.connection {
        Some(connection) => Evidence {
            reason,
            ..of_connection(record, connection, chain, at)
        },
        None => Evidence {
            base: record.base().cloned(),
            ..Evidence::of_words(at, &reason)
        },
    }
}

fn of_connection(
    record: &HostRecord,
    connection: &Connection,
    chain: &[CertificateDer<'_>],
    at: Timestamp,
) -> Evidence {
    let presented: Vec<_> = chain
        .iter()
        .take(CERTIFICATES)
        .enumerate()
        .map(certificate)
        .collect();
    let has_tls = connection.tls.session().is_some() || !presented.is_empty();
    Evidence {
        at,
        address: Some(connection.address),
        port: Some(record.port),
        base: record.base().cloned(),
        published: connection.published.as_deref().map(records).unwrap_or_default(),
        starttls: starttls(connection.failed.as_ref(), has_tls),
        session: connection.tls.session().map(ToString::to_string),
        presented,
        reason: String::new(),
    }
}

fn starttls(failed: Option<&Cause>, has_tls: bool) -> Starttls {
    match failed {
        Some(Cause::Tls(TlsFault::NotOffered)) => Starttls::NotOffered,
        Some(Cause::Tls(TlsFault::Refused(code))) => Starttls::Refused(*code),
        Some(Cause::Tls(
            TlsFault::DataBeforeHandshake
            | TlsFault::TimedOut
            | TlsFault::Closed
            | TlsFault::Protocol(_)
            | TlsFault::Handshake(_)
            | TlsFault::Unproven(_),
        )) => Starttls::Offered,
        Some(
            Cause::Ours(_)
            | Cause::Dns(..)
            | Cause::Destination(_)
            | Cause::Policy(_)
            | Cause::Connection(_)
            | Cause::Login(_)
            | Cause::Smtp(_),
        )
        | None => {
            if has_tls {
                Starttls::Offered
            } else {
                Starttls::Unknown
            }
        }
    }
}

/// The records of a host. Digests are whole; certificates and keys in full are shortened.
fn records(set: &TlsaSet) -> Vec<String> {
    let all = set.usable().iter().chain(set.outranked());
    let all = all.chain(set.unusable().iter().map(|(record, _)| record));
    let text = |record: &TlsaRecord| match record.matching {
        MatchingType::Sha256 | MatchingType::Sha512 => shortened(&record.to_string()),
        MatchingType::Full | MatchingType::Other(_) => record.fingerprint().to_string(),
    };
    let mut records: Vec<String> = all.take(RECORDS).map(text).collect();
    records.sort();
    records
}

fn certificate((depth, certificate): (usize, &CertificateDer<'_>)) -> PresentedCertificate {
    let usage = if depth == 0 { Usage::DaneEe } else { Usage::DaneTa };
    let record = TlsaRecord::for_certificate(usage, Selector::Spki, MatchingType::Sha256, certificate);
    let summary = CertificateSummary::of(certificate);
    let date = |seconds: i64| Timestamp::from_second(seconds).ok();
    PresentedCertificate {
        not_before: summary.as_ref().and_then(|summary| date(summary.not_before)),
        not_after: summary.as_ref().and_then(|summary| date(summary.not_after)),
        authority: summary
            .as_ref()
            .and_then(|summary| summary.issuer_organization.as_deref().map(shortened)),
        issuer: summary
            .as_ref()
            .map(|summary| shortened(&summary.issuer))
            .unwrap_or_default(),
        subject: summary
            .map(|summary| shortened(&summary.subject))
            .unwrap_or_default(),
        record: record.map(|record| record.to_string()),
    }
}

fn domain(next_hop: &NextHop) -> Option<&Domain> {
    match next_hop {
        NextHop::Domain { domain, .. } => Some(domain),
        NextHop::Host { host, .. } => Some(host),
        NextHop::Address { .. } => None,
    }
}
