//! What derives from a cause alone.

use std::fmt;

use super::{
    BeyondAscii, BrokenHandshake, Cause, ConnectionFault, DaneFlaw, Demand, LoginFault, Lookup, NoWay,
    OurFault, SmtpFault, TlsFault, Unproven, WebPkiFlaw,
};
use crate::lookup::Culprit;
use crate::stage::Stage;
use crate::status::{EnhancedStatus, ReplyCode};
use crate::tls_result::TlsResult;
use crate::verdict::FailCause;

impl Cause {
    /// Whose fault a failed look-up is, if it is one.
    pub fn culprit(&self) -> Culprit {
        match self {
            Self::Dns(_, failure) => failure.culprit,
            Self::Ours(_)
            | Self::Destination(_)
            | Self::Policy(_)
            | Self::Connection(_)
            | Self::Tls(_)
            | Self::Login(_)
            | Self::Smtp(_) => Culprit::Elsewhere,
        }
    }

    /// The enhanced status code: the server's, or our own where it gave none.
    pub fn enhanced(&self) -> EnhancedStatus {
        match self {
            Self::Ours(OurFault::Content | OurFault::DamagedContent) => EnhancedStatus::new(4, 3, 0),
            Self::Ours(OurFault::NoRoots | OurFault::NoProof) => EnhancedStatus::new(4, 3, 5),
            Self::Ours(OurFault::TooLate(_)) => EnhancedStatus::new(4, 4, 5),
            Self::Ours(OurFault::NotAsked | OurFault::NothingTried) => EnhancedStatus::new(4, 4, 1),
            Self::Dns(_, failure) if failure.is_bogus() => EnhancedStatus::new(4, 7, 5),
            Self::Dns(..) => EnhancedStatus::new(4, 4, 3),
            Self::Destination(NoWay::NullMx) => EnhancedStatus::new(5, 1, 10),
            Self::Destination(NoWay::NoSuchDomain(_)) => EnhancedStatus::new(5, 1, 2),
            Self::Destination(NoWay::OwnMx) => EnhancedStatus::new(5, 4, 6),
            Self::Destination(NoWay::NoAddresses | NoWay::IgnoredAddresses) => EnhancedStatus::new(5, 4, 4),
            Self::Destination(NoWay::HostGone) => EnhancedStatus::new(4, 4, 4),
            Self::Connection(ConnectionFault::Unreachable(_) | ConnectionFault::TimedOut(Stage::Connect)) => {
                EnhancedStatus::new(4, 4, 1)
            }
            Self::Connection(
                ConnectionFault::TimedOut(_) | ConnectionFault::Closed(_) | ConnectionFault::Protocol(..),
            ) => EnhancedStatus::new(4, 4, 2),
            Self::Tls(TlsFault::NotOffered) => EnhancedStatus::new(4, 7, 4),
            Self::Policy(_) | Self::Tls(_) => EnhancedStatus::new(4, 7, 5),
            Self::Login(fault) => fault.enhanced(),
            Self::Smtp(fault) => fault.enhanced(),
        }
    }

    /// The reply that decided, if there was one.
    pub fn reply_code(&self) -> Option<ReplyCode> {
        match self {
            Self::Smtp(SmtpFault::Refused { code, .. })
            | Self::Tls(TlsFault::Refused(code))
            | Self::Login(LoginFault::Refused { code, .. }) => Some(*code),
            Self::Ours(_)
            | Self::Dns(..)
            | Self::Destination(_)
            | Self::Policy(_)
            | Self::Connection(_)
            | Self::Tls(_)
            | Self::Login(_)
            | Self::Smtp(_) => None,
        }
    }

