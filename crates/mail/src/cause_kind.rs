//! The kind of a cause: a small closed set, under which outcomes are counted and grouped.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cause::{
    Cause, ConnectionFault, DaneFlaw, Demand, Lookup, NoWay, OurFault, SmtpFault, TlsFault, Unproven,
    WebPkiFlaw,
};
use crate::lookup::LookupFailure;
use crate::verdict::FailCause;

/// What kind of cause kept mail from being delivered, or would have without `soft-fail`. The numbers are stored: none is
/// ever given another meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum CauseKind {
    /// Something is wrong here.
    Ours = 1,
    /// Our own resolver fails.
    OurResolver = 2,
    /// MX records with invalid signatures or proofs.
    MxBogus = 10,
    /// The MX look-up failed otherwise.
    MxLookup = 11,
    /// Addresses with invalid signatures or proofs.
    AddressBogus = 12,
    /// The look-up of the addresses failed otherwise.
    AddressLookup = 13,
    /// TLSA records with invalid signatures or proofs.
    TlsaBogus = 14,
    /// The TLSA look-up failed otherwise.
    TlsaLookup = 15,
    /// The domain receives no mail (RFC 7505).
    NullMx = 20,
    /// The domain does not exist.
    NoSuchDomain = 21,
    /// The MX records lead back here.
    OwnMx = 22,
    /// No host has an address.
    NoAddresses = 23,
    /// `strict`: the destination is an address, or a host is.
    AddressLiteral = 30,
    /// `strict`: the MX records are not secure.
    InsecureMx = 31,
    /// `strict`: the addresses are not secure.
    InsecureHost = 32,
    /// `strict`: no secure TLSA records.
    NoSecureTlsa = 33,
    /// `strict`: no usable TLSA records.
    NoUsableTlsa = 34,
    /// The host is not in the MTA-STS policy.
    MtaStsMismatch = 35,
    /// A certificate is demanded for a name that none can have.
    NoName = 36,
    /// A forgeable answer that would end mail, under an MTA-STS policy.
    MtaStsUnproven = 37,
    /// The message requires TLS, and no host is known securely.
    NoSecurePath = 38,
    /// No connection.
    Unreachable = 40,
    /// A stage took too long.
    TimedOut = 41,
    /// The connection was lost.
    Closed = 42,
    /// The server does not speak SMTP.
    NotSmtp = 43,
    /// STARTTLS was not offered.
    StarttlsNotOffered = 50,
    /// STARTTLS was refused.
    StarttlsRefused = 51,
    /// The handshake broke.
    TlsHandshake = 52,
    /// The certificate matches no TLSA record.
    TlsaNoMatch = 53,
    /// DANE-TA: the certificate names another host.
    DaneNameMismatch = 54,
    /// DANE-TA: a certificate is not valid now.
    DaneExpired = 55,
    /// DANE-TA: no valid path.
    DaneUntrusted = 56,
    /// WebPKI: the certificate names another host.
    WebpkiNameMismatch = 57,
    /// WebPKI: a certificate is not valid now.
    WebpkiExpired = 58,
    /// WebPKI: no valid path to a root.
    WebpkiUntrusted = 59,
    /// The server does not have the key of its certificate.
    WrongKey = 60,
    /// The login at a route's server failed.
    Login = 70,
    /// The server refused for now.
    RefusedForNow = 80,
    /// The server refused for good.
    RefusedForGood = 81,
    /// The server does not take what the message needs: its size, octets above 127, SMTPUTF8, or
    /// REQUIRETLS.
    Unsupported = 82,
}

impl CauseKind {
    /// All of them.
    pub const ALL: [Self; 40] = [
        Self::Ours,
        Self::OurResolver,
        Self::MxBogus,
        Self::MxLookup,
        Self::AddressBogus,
        Self::AddressLookup,
        Self::TlsaBogus,
        Self::TlsaLookup,
        Self::NullMx,
        Self::NoSuchDomain,
        Self::OwnMx,
        Self::NoAddresses,
        Self::AddressLiteral,
        Self::InsecureMx,
        Self::InsecureHost,
        Self::NoSecureTlsa,
        Self::NoUsableTlsa,
        Self::MtaStsMismatch,
        Self::NoName,
        Self::MtaStsUnproven,
        Self::NoSecurePath,
        Self::Unreachable,
        Self::TimedOut,
        Self::Closed,
        Self::NotSmtp,
        Self::StarttlsNotOffered,
        Self::StarttlsRefused,
        Self::TlsHandshake,
        Self::TlsaNoMatch,
        Self::DaneNameMismatch,
        Self::DaneExpired,
        Self::DaneUntrusted,
        Self::WebpkiNameMismatch,
        Self::WebpkiExpired,
        Self::WebpkiUntrusted,
        Self::WrongKey,
        Self::Login,
        Self::RefusedForNow,
        Self::RefusedForGood,
        Self::Unsupported,
    ];

