//! Signatures that are not valid, and what our policy demands of records.

use mail::incident::Likely;
use mail::sighting::Trouble;
use mail::words::moment;
use spool::KnownIncident;

use super::finding::Finding;
use super::keys::compared;

pub(super) fn bogus(known: &KnownIncident) -> Finding {
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

pub(super) fn demanded(known: &KnownIncident) -> Finding {
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
