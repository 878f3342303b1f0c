//! Where something fails, and what.

use serde::{Deserialize, Serialize};

use crate::cause::{Cause, DaneFlaw, Demand, Lookup, TlsFault, Unproven};
use crate::lookup::FailedLookup;
use crate::{Domain, NextHop, registrable};

/// What an incident is about. Two failures with the same spot belong to the same incident.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Spot {
    /// Where.
    pub place: Place,
    /// What.
    pub trouble: Trouble,
}

/// Where something fails.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// At an MX host, whatever domains it serves.
    Host(Domain),
    /// At the next-hop domain itself.
    Domain(Domain),
    /// Our own resolver, whatever was looked up.
    Resolver,
    /// Our own login at a route's server.
    Login(NextHop),
}

impl Place {
    /// Who can make it fail, and as many beside it as they like: the registrable part of its name. `None` for what is ours.
    pub fn registrable(&self) -> Option<Domain> {
        match self {
            Self::Host(name) | Self::Domain(name) => Some(registrable::of(name)),
            Self::Resolver | Self::Login(_) => None,
        }
    }
}

/// What fails: a [`Cause`] without its details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// The MX records are bogus.
    MxBogus,
    /// The host's addresses are bogus.
    AddressBogus,
    /// Its TLSA records are bogus.
    TlsaBogus,
    /// Its TLSA records cannot be looked up.
    TlsaLookup,
    /// `strict`: the MX records are not signed.
    InsecureMx,
    /// `strict`: the MX record names an address.
    AddressName,
    /// `strict`: the host's addresses are not signed.
    InsecureHost,
    /// `strict`: there are no secure TLSA records.
    NoSecureTlsa,
    /// `strict`: none of the TLSA records is usable.
    NoUsableTlsa,
    /// No TLSA record matches.
    NoMatchingTlsa,
    /// A trust anchor matches, but not the names.
    NameMismatch,
    /// A trust anchor matches, but a certificate has expired or is not valid yet.
    CertificateExpired,
    /// A trust anchor matches, but the path to it is not valid.
    CertificateUntrusted,
    /// A record matches a key that no handshake can be signed with.
    UnsupportedKey,
    /// The server does not have the private key of the certificate that it presents.
    WrongSignature,
    /// The WebPKI certificate that is demanded is missing or not valid.
    WebPki,
    /// STARTTLS is not offered.
    StarttlsNotOffered,
    /// STARTTLS is refused.
    StarttlsRefused,
    /// Clear-text octets arrive before the handshake.
    Injection,
    /// The handshake fails.
    Handshake,
    /// The host matches no pattern of the domain's MTA-STS policy.
    MtaStsMismatch,
    /// Our resolver fails.
    ResolverFails,
    /// Our login fails.
    LoginFails,
}

impl Spot {
    /// Where this cause belongs, if it is a security failure or one of our own. `host` is the MX host, if there was one.
    ///
    /// A host that may get mail in clear text has not failed if TLS did: that is for the caller to know.
    pub fn of(cause: &Cause, host: Option<&Domain>, next_hop: &NextHop) -> Option<Self> {
        let at_host = |trouble| {
            let place = Place::Host(host.or_else(|| name(next_hop))?.clone());
            Some(Self { place, trouble })
        };
        let at_domain = |trouble| {
            let place = Place::Domain(name(next_hop)?.clone());
            Some(Self { place, trouble })
        };
        match cause {
            Cause::Dns(_, failure) if failure.culprit.is_ours() => Some(Self {
                place: Place::Resolver,
                trouble: Trouble::ResolverFails,
            }),
            Cause::Dns(Lookup::Mx, failure) => bogus(failure, Trouble::MxBogus).and_then(at_domain),
            Cause::Dns(Lookup::Address, failure) => bogus(failure, Trouble::AddressBogus).and_then(at_host),
            Cause::Dns(Lookup::Tlsa, failure) if failure.is_bogus() => at_host(Trouble::TlsaBogus),
            Cause::Dns(Lookup::Tlsa, _) => at_host(Trouble::TlsaLookup),
            Cause::Policy(Demand::InsecureMx) => at_domain(Trouble::InsecureMx),
            Cause::Policy(Demand::AddressName) => at_domain(Trouble::AddressName),
            Cause::Policy(Demand::InsecureHost) => at_host(Trouble::InsecureHost),
            Cause::Policy(Demand::NoSecureTlsa) => at_host(Trouble::NoSecureTlsa),
            Cause::Policy(Demand::NoUsableTlsa) => at_host(Trouble::NoUsableTlsa),
            Cause::Policy(Demand::MtaStsMismatch) => at_domain(Trouble::MtaStsMismatch),
            Cause::Tls(fault) => of_tls(fault).and_then(at_host),
            Cause::Login(_) => Some(Self {
                place: Place::Login(next_hop.clone()),
                trouble: Trouble::LoginFails,
            }),
            // Nothing that another server would change, or what a single message asks for.
            Cause::Policy(
                Demand::AddressLiteral
                | Demand::NoName
                | Demand::MtaStsUnproven
                | Demand::MtaStsUnknown
                | Demand::SecurePath
                | Demand::SecurePathOfReport
                | Demand::SecureAddress
                | Demand::SecureRoute,
            )
            | Cause::Ours(_)
            | Cause::Destination(_)
            | Cause::Connection(_)
            | Cause::Smtp(_) => None,
        }
    }
}