    /// The value of `dane=`, if it is DANE that failed.
    pub fn dane(&self) -> Option<FailCause> {
        match self {
            Self::Dns(Lookup::Mx, failure) => Some(FailCause::MxLookup(failure.cause.clone())),
            Self::Dns(Lookup::Address, failure) => Some(FailCause::AddressLookup(failure.cause.clone())),
            Self::Dns(Lookup::Tlsa, failure) => Some(FailCause::TlsaLookup(failure.cause.clone())),
            Self::Policy(Demand::InsecureMx) => Some(FailCause::InsecureMx),
            Self::Policy(Demand::InsecureHost) => Some(FailCause::InsecureHost),
            Self::Policy(Demand::NoSecureTlsa) => Some(FailCause::NoSecureTlsa),
            Self::Policy(Demand::NoUsableTlsa) => Some(FailCause::NoUsableTlsa),
            Self::Tls(fault) => Some(fault.dane()),
            Self::Policy(
                Demand::AddressLiteral | Demand::AddressName | Demand::MtaStsMismatch | Demand::NoName,
            )
            | Self::Ours(_)
            | Self::Destination(_)
            | Self::Connection(_)
            | Self::Login(_)
            | Self::Smtp(_) => None,
        }
    }

    /// The value of `tlsfail=`, if TLS was tried or was missing.
    pub fn tlsfail(&self) -> Option<String> {
        match self {
            Self::Tls(fault) => Some(fault.tlsfail()),
            Self::Ours(OurFault::NoRoots) => Some("no WebPKI roots".to_owned()),
            Self::Ours(OurFault::NoProof) => Some("the handshake proved nothing".to_owned()),
            Self::Policy(Demand::NoName) => Some("no host name to verify".to_owned()),
            Self::Ours(
                OurFault::Content
                | OurFault::DamagedContent
                | OurFault::TooLate(_)
                | OurFault::NotAsked
                | OurFault::NothingTried,
            )
            | Self::Dns(..)
            | Self::Destination(_)
            | Self::Policy(_)
            | Self::Connection(_)
            | Self::Login(_)
            | Self::Smtp(_) => None,
        }
    }

    /// What a TLS report calls it (RFC 8460 §4.3), if it belongs in one.
    pub fn tls_result(&self) -> Option<TlsResult> {
        match self {
            Self::Dns(_, failure) => failure.is_bogus().then_some(TlsResult::DnssecInvalid),
            Self::Policy(
                Demand::AddressLiteral
                | Demand::AddressName
                | Demand::InsecureMx
                | Demand::InsecureHost
                | Demand::NoSecureTlsa,
            ) => Some(TlsResult::DaneRequired),
            Self::Policy(Demand::NoUsableTlsa) => Some(TlsResult::TlsaInvalid),
            Self::Policy(Demand::MtaStsMismatch) => Some(TlsResult::ValidationFailure),
            Self::Tls(fault) => Some(fault.tls_result()),
            Self::Policy(Demand::NoName)
            | Self::Ours(_)
            | Self::Destination(_)
            | Self::Connection(_)
            | Self::Login(_)
            | Self::Smtp(_) => None,
        }
    }

    /// Whether a handshake failed, or the connection was lost during it: if nothing demands TLS, the server may be tried in
    /// clear on a fresh connection.
    pub fn broke_handshake(&self) -> bool {
        match self {
            Self::Tls(TlsFault::Handshake(_) | TlsFault::TimedOut | TlsFault::Closed) => true,
            Self::Tls(
                TlsFault::NotOffered
                | TlsFault::Refused(_)
                | TlsFault::DataBeforeHandshake
                | TlsFault::Protocol(_)
                | TlsFault::Unproven(_),
            )
            | Self::Ours(_)
            | Self::Dns(..)
            | Self::Destination(_)
            | Self::Policy(_)
            | Self::Connection(_)
            | Self::Login(_)
            | Self::Smtp(_) => false,
        }
    }

    /// A stage that took longer than allowed.
    pub fn timed_out(stage: Stage) -> Self {
        match stage {
            Stage::Starttls => Self::Tls(TlsFault::TimedOut),
            stage => Self::Connection(ConnectionFault::TimedOut(stage)),
        }
    }