    /// The number under which it is stored.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Back from [`CauseKind::number`].
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// In the words of the log's `dane=` where it has some.
impl fmt::Display for CauseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ours => "something is wrong here",
            Self::OurResolver => "our own resolver failed",
            Self::MxBogus => "MX lookup: bogus",
            Self::MxLookup => "MX lookup: failed",
            Self::AddressBogus => "Address lookup: bogus",
            Self::AddressLookup => "Address lookup: failed",
            Self::TlsaBogus => "TLSA lookup: bogus",
            Self::TlsaLookup => "TLSA lookup: failed",
            Self::NullMx => "the domain receives no mail",
            Self::NoSuchDomain => "the domain does not exist",
            Self::OwnMx => "the MX records lead back here",
            Self::NoAddresses => "no host has a usable address",
            Self::AddressLiteral => "the destination is an address",
            Self::InsecureMx => "Insecure MX",
            Self::InsecureHost => "Insecure host information",
            Self::NoSecureTlsa => "No secure TLSA RRs",
            Self::NoUsableTlsa => "No usable TLSA RRs",
            Self::MtaStsMismatch => "MX not in the MTA-STS policy",
            Self::NoName => "no host name to verify",
            Self::MtaStsUnproven => "an unsigned answer under an MTA-STS policy",
            Self::NoSecurePath => "no secure path for REQUIRETLS",
            Self::Unreachable => "no connection",
            Self::TimedOut => "timed out",
            Self::Closed => "the connection was lost",
            Self::NotSmtp => "the server does not speak SMTP",
            Self::StarttlsNotOffered => "STARTTLS not offered",
            Self::StarttlsRefused => "STARTTLS refused",
            Self::TlsHandshake => "TLS handshake failed",
            Self::TlsaNoMatch => "No matching TLSA RRs",
            Self::DaneNameMismatch => "DANE-TA: name mismatch",
            Self::DaneExpired => "DANE-TA: expired",
            Self::DaneUntrusted => "DANE-TA: untrusted",
            Self::WebpkiNameMismatch => "certificate for another name",
            Self::WebpkiExpired => "certificate expired",
            Self::WebpkiUntrusted => "certificate not trusted",
            Self::WrongKey => "wrong key for the certificate",
            Self::Login => "the login failed",
            Self::RefusedForNow => "the server refused for now",
            Self::RefusedForGood => "the server refused for good",
            Self::Unsupported => "the server does not take such a message",
        })
    }
}

impl From<&Cause> for CauseKind {
    fn from(cause: &Cause) -> Self {
        match cause {
            Cause::Ours(fault) => match fault {
                OurFault::Content
                | OurFault::DamagedContent
                | OurFault::NoRoots
                | OurFault::NoProof
                | OurFault::TooLate(_)
                | OurFault::NotAsked
                | OurFault::SourceAddress(_)
                | OurFault::NoSocket
                | OurFault::PolicyNotFetched
                | OurFault::NoTurn(_)
                | OurFault::NothingTried => Self::Ours,
            },
            Cause::Dns(_, failure) if failure.culprit.is_ours() => Self::OurResolver,
            Cause::Dns(lookup, failure) => lookup_kind(*lookup, &failure.cause),
            Cause::Destination(no_way) => no_way.into(),
            Cause::Policy(demand) => (*demand).into(),
            Cause::Connection(fault) => match fault {
                ConnectionFault::Unreachable(_) => Self::Unreachable,
                ConnectionFault::TimedOut(_) => Self::TimedOut,
                ConnectionFault::Closed(_) => Self::Closed,
                ConnectionFault::Protocol(..) => Self::NotSmtp,
            },
            Cause::Tls(fault) => fault.into(),
            Cause::Login(_) => Self::Login,
            Cause::Smtp(fault) => match fault {
                SmtpFault::Refused { code, .. } if code.is_permanent() => Self::RefusedForGood,
                SmtpFault::Refused { .. } => Self::RefusedForNow,
                SmtpFault::Lacks(_) => Self::Unsupported,
            },
        }
    }
}

fn lookup_kind(lookup: Lookup, failure: &LookupFailure) -> CauseKind {
    match (lookup, failure.is_bogus()) {
        (Lookup::Mx, true) => CauseKind::MxBogus,
        (Lookup::Mx, false) => CauseKind::MxLookup,
        (Lookup::Address, true) => CauseKind::AddressBogus,
        (Lookup::Address, false) => CauseKind::AddressLookup,
        (Lookup::Tlsa, true) => CauseKind::TlsaBogus,
        (Lookup::Tlsa, false) => CauseKind::TlsaLookup,
    }
}

impl From<&NoWay> for CauseKind {
    fn from(no_way: &NoWay) -> Self {
        match no_way {
            NoWay::NullMx => Self::NullMx,
            NoWay::NoSuchDomain(_) => Self::NoSuchDomain,
            NoWay::OwnMx => Self::OwnMx,
            NoWay::NoAddresses | NoWay::IgnoredAddresses | NoWay::OtherFamily | NoWay::HostGone => {
                Self::NoAddresses
            }
        }
    }
}