fn bogus(failure: &FailedLookup, trouble: Trouble) -> Option<Trouble> {
    failure.is_bogus().then_some(trouble)
}

fn of_tls(fault: &TlsFault) -> Option<Trouble> {
    Some(match fault {
        TlsFault::NotOffered => Trouble::StarttlsNotOffered,
        TlsFault::Refused(_) => Trouble::StarttlsRefused,
        TlsFault::DataBeforeHandshake => Trouble::Injection,
        TlsFault::TimedOut | TlsFault::Closed | TlsFault::Protocol(_) | TlsFault::Handshake(_) => {
            Trouble::Handshake
        }
        TlsFault::Unproven(Unproven::Dane(flaw)) => match flaw {
            DaneFlaw::NoMatch => Trouble::NoMatchingTlsa,
            DaneFlaw::NameMismatch => Trouble::NameMismatch,
            DaneFlaw::Expired | DaneFlaw::NotYetValid => Trouble::CertificateExpired,
            DaneFlaw::Untrusted => Trouble::CertificateUntrusted,
            DaneFlaw::UnsupportedKey => Trouble::UnsupportedKey,
        },
        TlsFault::Unproven(Unproven::WebPki(..)) => Trouble::WebPki,
        TlsFault::Unproven(Unproven::Key) => Trouble::WrongSignature,
        TlsFault::Unproven(Unproven::NoReference) => return None,
    })
}

fn name(next_hop: &NextHop) -> Option<&Domain> {
    match next_hop {
        NextHop::Domain { domain, .. } => Some(domain),
        NextHop::Host { host, .. } => Some(host),
        NextHop::Address { .. } => None,
    }
}

impl Place {
    /// Whether it is on our own side.
    pub fn is_ours(&self) -> bool {
        match self {
            Self::Resolver | Self::Login(_) => true,
            Self::Host(_) | Self::Domain(_) => false,
        }
    }

    /// The host or domain, if it is one.
    pub fn domain(&self) -> Option<&Domain> {
        match self {
            Self::Host(name) | Self::Domain(name) => Some(name),
            Self::Resolver | Self::Login(_) => None,
        }
    }
}

impl Trouble {
    /// Each of them.
    pub const ALL: [Self; 23] = [
        Self::MxBogus,
        Self::AddressBogus,
        Self::TlsaBogus,
        Self::TlsaLookup,
        Self::InsecureMx,
        Self::AddressName,
        Self::InsecureHost,
        Self::NoSecureTlsa,
        Self::NoUsableTlsa,
        Self::NoMatchingTlsa,
        Self::NameMismatch,
        Self::CertificateExpired,
        Self::CertificateUntrusted,
        Self::UnsupportedKey,
        Self::WrongSignature,
        Self::WebPki,
        Self::StarttlsNotOffered,
        Self::StarttlsRefused,
        Self::Injection,
        Self::Handshake,
        Self::MtaStsMismatch,
        Self::ResolverFails,
        Self::LoginFails,
    ];

