//! What an attempt sees of the security of hosts, for incidents.

use dane::{CertificateSummary, MatchingType, Selector, TlsaRecord, TlsaSet, Usage};
use jiff::Timestamp;
use mail::cause::{Cause, TlsFault};
use mail::sighting::evidence::{CERTIFICATES, RECORDS, shortened};
use mail::sighting::{
    Demanded, DemandedBy, Ending, Evidence, Failing, FailingSpot, Met, Place, PresentedCertificate, Proof,
    Proven, Records, Spot, Starttls,
};
use mail::{DaneVerdict, Domain, NextHop, Security, Sighting, SkipReason};
use policy::decision::{Action, HostDecision, Requirement};
use policy::facts::{Addresses, HostFindings, Tlsa};
use policy::failure::{Failure, Standing};
use policy::settings::DaneMode;
use rustls::pki_types::CertificateDer;

use super::record::{Connection, HostRecord};
use super::target::Target;
use super::walk::Attempt;
use crate::route::{Route, RouteHost};

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
        let port = match spot.place {
            Place::Host(_) => Some(record.port),
            Place::Domain(_) | Place::Resolver | Place::Login(_) => None,
        };
        let mut evidence = evidence(&record, chain, (now, failure));
        evidence.port = evidence.port.or(port);
        let domain = domain(&self.lease.next_hop);
        let demanded_by = if route.message.is_required() {
            DemandedBy::Message
        } else {
            DemandedBy::Policy
        };
        let worked = self.deliverer.remembered.fails(FailingSpot {
            spot: spot.clone(),
            address: evidence.address,
            port,
            has_records: evidence.base.is_some(),
            domain: domain.filter(|_| demanded_by == DemandedBy::Policy).cloned(),
            last_seen: now,
        });
        let is_known = self.trail.sightings.iter().any(|one| is_of(one, &spot));
        if !is_known {
            self.trail.sightings.push(Sighting::Fails(Box::new(Failing {
                spot: spot.clone(),
                domain: domain.cloned(),
                demanded_by,
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
        self.see_end(target, (record, connection), now);
        let (Some(host), true) = (record.host(), is_proof(connection)) else {
            return;
        };
        let server = (host.clone(), record.port);
        // Without the certificates there is nothing to pass on: a session that is kept was news when it was new.
        let Some(chain) = chain else {
            self.deliverer.remembered.still_proves(&server, now);
            return;
        };
        let shown = (connection.presented.as_ref(), connection.published.as_deref());
        if self.deliverer.remembered.proves(&server, shown, now) {
            self.trail.sightings.push(Sighting::Proven(Box::new(Proven {
                host: host.clone(),
                evidence: of_connection(record, connection, chain, now),
            })));
        }
    }

    /// What failed on the way to this host is over if the connection has proven it.
    fn see_end(
        &mut self,
        target: &Target<'_>,
        (record, connection): (&HostRecord, &Connection),
        now: Timestamp,
    ) {
        if !self.deliverer.remembered.knows_of_failures() {
            return;
        }
        let met = self.met(target, (record, connection), now);
        let host = record.host().cloned().map(Place::Host);
        let domain = domain(&target.route.next_hop).cloned().map(Place::Domain);
        for place in [host, domain, Some(Place::Resolver)].into_iter().flatten() {
            let over = self.deliverer.remembered.over(&place, |failing| {
                let fails = self.fails_still(target.route, &failing.spot);
                (!fails).then(|| failing.ending(&met)).flatten()
            });
            let works = over
                .into_iter()
                .map(|(spot, ending)| Sighting::Works(spot, ending));
            self.trail.sightings.extend(works);
        }
    }

    /// Whether the same attempt has met this failure, or would at another host of the route.
    fn fails_still(&self, route: &Route, spot: &Spot) -> bool {
        let is_passed_over = |(host, decision): (&RouteHost, Option<&HostDecision>)| match decision {
            Some(HostDecision {
                action: Action::PassOver(failure),
                ..
            }) => Spot::of(&failure.cause, host.name(), &route.next_hop).as_ref() == Some(spot),
            Some(HostDecision {
                action: Action::Connect { .. },
                ..
            })
            | None => false,
        };
        self.trail.sightings.iter().any(|one| is_of(one, spot)) || route.decision.hosts().any(is_passed_over)
    }

    /// What the connection has proven.
    fn met(
        &self,
        target: &Target<'_>,
        (record, connection): (&HostRecord, &Connection),
        at: Timestamp,
    ) -> Met {
        let demand = self.demand(target, connection);
        let is_wanted = target.host.facts.policy.dane != DaneMode::Off && demand == Demanded::All;
        let (addresses, records) = findings(&target.host.facts.findings);
        Met {
            at,
            address: connection.address,
            port: record.port,
            domain: domain(&self.lease.next_hop).cloned(),
            mx: target.route.mx,
            addresses,
            records: if is_wanted { records } else { Records::NotAsked },
            proof: proof(connection),
            demand,
        }
    }

    /// Whether anything was waived for this message, or for this host or domain.
    fn demand(&self, target: &Target<'_>, connection: &Connection) -> Demanded {
        let names = [target.host.name(), domain(&target.route.next_hop)];
        let mut names = names.into_iter().flatten();
        if names.any(|name| self.is_declared_unsigned(name))
            || target.route.message.is_waived()
            || is_waived(&connection.verdict)
        {
            Demanded::Less
        } else {
            Demanded::All
        }
    }

    /// A login was accepted.
    pub(super) fn see_login(&mut self, route: &Route) {
        let place = Place::Login(route.next_hop.clone());
        let over = self.deliverer.remembered.over(&place, |_| Some(Ending::Verified));
        let works = over
            .into_iter()
            .map(|(spot, ending)| Sighting::Works(spot, ending));
        self.trail.sightings.extend(works);
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

/// Whether the verdict says that DANE was not demanded this time, though it would be.
fn is_waived(verdict: &DaneVerdict) -> bool {
    match verdict {
        DaneVerdict::Softfail(_)
        | DaneVerdict::Skip(
            SkipReason::TlsRequiredNo | SkipReason::Danefail { .. } | SkipReason::Exception { .. },
        ) => true,
        DaneVerdict::Verify
        | DaneVerdict::VerifyHostOnly
        | DaneVerdict::EncryptNoUsable
        | DaneVerdict::Skip(
            SkipReason::InsecureHost
            | SkipReason::NoSecureTlsa
            | SkipReason::InsecureMx
            | SkipReason::EncryptInsecureMx
            | SkipReason::AddressLiteral
            | SkipReason::DisabledByPolicy,
        )
        | DaneVerdict::Fail(_)
        | DaneVerdict::NotReached => false,
    }
}

/// What DNS says about a host that was connected to: whether its addresses are secure, and its records.
fn findings(findings: &HostFindings) -> (Option<Security>, Records) {
    let HostFindings::Named { addresses, tlsa } = findings else {
        return (None, Records::NotAsked);
    };
    let records = match tlsa {
        Tlsa::NotAsked | Tlsa::LookupFailed(_) => Records::NotAsked,
        Tlsa::Absent => Records::Absent,
        Tlsa::Unusable => Records::Unusable,
        Tlsa::Usable => Records::Usable,
    };
    match addresses {
        // RFC 7672 §2.1.3: there are no secure records, then.
        Addresses::Insecure => (Some(Security::Insecure), Records::Absent),
        Addresses::SecureAlias => (Some(Security::Insecure), records),
        Addresses::Secure => (Some(Security::Secure), records),
        Addresses::Unresolvable(_)
        | Addresses::Absent(_)
        | Addresses::Ignored(_)
        | Addresses::OtherFamily => (None, records),
    }
}

/// What the server has proven.
fn proof(connection: &Connection) -> Proof {
    match connection.requirement {
        Requirement::Dane => Proof::Dane,
        Requirement::DaneAndPkix => Proof::DaneAndWebPki,
        Requirement::Pkix => Proof::WebPki,
        Requirement::Clear | Requirement::Opportunistic | Requirement::Encrypted => {
            if connection.tls.session().is_some() {
                Proof::Tls
            } else {
                Proof::Clear
            }
        }
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