    /// A connection that was closed.
    pub fn closed(stage: Stage) -> Self {
        match stage {
            Stage::Starttls => Self::Tls(TlsFault::Closed),
            stage => Self::Connection(ConnectionFault::Closed(stage)),
        }
    }

    /// A server that does not speak SMTP; what it did instead.
    pub fn protocol(stage: Stage, words: String) -> Self {
        match stage {
            Stage::Starttls => Self::Tls(TlsFault::Protocol(words)),
            stage => Self::Connection(ConnectionFault::Protocol(stage, words)),
        }
    }
}

impl SmtpFault {
    fn enhanced(&self) -> EnhancedStatus {
        match self {
            Self::Refused { code, enhanced, .. } => {
                let class = if code.is_permanent() { 5 } else { 4 };
                enhanced.unwrap_or(EnhancedStatus::new(class, 0, 0))
            }
            Self::TooLarge(_) => EnhancedStatus::new(5, 3, 4),
            Self::No8BitMime => EnhancedStatus::new(5, 6, 3),
            // RFC 6531 §4.2.
            Self::NoSmtpUtf8(BeyondAscii::Address) => EnhancedStatus::new(5, 6, 7),
            Self::NoSmtpUtf8(BeyondAscii::Header) => EnhancedStatus::new(5, 6, 9),
        }
    }
}

impl LoginFault {
    fn enhanced(self) -> EnhancedStatus {
        match self {
            Self::Unauthenticated => EnhancedStatus::new(4, 7, 5),
            Self::NotOffered => EnhancedStatus::new(4, 7, 4),
            // RFC 4954 §6.
            Self::Refused { enhanced, .. } => enhanced.unwrap_or(EnhancedStatus::new(4, 7, 8)),
            Self::Challenge => EnhancedStatus::new(4, 5, 0),
        }
    }
}

impl TlsFault {
    fn dane(&self) -> FailCause {
        match self {
            Self::NotOffered => FailCause::StarttlsNotOffered,
            Self::Refused(_) => FailCause::StarttlsRefused,
            Self::Unproven(Unproven::Dane(DaneFlaw::NoMatch)) => FailCause::NoMatchingTlsa,
            Self::Unproven(Unproven::Dane(DaneFlaw::NameMismatch)) => FailCause::NameMismatch,
            Self::Unproven(Unproven::Dane(DaneFlaw::Expired)) => FailCause::Expired,
            Self::Unproven(Unproven::Dane(DaneFlaw::Untrusted)) => FailCause::Untrusted,
            Self::Unproven(
                Unproven::Dane(DaneFlaw::UnsupportedKey)
                | Unproven::WebPki(..)
                | Unproven::Key
                | Unproven::NoReference,
            )
            | Self::DataBeforeHandshake
            | Self::TimedOut
            | Self::Closed
            | Self::Protocol(_)
            | Self::Handshake(_) => FailCause::TlsHandshake(self.words()),
        }
    }

    fn tlsfail(&self) -> String {
        match self {
            Self::NotOffered => "not-offered".to_owned(),
            Self::Refused(_) => "refused".to_owned(),
            Self::Unproven(Unproven::Dane(_) | Unproven::WebPki(..)) => "bad_certificate".to_owned(),
            Self::Unproven(Unproven::Key) => "decrypt_error".to_owned(),
            Self::Unproven(Unproven::NoReference)
            | Self::DataBeforeHandshake
            | Self::TimedOut
            | Self::Closed
            | Self::Protocol(_)
            | Self::Handshake(_) => self.words(),
        }
    }

