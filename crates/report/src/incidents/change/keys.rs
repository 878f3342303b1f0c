//! Keys, certificates and TLSA records, now and when it last worked.

use jiff::SignedDuration;
use mail::incident::Likely;
use mail::sighting::{Evidence, PresentedCertificate};
use mail::words::{day, moment};
use spool::{Before, KnownIncident};

use super::finding::Finding;
use crate::incidents::words::{place_name, short};

/// A certificate that was made within this time before the failure began belongs to it.
const MADE_FOR_IT: SignedDuration = SignedDuration::from_hours(45 * 24);

/// The finding with what can be compared.
pub(super) fn compared(known: &KnownIncident, likely: Likely) -> Finding {
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

pub(super) fn no_match(known: &KnownIncident) -> Finding {
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

pub(super) fn expired(known: &KnownIncident) -> Finding {
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
