//! The verdict on a host and on a domain: from what was seen, without any look-up.

use mail::LookupStatus;
use serde::{Deserialize, Serialize};

use super::observation::{AddressSeen, FailureKind, HostKind, HostSeen, MxKind, Observation};
use super::outcome::{Outcome, OutcomeClass};
use crate::explain::{AddressStatus, TlsaStatus};

/// Whether mail reaches a host or a domain securely. In the order of what counts for the domain: the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// A sender that verifies DANE cannot deliver.
    Broken,
    /// Mail can be read or diverted on its way.
    Insecure,
    /// It cannot be told now: nothing answers.
    Unreachable,
    /// Every host proves itself by DANE.
    Secure,
    /// There is no mail service.
    NoMail,
}

impl Verdict {
    /// The word for people and programs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::Insecure => "insecure",
            Self::Unreachable => "unreachable",
            Self::Secure => "secure",
            Self::NoMail => "no-mail",
        }
    }

    /// What it means, in a few words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Secure => "senders that verify DANE deliver over authenticated TLS, and only so",
            Self::Insecure => "mail can be read or diverted on its way",
            Self::Broken => "senders that verify DANE cannot deliver to at least one of its hosts",
            Self::Unreachable => "it cannot be told now",
            Self::NoMail => "it takes no mail",
        }
    }

    /// In the order in which people want to see them.
    pub(crate) const ALL: [Self; 5] = [
        Self::Secure,
        Self::Insecure,
        Self::Broken,
        Self::Unreachable,
        Self::NoMail,
    ];
}

/// Who was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Servers,
    /// By request nobody connected.
    DnsAlone,
}

impl Asked {
    pub(crate) fn of(connected: bool) -> Self {
        if connected { Self::Servers } else { Self::DnsAlone }
    }
}

/// The verdict on a host by itself, however securely the domain names it.
pub(crate) fn of_host(host: &HostSeen, asked: Asked) -> Verdict {
    match host.kind {
        // There is no name that TLSA records could stand at.
        HostKind::Address => return Verdict::Insecure,
        HostKind::Invalid => return Verdict::Broken,
        HostKind::Name => {}
    }
    match host.address_status {
        AddressStatus::None | AddressStatus::Ignored => return Verdict::Broken,
        AddressStatus::Failed => return of_addresses_failed(host),
        AddressStatus::Literal | AddressStatus::Insecure => return Verdict::Insecure,
        AddressStatus::Secure | AddressStatus::SecureAlias => {}
    }
    match host.tlsa.status {
        TlsaStatus::Absent | TlsaStatus::NotAsked => Verdict::Insecure,
        TlsaStatus::Failed => match host.tlsa.failure.as_ref().map(|failure| failure.kind) {
            Some(FailureKind::Bogus | FailureKind::Refused) => Verdict::Broken,
            Some(FailureKind::Undecided) | None => Verdict::Unreachable,
        },
        TlsaStatus::Unusable => of_unusable(host),
        TlsaStatus::Usable => match asked {
            Asked::DnsAlone => Verdict::Secure,
            Asked::Servers => of_usable(host),
        },
    }
}

fn of_addresses_failed(host: &HostSeen) -> Verdict {
    let is_bogus = host
        .lookups
        .iter()
        .any(|step| step.found.status == LookupStatus::Bogus);
    if is_bogus {
        Verdict::Broken
    } else {
        Verdict::Unreachable
    }
}

/// TLS is demanded, without authentication (RFC 7672 §2.2).
fn of_unusable(host: &HostSeen) -> Verdict {
    let is_refusing = host.addresses.iter().any(|address| {
        matches!(
            address.outcome,
            Outcome::NoStarttls | Outcome::StarttlsRefused | Outcome::HandshakeBroken
        )
    });
    if is_refusing {
        Verdict::Broken
    } else {
        Verdict::Insecure
    }
}

fn of_usable(host: &HostSeen) -> Verdict {
    let classes = || host.addresses.iter().map(|address| address.outcome.class());
    let has = |wanted| classes().any(|class| class == wanted);
    let other_key_fails = host
        .addresses
        .iter()
        .flat_map(|address| &address.offers)
        .any(|offer| offer.verified == Some(false));
    // Another key may fail.
    let has_unexamined_offers = host.addresses.iter().any(AddressSeen::has_unexamined_offers);
    if has(OutcomeClass::Bad) || other_key_fails {
        Verdict::Broken
    } else if has(OutcomeClass::Good) && !has(OutcomeClass::NotExamined) && !has_unexamined_offers {
        Verdict::Secure
    } else {
        Verdict::Unreachable
    }
}

/// The verdict on a domain: that of its worst host, and no better than its MX records.
pub(crate) fn of_domain(seen: &Observation) -> Verdict {
    match seen.mx.kind {
        MxKind::NullMx | MxKind::NoSuchDomain => return Verdict::NoMail,
        MxKind::Failed => {
            return match seen.mx.lookup.status {
                LookupStatus::Bogus => Verdict::Broken,
                LookupStatus::Secure
                | LookupStatus::Insecure
                | LookupStatus::Indeterminate
                | LookupStatus::Failed => Verdict::Unreachable,
            };
        }
        MxKind::Implicit if has_no_address(seen) => return Verdict::NoMail,
        MxKind::Hosts | MxKind::Implicit => {}
    }
    let asked = Asked::of(seen.manner.connected);
    let worst = seen.hosts.iter().map(|host| of_host(host, asked)).min();
    match (worst, seen.mx.lookup.status) {
        // The answers changed between two look-ups.
        (None, _) => Verdict::Unreachable,
        (Some(Verdict::Secure | Verdict::Unreachable), LookupStatus::Insecure) => Verdict::Insecure,
        (Some(worst), _) => worst,
    }
}

/// A domain without MX records and addresses takes no mail.
fn has_no_address(seen: &Observation) -> bool {
    !seen.hosts.is_empty()
        && seen
            .hosts
            .iter()
            .all(|host| host.address_status == AddressStatus::None)
}
