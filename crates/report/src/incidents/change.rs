//! What has changed since it last worked, and what that speaks for.

use std::collections::{BTreeSet, HashSet};

use jiff::{SignedDuration, Timestamp};
use mail::Domain;
use mail::sighting::{Ending, Evidence, Place, PresentedCertificate, Starttls, Trouble};
use serde::{Deserialize, Serialize};
use spool::{Before, KnownIncident};

use super::words::{day, moment, place_name, short};
use crate::provider;

/// A certificate that was made within this time before the failure began belongs to it.
const MADE_FOR_IT: SignedDuration = SignedDuration::from_hours(45 * 24);
/// What begins at several providers within this time has one reason.
const AT_ONCE: SignedDuration = SignedDuration::from_hours(1);
/// So many other providers at once point to something near us.
const SEVERAL: usize = 3;

/// What has changed, and what that speaks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it most likely is.
    pub likely: Likely,
    /// What was seen, and how it differs from before.
    pub changes: Vec<String>,
    /// What speaks for a mistake of those who run it.
    pub for_mistake: Vec<String>,
    /// What speaks for somebody in between.
    pub for_attack: Vec<String>,
}

/// What it most likely is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Likely {
    /// The key was changed, and the TLSA records were not.
    ForgottenRollover,
    /// The TLSA records were changed, and the key was not; or they fit no key that is used.
    WrongRecords,
    /// A certificate has expired.
    ExpiredCertificate,
    /// The zone's signatures are wrong.
    BrokenDnssec,
    /// Somebody between us and them may interfere.
    PossibleAttack,
    /// Something near us interferes with TLS: it began at several unrelated providers at once.
    OurNetwork,
    /// Our policy demands what they have never offered.
    PolicyDemand,
    /// It is on our own side.
    Ours,
    /// What was seen does not say.
    Unknown,
}

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

impl Likely {
    /// The word of the log and of `--json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ForgottenRollover => "forgotten-rollover",
            Self::WrongRecords => "wrong-records",
            Self::ExpiredCertificate => "expired-certificate",
            Self::BrokenDnssec => "broken-dnssec",
            Self::PossibleAttack => "possible-attack",
            Self::OurNetwork => "our-network",
            Self::PolicyDemand => "policy-demand",
            Self::Ours => "ours",
            Self::Unknown => "unknown",
        }
    }

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::ForgottenRollover => {
                "a forgotten roll-over: the key was changed, the TLSA records were not"
            }
            Self::WrongRecords => "a mistake in the TLSA records",
            Self::ExpiredCertificate => "an expired certificate",
            Self::BrokenDnssec => "a mistake in the zone's DNSSEC",
            Self::PossibleAttack => "possibly an attack: somebody between us and them may interfere",
            Self::OurNetwork => {
                "something near us that interferes with TLS: it began at several unrelated providers at once"
            }
            Self::PolicyDemand => "a demand of our own policy that they do not meet",
            Self::Ours => "on our own side",
            Self::Unknown => "not clear from what was seen",
        }
    }
}

impl Finding {
    pub(super) fn ours(reason: &str) -> Self {
        Self {
            likely: Likely::Ours,
            changes: vec![reason.to_owned()],
            for_mistake: Vec::new(),
            for_attack: Vec::new(),
        }
    }

    fn new(likely: Likely) -> Self {
        Self {
            likely,
            changes: Vec::new(),
            for_mistake: Vec::new(),
            for_attack: Vec::new(),
        }
    }
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
    let own = provider::of(host);
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
        Trouble::NoMatchingTlsa => no_match(known),
        Trouble::StarttlsNotOffered | Trouble::StarttlsRefused => no_starttls(known),
        Trouble::Injection | Trouble::WrongSignature => attacked(known),
        Trouble::CertificateExpired => expired(known),
        Trouble::MxBogus | Trouble::AddressBogus | Trouble::TlsaBogus => bogus(known),
        Trouble::InsecureMx
        | Trouble::AddressName
        | Trouble::InsecureHost
        | Trouble::NoSecureTlsa
        | Trouble::NoUsableTlsa => demanded(known),
        Trouble::TlsaLookup
        | Trouble::NameMismatch
        | Trouble::CertificateUntrusted
        | Trouble::UnsupportedKey
        | Trouble::WebPki
        | Trouble::Handshake
        | Trouble::MtaStsMismatch => compared(known, Likely::Unknown),
        Trouble::ResolverFails | Trouble::LoginFails => Finding::ours(&known.evidence.reason),
    }
}