    fn tls_result(&self) -> TlsResult {
        match self {
            Self::NotOffered => TlsResult::StarttlsNotSupported,
            Self::Unproven(
                Unproven::Dane(DaneFlaw::NameMismatch) | Unproven::WebPki(WebPkiFlaw::NameMismatch, _),
            ) => TlsResult::CertificateHostMismatch,
            Self::Unproven(Unproven::Dane(DaneFlaw::Expired) | Unproven::WebPki(WebPkiFlaw::Expired, _)) => {
                TlsResult::CertificateExpired
            }
            Self::Unproven(
                Unproven::Dane(DaneFlaw::Untrusted) | Unproven::WebPki(WebPkiFlaw::Untrusted, _),
            ) => TlsResult::CertificateNotTrusted,
            Self::Unproven(
                Unproven::Dane(DaneFlaw::NoMatch | DaneFlaw::UnsupportedKey)
                | Unproven::Key
                | Unproven::NoReference,
            )
            | Self::Refused(_)
            | Self::DataBeforeHandshake
            | Self::TimedOut
            | Self::Closed
            | Self::Protocol(_)
            | Self::Handshake(_) => TlsResult::ValidationFailure,
        }
    }

    /// In a few words, as the log says it after `TLS handshake:`.
    pub fn words(&self) -> String {
        match self {
            Self::NotOffered => "not offered".to_owned(),
            Self::Refused(_) => "refused".to_owned(),
            Self::DataBeforeHandshake => "data before the handshake".to_owned(),
            Self::TimedOut => "timeout".to_owned(),
            Self::Closed => "connection closed".to_owned(),
            Self::Protocol(words) => words.clone(),
            Self::Handshake(broken) => broken.to_string(),
            Self::Unproven(Unproven::Dane(DaneFlaw::UnsupportedKey)) => "unsupported key".to_owned(),
            Self::Unproven(Unproven::Key) => "wrong signature".to_owned(),
            Self::Unproven(unproven) => unproven.to_string(),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours(fault) => fault.fmt(f),
            Self::Dns(lookup, failure) => write!(f, "the {} failed: {failure}", lookup.words()),
            Self::Destination(no_way) => no_way.fmt(f),
            Self::Policy(demand) => demand.fmt(f),
            Self::Connection(fault) => fault.fmt(f),
            Self::Tls(fault) => fault.fmt(f),
            Self::Login(fault) => fault.fmt(f),
            Self::Smtp(fault) => fault.fmt(f),
        }
    }
}

impl Lookup {
    /// What was looked up, in words.
    fn words(self) -> &'static str {
        match self {
            Self::Mx => "MX look-up",
            Self::Address => "look-up of the host's addresses",
            Self::Tlsa => "look-up of the host's TLSA records",
        }
    }
}

impl fmt::Display for OurFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content => f.write_str("the content could not be sent"),
            Self::DamagedContent => {
                f.write_str("the stored content of the message was damaged here, and was not sent")
            }
            Self::NoRoots => f.write_str(
                "a certificate of the WebPKI is required, and this machine trusts no certificate authority",
            ),
            Self::NoProof => f.write_str("the server's certificate was accepted here without a proof"),
            Self::TooLate(minutes) => write!(
                f,
                "no connection could be begun within {minutes} minutes of the look-ups; they are made again at the next \
                 attempt"
            ),
            Self::NotAsked => {
                f.write_str("no more connections may be made in one attempt; the host was not asked")
            }
            Self::NothingTried => f.write_str("no host was tried"),
        }
    }
}

impl fmt::Display for NoWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NullMx => f.write_str("the domain accepts no mail (null MX)"),
            Self::NoSuchDomain(None) => f.write_str("there is no such domain"),
            Self::NoSuchDomain(Some(missing)) => write!(
                f,
                "there is no such domain; it is an alias of {missing}, which does not exist"
            ),
            Self::OwnMx => f.write_str("mail for the domain loops back to this relay"),
            Self::NoAddresses => f.write_str("no host of the domain has an address"),
            Self::IgnoredAddresses => f.write_str(
                "no host of the domain has an address that mail from here may be sent to (delivery.ignore_addresses)",
            ),
            Self::HostGone => f.write_str("the destination has no such host at this address any more"),
        }
    }
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AddressLiteral => "the policy demands DANE, and an address literal has none",
            Self::InsecureMx => "the policy demands DANE, and the domain's MX answer is not signed",
            Self::AddressName => "the policy demands DANE, and the MX record names an address",
            Self::InsecureHost => "the policy demands DANE, and the host's zone is not signed",
            Self::NoSecureTlsa => "the policy demands DANE, and the host has no secure TLSA records",
            Self::NoUsableTlsa => "the policy demands DANE, and none of the TLSA records is usable",
            Self::MtaStsMismatch => "the domain's MTA-STS policy does not name the host",
            Self::NoName => {
                "a certificate for the host's name is required, and the host has no name that can stand in one"
            }
        })
    }
}