    /// The word of the log and of `--json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MxBogus => "mx-bogus",
            Self::AddressBogus => "address-bogus",
            Self::TlsaBogus => "tlsa-bogus",
            Self::TlsaLookup => "tlsa-lookup",
            Self::InsecureMx => "insecure-mx",
            Self::AddressName => "address-name",
            Self::InsecureHost => "insecure-host",
            Self::NoSecureTlsa => "no-secure-tlsa",
            Self::NoUsableTlsa => "no-usable-tlsa",
            Self::NoMatchingTlsa => "no-matching-tlsa",
            Self::NameMismatch => "name-mismatch",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateUntrusted => "certificate-untrusted",
            Self::UnsupportedKey => "unsupported-key",
            Self::WrongSignature => "wrong-signature",
            Self::WebPki => "web-pki",
            Self::StarttlsNotOffered => "starttls-not-offered",
            Self::StarttlsRefused => "starttls-refused",
            Self::Injection => "injection",
            Self::Handshake => "handshake",
            Self::MtaStsMismatch => "mta-sts-mismatch",
            Self::ResolverFails => "resolver-fails",
            Self::LoginFails => "login-fails",
        }
    }

    /// Back from [`Trouble::as_str`].
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cause::{LoginFault, NoWay};
    use crate::lookup::{Culprit, LookupFailure};

    fn spot(cause: &Cause) -> Option<Spot> {
        let host = Domain::parse("mx.provider.example").unwrap();
        Spot::of(cause, Some(&host), &"a.example".parse().unwrap())
    }

    fn word(cause: &Cause) -> Option<(String, &'static str)> {
        let Spot { place, trouble } = spot(cause)?;
        let place = match place {
            Place::Host(name) => format!("host {name}"),
            Place::Domain(name) => format!("domain {name}"),
            Place::Resolver => "resolver".to_owned(),
            Place::Login(next_hop) => format!("login {next_hop}"),
        };
        Some((place, trouble.as_str()))
    }

    #[test]
    fn a_cause_belongs_to_the_host_the_domain_or_to_us() {
        let dns = |lookup, failure: LookupFailure| Cause::Dns(lookup, failure.into());
        let ours = FailedLookup::new(LookupFailure::Timeout, Culprit::OurResolver, "timeout");
        let host = "host mx.provider.example";
        for (cause, place, trouble) in [
            (
                dns(Lookup::Mx, LookupFailure::Bogus),
                "domain a.example",
                "mx-bogus",
            ),
            (dns(Lookup::Address, LookupFailure::Bogus), host, "address-bogus"),
            (dns(Lookup::Tlsa, LookupFailure::Bogus), host, "tlsa-bogus"),
            (dns(Lookup::Tlsa, LookupFailure::Timeout), host, "tlsa-lookup"),
            (Cause::Dns(Lookup::Mx, ours.clone()), "resolver", "resolver-fails"),
            (Cause::Dns(Lookup::Tlsa, ours), "resolver", "resolver-fails"),
            (
                Cause::Policy(Demand::InsecureMx),
                "domain a.example",
                "insecure-mx",
            ),
            (Cause::Tls(TlsFault::NotOffered), host, "starttls-not-offered"),
            (
                Cause::Tls(TlsFault::Unproven(Unproven::Key)),
                host,
                "wrong-signature",
            ),
            (
                Cause::Login(LoginFault::NotOffered),
                "login a.example",
                "login-fails",
            ),
        ] {
            assert_eq!(word(&cause), Some((place.to_owned(), trouble)), "{cause:?}");
        }
    }

    #[test]
    fn outages_and_refusals_are_no_incidents() {
        for cause in [
            Cause::Dns(Lookup::Mx, LookupFailure::Servfail.into()),
            Cause::Dns(Lookup::Address, LookupFailure::Timeout.into()),
            Cause::Destination(NoWay::NullMx),
            Cause::timed_out(crate::Stage::Connect),
        ] {
            assert_eq!(spot(&cause), None, "{cause:?}");
        }
    }

    #[test]
    fn each_trouble_has_a_word_of_its_own() {
        for trouble in Trouble::ALL {
            assert_eq!(Trouble::of_word(trouble.as_str()), Some(trouble));
            let text = serde_json::to_string(&trouble).unwrap();
            assert_eq!(text, format!("\"{}\"", trouble.as_str()));
        }
        assert_eq!(Trouble::of_word("no such thing"), None);
    }
}