/// The finding with what can be compared.
fn compared(known: &KnownIncident, likely: Likely) -> Finding {
    let mut finding = Finding::new(likely);
    let Some(before) = &known.before else {
        finding.changes.push(format!(
            "this relay has not seen {} work before: there is nothing to compare with",
            place_name(&known.spot.place)
        ));
        return finding;
    };
    finding.changes.push(format!(
        "it last worked on {}, and had shown the same since {}",
        moment(before.until),
        day(before.since)
    ));
    finding.changes.extend(of_key(before, known));
    finding.changes.push(of_records(before, &known.evidence));
    finding
}

fn of_key(before: &Before, known: &KnownIncident) -> Option<String> {
    let (old, new) = (before.evidence.leaf_key()?, known.evidence.leaf_key()?);
    Some(if old == new {
        format!("the server's key is the same as before ({})", short(new))
    } else {
        format!(
            "the server's key has changed: {} until {}, {} since {}",
            short(old),
            moment(before.until),
            short(new),
            moment(known.first_seen)
        )
    })
}

fn of_records(before: &Before, now: &Evidence) -> String {
    if before.evidence.published == now.published {
        "the TLSA records are the same as before".to_owned()
    } else if now.published.is_empty() {
        "the TLSA records that were there before were not found".to_owned()
    } else {
        let gone = list_without(&before.evidence.published, &now.published);
        let new = list_without(&now.published, &before.evidence.published);
        format!("the TLSA records have changed: gone {gone}; new {new}")
    }
}

/// The records that only the first list has.
fn list_without(records: &[String], others: &[String]) -> String {
    let only = records.iter().filter(|record| !others.contains(record));
    let only: Vec<String> = only.map(|record| short(record)).collect();
    if only.is_empty() {
        "none".to_owned()
    } else {
        only.join(", ")
    }
}

fn no_match(known: &KnownIncident) -> Finding {
    let Some(before) = &known.before else {
        let mut finding = compared(known, Likely::WrongRecords);
        of_new_certificate(known, None, &mut finding);
        return finding;
    };
    let same_key = before.evidence.leaf_key() == known.evidence.leaf_key();
    let same_records = before.evidence.published == known.evidence.published;
    let likely = match (same_key, same_records) {
        (false, true) => Likely::ForgottenRollover,
        (true | false, false) => Likely::WrongRecords,
        (true, true) => Likely::Unknown,
    };
    let mut finding = compared(known, likely);
    if !same_key {
        of_new_certificate(known, before.evidence.leaf(), &mut finding);
    }
    finding
}

/// What the certificate itself says for either side.
fn of_new_certificate(known: &KnownIncident, before: Option<&PresentedCertificate>, finding: &mut Finding) {
    let Some(leaf) = known.evidence.leaf() else {
        return;
    };
    if let Some(made) = leaf.not_before {
        let age = known.first_seen.duration_since(made);
        if !age.is_negative() && age <= MADE_FOR_IT {
            finding.for_mistake.push(format!(
                "the certificate was made shortly before: it is valid from {}",
                moment(made)
            ));
        }
    }
    if let Some(before) = before {
        of_issuer(leaf, before, finding);
    }
}

/// Whether it names the same authority. Nobody has verified that, so it speaks for nothing. Another one is no more than a sign:
/// authorities are changed, and authorities change the names by which they sign.
fn of_issuer(leaf: &PresentedCertificate, before: &PresentedCertificate, finding: &mut Finding) {
    let is_self_signed = |one: &PresentedCertificate| one.issuer == one.subject;
    let issuer = |one: &PresentedCertificate| {
        if is_self_signed(one) {
            "itself".to_owned()
        } else {
            one.issuer.clone()
        }
    };
    let same = if is_self_signed(leaf) && is_self_signed(before) {
        (leaf.subject == before.subject)
            .then(|| format!("it names itself as its issuer, as before: {}", leaf.subject))
    } else if leaf.issuer == before.issuer {
        Some(format!("it names the same issuer as before: {}", leaf.issuer))
    } else {
        let authority = leaf
            .authority
            .as_ref()
            .filter(|_| leaf.authority == before.authority);
        authority.map(|authority| format!("it names the same authority as before: {authority}"))
    };
    match same {
        Some(same) => finding
            .changes
            .push(format!("{same} (its signature was not checked)")),
        None if is_self_signed(leaf) && is_self_signed(before) => finding.for_attack.push(format!(
            "it is self-signed, as before, but for another name: {}, before {}",
            leaf.subject, before.subject
        )),
        None => finding.for_attack.push(format!(
            "its issuer is another: {}, before {}",
            issuer(leaf),
            issuer(before)
        )),
    }
}