impl fmt::Display for ConnectionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(error) => write!(f, "no connection: {error}"),
            Self::TimedOut(stage) => write!(f, "timeout at {stage}"),
            Self::Closed(stage) => write!(f, "the connection was closed at {stage}"),
            Self::Protocol(stage, error) => write!(f, "protocol error at {stage}: {error}"),
        }
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = Stage::Starttls;
        match self {
            Self::NotOffered => f.write_str("TLS is required, and the server does not offer STARTTLS"),
            Self::Refused(_) => f.write_str("TLS is required, and the server refused STARTTLS"),
            Self::DataBeforeHandshake => {
                f.write_str("data arrived in clear between STARTTLS and the TLS handshake")
            }
            Self::TimedOut => write!(f, "timeout at {stage}"),
            Self::Closed => write!(f, "the connection was closed at {stage}"),
            Self::Protocol(error) => write!(f, "protocol error at {stage}: {error}"),
            Self::Handshake(broken) => write!(f, "the TLS handshake failed: {broken}"),
            Self::Unproven(unproven) => write!(f, "the server did not prove its identity: {unproven}"),
        }
    }
}

impl fmt::Display for BrokenHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alert(words) | Self::Other(words) => words,
            Self::NothingInCommon => "no common parameters",
            Self::NotTls => "not TLS",
            Self::Misbehaved => "protocol violation",
            Self::Closed => "connection closed",
        })
    }
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dane(DaneFlaw::NoMatch) => "no matching TLSA records",
            Self::Dane(DaneFlaw::NameMismatch) => {
                "the certificate under the matching trust anchor names another host"
            }
            Self::Dane(DaneFlaw::Expired) => {
                "a certificate under the matching trust anchor has expired or is not yet valid"
            }
            Self::Dane(DaneFlaw::Untrusted) => "no valid path to the matching trust anchor",
            Self::Dane(DaneFlaw::UnsupportedKey) => "a TLSA record matches, but the key cannot be used",
            Self::WebPki(_, words) => words,
            Self::Key => "the handshake is not signed by the certificate's key",
            Self::NoReference => "the name of the host cannot stand in a certificate",
        })
    }
}

impl fmt::Display for LoginFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthenticated => f.write_str(
                "no login: the server is not authenticated, by DANE or by a certificate (tls = \"verify\"), under a name \
                 that is securely known, and a password is sent to no other",
            ),
            Self::NotOffered => {
                f.write_str("no login: the server offers neither AUTH PLAIN nor AUTH LOGIN")
            }
            Self::Refused { code, .. } => write!(f, "the server refused the login: {code}"),
            Self::Challenge => f.write_str("no login: the server's challenge belongs to no known mechanism"),
        }
    }
}

impl fmt::Display for SmtpFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { stage, code, .. } => write!(f, "the server said {code} to {stage}"),
            Self::TooLarge(limit) => write!(
                f,
                "the message is larger than the {limit} octets that the server takes"
            ),
            Self::No8BitMime => {
                f.write_str("the message has 8-bit content, and the server does not offer 8BITMIME")
            }
            Self::NoSmtpUtf8(BeyondAscii::Address) => f.write_str(
                "an address of the message has characters beyond ASCII, and the server does not offer SMTPUTF8",
            ),
            Self::NoSmtpUtf8(BeyondAscii::Header) => f.write_str(
                "the header of the message has characters beyond ASCII, and the server does not offer SMTPUTF8",
            ),
        }
    }
}