impl From<Demand> for CauseKind {
    fn from(demand: Demand) -> Self {
        match demand {
            Demand::AddressLiteral | Demand::AddressName => Self::AddressLiteral,
            Demand::InsecureMx => Self::InsecureMx,
            Demand::InsecureHost => Self::InsecureHost,
            Demand::NoSecureTlsa => Self::NoSecureTlsa,
            Demand::NoUsableTlsa => Self::NoUsableTlsa,
            Demand::MtaStsMismatch => Self::MtaStsMismatch,
            Demand::MtaStsUnproven => Self::MtaStsUnproven,
            Demand::MtaStsUnknown
            | Demand::SecurePath
            | Demand::SecurePathOfReport
            | Demand::SecureAddress
            | Demand::SecureRoute => Self::NoSecurePath,
            Demand::NoName => Self::NoName,
        }
    }
}

impl From<&TlsFault> for CauseKind {
    fn from(fault: &TlsFault) -> Self {
        match fault {
            TlsFault::NotOffered => Self::StarttlsNotOffered,
            TlsFault::Refused(_) => Self::StarttlsRefused,
            TlsFault::DataBeforeHandshake
            | TlsFault::TimedOut
            | TlsFault::Closed
            | TlsFault::Protocol(_)
            | TlsFault::Handshake(_) => Self::TlsHandshake,
            TlsFault::Unproven(Unproven::Dane(flaw)) => match flaw {
                DaneFlaw::NoMatch | DaneFlaw::UnsupportedKey => Self::TlsaNoMatch,
                DaneFlaw::NameMismatch => Self::DaneNameMismatch,
                DaneFlaw::Expired | DaneFlaw::NotYetValid => Self::DaneExpired,
                DaneFlaw::Untrusted => Self::DaneUntrusted,
            },
            TlsFault::Unproven(Unproven::WebPki(flaw, _)) => match flaw {
                WebPkiFlaw::NameMismatch => Self::WebpkiNameMismatch,
                WebPkiFlaw::Expired | WebPkiFlaw::NotYetValid => Self::WebpkiExpired,
                WebPkiFlaw::Untrusted => Self::WebpkiUntrusted,
            },
            TlsFault::Unproven(Unproven::Key) => Self::WrongKey,
            TlsFault::Unproven(Unproven::NoReference) => Self::NoName,
        }
    }
}

/// For what `soft-fail` let through, of which only the verdict is left.
impl From<&FailCause> for CauseKind {
    fn from(cause: &FailCause) -> Self {
        match cause {
            FailCause::MxLookup(failure) => lookup_kind(Lookup::Mx, failure),
            FailCause::AddressLookup(failure) => lookup_kind(Lookup::Address, failure),
            FailCause::TlsaLookup(failure) => lookup_kind(Lookup::Tlsa, failure),
            FailCause::InsecureMx => Self::InsecureMx,
            FailCause::InsecureHost => Self::InsecureHost,
            FailCause::NoSecureTlsa => Self::NoSecureTlsa,
            FailCause::NoUsableTlsa => Self::NoUsableTlsa,
            FailCause::NoMatchingTlsa => Self::TlsaNoMatch,
            FailCause::StarttlsNotOffered => Self::StarttlsNotOffered,
            FailCause::StarttlsRefused => Self::StarttlsRefused,
            FailCause::TlsHandshake(_) => Self::TlsHandshake,
            FailCause::NameMismatch => Self::DaneNameMismatch,
            FailCause::Expired => Self::DaneExpired,
            FailCause::Untrusted => Self::DaneUntrusted,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_kind_has_a_number_and_words_of_its_own() {
        let numbers: HashSet<u8> = CauseKind::ALL.into_iter().map(CauseKind::number).collect();
        let words: HashSet<String> = CauseKind::ALL.into_iter().map(|kind| kind.to_string()).collect();
        assert_eq!(
            (numbers.len(), words.len()),
            (CauseKind::ALL.len(), CauseKind::ALL.len())
        );
        assert!(!numbers.contains(&0), "0 is for no cause");
        for kind in CauseKind::ALL {
            assert_eq!(CauseKind::of(kind.number()), Some(kind));
        }
        assert_eq!(CauseKind::of(255), None);
    }

    #[test]
    fn a_verdict_is_of_the_kind_of_its_cause() {
        let flaws = [
            DaneFlaw::NoMatch,
            DaneFlaw::NameMismatch,
            DaneFlaw::Expired,
            DaneFlaw::Untrusted,
        ];
        let tls = flaws.map(|flaw| Cause::Tls(TlsFault::Unproven(Unproven::Dane(flaw))));
        let others = [
            Cause::Tls(TlsFault::NotOffered),
            Cause::Tls(TlsFault::Closed),
            Cause::Policy(Demand::NoUsableTlsa),
            Cause::Dns(Lookup::Tlsa, LookupFailure::Bogus.into()),
            Cause::Dns(Lookup::Tlsa, LookupFailure::Timeout.into()),
        ];
        for cause in tls.iter().chain(&others) {
            let verdict = cause.dane().unwrap();
            assert_eq!(CauseKind::from(&verdict), CauseKind::from(cause), "{cause}");
        }
    }
}