fn no_starttls(known: &KnownIncident) -> Finding {
    let offered = known
        .before
        .as_ref()
        .is_some_and(|before| before.evidence.starttls == Starttls::Offered);
    let likely = if offered {
        Likely::PossibleAttack
    } else {
        Likely::Unknown
    };
    let mut finding = compared(known, likely);
    if let (true, Some(before)) = (offered, &known.before) {
        finding.changes.push(format!(
            "STARTTLS has vanished: it was offered until {}, and has not been since {}",
            moment(before.until),
            moment(known.first_seen)
        ));
        of_address(before, known, &mut finding);
    }
    if !known.evidence.published.is_empty() {
        finding.for_attack.push(
            "signed TLSA records are still published: whoever runs the host still promises TLS".to_owned(),
        );
    }
    finding.for_mistake.push(
        "a filter or an anti-virus gateway in front of the server, or a server that was set up anew, does the same"
            .to_owned(),
    );
    finding
}

fn of_address(before: &Before, known: &KnownIncident, finding: &mut Finding) {
    let (Some(old), Some(new)) = (before.evidence.address, known.evidence.address) else {
        return;
    };
    if old == new {
        finding
            .for_attack
            .push(format!("the address is the one at which it was offered: {new}"));
    } else {
        finding
            .for_mistake
            .push(format!("the address is another: {new}, before {old}"));
    }
}

fn attacked(known: &KnownIncident) -> Finding {
    let mut finding = compared(known, Likely::PossibleAttack);
    let sign = if known.spot.trouble == Trouble::WrongSignature {
        "the server presents a certificate whose private key it does not have"
    } else {
        "clear-text octets came before the handshake, as in an injection"
    };
    finding.for_attack.push(sign.to_owned());
    finding
}

fn expired(known: &KnownIncident) -> Finding {
    let mut finding = compared(known, Likely::ExpiredCertificate);
    for certificate in &known.evidence.presented {
        if let Some(end) = certificate.not_after
            && end < known.evidence.at
        {
            finding.for_mistake.push(format!(
                "the certificate of {} expired on {}",
                certificate.subject,
                moment(end)
            ));
        }
    }
    finding
}

fn bogus(known: &KnownIncident) -> Finding {
    let mut finding = Finding::new(Likely::BrokenDnssec);
    finding.changes.push(known.evidence.reason.clone());
    if let Some(before) = &known.before {
        finding.changes.push(format!(
            "it was last seen signed and valid on {}",
            moment(before.until)
        ));
    }
    finding
        .for_mistake
        .push("most often signatures have expired, or keys do not fit the DS records".to_owned());
    finding
        .for_attack
        .push("forged answers look the same, unless expired signatures are the reason above".to_owned());
    finding
}

fn demanded(known: &KnownIncident) -> Finding {
    let mut finding = if known.before.is_some() {
        // They had it, and have it no longer.
        compared(known, Likely::WrongRecords)
    } else {
        compared(known, Likely::PolicyDemand)
    };
    finding
        .changes
        .push("our policy says strict; under opportunistic this mail would be delivered".to_owned());
    if known.before.is_some() {
        finding
            .for_mistake
            .extend(lost(known.spot.trouble).map(str::to_owned));
    }
    finding
}

/// What they have no longer.
fn lost(trouble: Trouble) -> Option<&'static str> {
    Some(match trouble {
        Trouble::InsecureMx => {
            "the domain's zone is not signed any more: DNSSEC was switched off, or its DS records were removed"
        }
        Trouble::InsecureHost => {
            "the host's zone is not signed any more: DNSSEC was switched off, or its DS records were removed"
        }
        Trouble::NoSecureTlsa => {
            "the TLSA records that were there were removed, or their zone is not signed any more"
        }
        Trouble::NoUsableTlsa => "the TLSA records that are there now cannot be used for mail",
        Trouble::AddressName => "the MX record names an address now, for which there can be no TLSA records",
        Trouble::MxBogus
        | Trouble::AddressBogus
        | Trouble::TlsaBogus
        | Trouble::TlsaLookup
        | Trouble::NoMatchingTlsa
        | Trouble::NameMismatch
        | Trouble::CertificateExpired
        | Trouble::CertificateUntrusted
        | Trouble::UnsupportedKey
        | Trouble::WrongSignature
        | Trouble::WebPki
        | Trouble::StarttlsNotOffered
        | Trouble::StarttlsRefused
        | Trouble::Injection
        | Trouble::Handshake
        | Trouble::MtaStsMismatch
        | Trouble::ResolverFails
        | Trouble::LoginFails => return None,
    })
}
