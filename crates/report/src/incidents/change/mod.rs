//! What has changed since it last worked, and what that speaks for.
//!
//! * [`finding`]: what that is. [`keys`]: keys, certificates and TLSA records. [`session`]: STARTTLS. [`dnssec`]: signatures, and the policy's demands.

mod dnssec;
mod finding;
mod keys;
mod session;

use std::collections::{BTreeSet, HashSet};

use jiff::{SignedDuration, Timestamp};
use mail::Domain;
use mail::incident::Likely;
use mail::registrable;
use mail::sighting::{Ending, Evidence, Place, Trouble};
use serde::{Deserialize, Serialize};
use spool::KnownIncident;

pub use self::finding::Finding;

/// What begins at several providers within this time has one reason.
const AT_ONCE: SignedDuration = SignedDuration::from_hours(1);
/// So many other providers at once point to something near us.
const SEVERAL: usize = 3;

/// One host or domain of an incident, with what was seen there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its number.
    pub number: u64,
    /// Where it is.
    pub place: Place,
    /// When it was first seen failing.
    pub first_seen: Timestamp,
    /// When it was last seen failing.
    pub last_seen: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub ending: Option<Ending>,
    /// What was seen last.
    pub now: Evidence,
    /// What was seen when it last worked.
    pub before: Option<Evidence>,
    /// Since when it had shown that.
    pub before_since: Option<Timestamp>,
    /// When it last worked.
    pub before_until: Option<Timestamp>,
}

impl Member {
    pub(super) fn of(known: &KnownIncident) -> Self {
        let before = known.before.as_ref();
        Self {
            number: known.number.0,
            place: known.spot.place.clone(),
            first_seen: known.first_seen,
            last_seen: known.last_seen,
            ended: known.ended.map(|(at, _)| at),
            ending: known.ended.map(|(_, ending)| ending),
            now: known.evidence.clone(),
            before: before.map(|before| before.evidence.clone()),
            before_since: before.map(|before| before.since),
            before_until: before.map(|before| before.until),
        }
    }
}

/// What the records of an incident speak for. `began`: what else began, when, and at which provider.
pub(super) fn assess(records: &[KnownIncident], began: &[(Trouble, Timestamp, Domain)]) -> Finding {
    let open = records.iter().find(|one| one.ended.is_none());
    let Some(known) = open.or_else(|| records.first()) else {
        return Finding::new(Likely::Unknown);
    };
    let mut finding = alone(known);
    let hosts: HashSet<&Place> = records.iter().map(|one| &one.spot.place).collect();
    if hosts.len() > 1 {
        let hosts = hosts.len();
        let least = if records.iter().any(|one| one.stands_for_more) {
            "at least "
        } else {
            ""
        };
        finding.for_mistake.push(format!(
            "{least}{hosts} hosts of the same provider fail in the same way"
        ));
    }
    let others = elsewhere(known, began);
    if others >= SEVERAL && is_about_tls(known.spot.trouble) {
        finding.likely = Likely::OurNetwork;
        finding.for_attack.push(format!(
            "the same began at {others} other providers within an hour: look at what is between this relay and the \
             Internet"
        ));
    }
    finding
}

/// How many other providers began to fail in the same way at about the same time.
fn elsewhere(known: &KnownIncident, began: &[(Trouble, Timestamp, Domain)]) -> usize {
    let Place::Host(host) = &known.spot.place else {
        return 0;
    };
    let own = registrable::of(host);
    let others = began.iter().filter(|(trouble, at, provider)| {
        let near = at.duration_since(known.first_seen).abs() <= AT_ONCE;
        *trouble == known.spot.trouble && near && *provider != own
    });
    let providers: BTreeSet<&Domain> = others.map(|(_, _, provider)| provider).collect();
    providers.len()
}

fn is_about_tls(trouble: Trouble) -> bool {
    match trouble {
        Trouble::NoMatchingTlsa
        | Trouble::WrongSignature
        | Trouble::WebPki
        | Trouble::StarttlsNotOffered
        | Trouble::StarttlsRefused
        | Trouble::Injection
        | Trouble::Handshake => true,
        Trouble::MxBogus
        | Trouble::AddressBogus
        | Trouble::TlsaBogus
        | Trouble::TlsaLookup
        | Trouble::InsecureMx
        | Trouble::AddressName
        | Trouble::InsecureHost
        | Trouble::NoSecureTlsa
        | Trouble::NoUsableTlsa
        | Trouble::NameMismatch
        | Trouble::CertificateExpired
        | Trouble::CertificateUntrusted
        | Trouble::UnsupportedKey
        | Trouble::MtaStsMismatch
        | Trouble::ResolverFails
        | Trouble::LoginFails => false,
    }
}

fn alone(known: &KnownIncident) -> Finding {
    match known.spot.trouble {
        Trouble::NoMatchingTlsa => keys::no_match(known),
        Trouble::StarttlsNotOffered | Trouble::StarttlsRefused => session::no_starttls(known),
        Trouble::Injection | Trouble::WrongSignature => session::attacked(known),
        Trouble::CertificateExpired => keys::expired(known),
        Trouble::MxBogus | Trouble::AddressBogus | Trouble::TlsaBogus => dnssec::bogus(known),
        Trouble::InsecureMx
        | Trouble::AddressName
        | Trouble::InsecureHost
        | Trouble::NoSecureTlsa
        | Trouble::NoUsableTlsa => dnssec::demanded(known),
        Trouble::TlsaLookup
        | Trouble::NameMismatch
        | Trouble::CertificateUntrusted
        | Trouble::UnsupportedKey
        | Trouble::WebPki
        | Trouble::Handshake
        | Trouble::MtaStsMismatch => keys::compared(known, Likely::Unknown),
        Trouble::ResolverFails | Trouble::LoginFails => Finding::ours(&known.evidence.reason),
    }
}
