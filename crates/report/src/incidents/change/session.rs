//! STARTTLS, and what comes in its place.

use mail::incident::Likely;
use mail::sighting::{Starttls, Trouble};
use mail::words::moment;
use spool::{Before, KnownIncident};

use super::finding::Finding;
use super::keys::compared;

pub(super) fn no_starttls(known: &KnownIncident) -> Finding {
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

pub(super) fn attacked(known: &KnownIncident) -> Finding {
    let mut finding = compared(known, Likely::PossibleAttack);
    let sign = if known.spot.trouble == Trouble::WrongSignature {
        "the server presents a certificate whose private key it does not have"
    } else {
        "clear-text octets came before the handshake, as in an injection"
    };
    finding.for_attack.push(sign.to_owned());
    finding
}
