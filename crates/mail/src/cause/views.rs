//! What derives from a cause alone.

use super::{
    BeyondAscii, Cause, ConnectionFault, DaneFlaw, Demand, LoginFault, Lookup, NoWay, OurFault, SmtpFault,
    TlsFault, Unproven, WebPkiFlaw,
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
            Self::Ours(OurFault::NoRoots | OurFault::NoProof | OurFault::SourceAddress(_)) => {
                EnhancedStatus::new(4, 3, 5)
            }
            Self::Ours(OurFault::NoSocket | OurFault::PolicyNotFetched) => EnhancedStatus::new(4, 3, 2),
            Self::Ours(OurFault::TooLate(_) | OurFault::NoTurn(_)) => EnhancedStatus::new(4, 4, 5),
            Self::Ours(OurFault::NotAsked | OurFault::NothingTried) => EnhancedStatus::new(4, 4, 1),
            Self::Dns(_, failure) if failure.is_bogus() => EnhancedStatus::new(4, 7, 5),
            Self::Dns(..) => EnhancedStatus::new(4, 4, 3),
            Self::Destination(NoWay::NullMx) => EnhancedStatus::new(5, 1, 10),
            Self::Destination(NoWay::NoSuchDomain(_)) => EnhancedStatus::new(5, 1, 2),
            Self::Destination(NoWay::OwnMx) => EnhancedStatus::new(5, 4, 6),
            Self::Destination(NoWay::NoAddresses | NoWay::IgnoredAddresses) => EnhancedStatus::new(5, 4, 4),
            Self::Destination(NoWay::OtherFamily | NoWay::HostGone) => EnhancedStatus::new(4, 4, 4),
            Self::Connection(ConnectionFault::Unreachable(_) | ConnectionFault::TimedOut(Stage::Connect)) => {
                EnhancedStatus::new(4, 4, 1)
            }
            Self::Connection(
                ConnectionFault::TimedOut(_) | ConnectionFault::Closed(_) | ConnectionFault::Protocol(..),
            ) => EnhancedStatus::new(4, 4, 2),
            Self::Tls(TlsFault::NotOffered) => EnhancedStatus::new(4, 7, 4),
            Self::Policy(Demand::SecurePath | Demand::SecurePathOfReport) => EnhancedStatus::NO_SECURE_PATH,
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
                Demand::AddressLiteral
                | Demand::AddressName
                | Demand::MtaStsMismatch
                | Demand::MtaStsUnproven
                | Demand::MtaStsUnknown
                | Demand::SecurePath
                | Demand::SecurePathOfReport
                | Demand::NoName,
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
            Self::Ours(OurFault::NoProof) => Some("the handshake gave no proof".to_owned()),
            Self::Policy(Demand::NoName) => Some("no host name to verify".to_owned()),
            Self::Ours(
                OurFault::Content
                | OurFault::DamagedContent
                | OurFault::TooLate(_)
                | OurFault::NotAsked
                | OurFault::NothingTried
                | OurFault::SourceAddress(_)
                | OurFault::NoSocket
                | OurFault::PolicyNotFetched
                | OurFault::NoTurn(_),
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
            Self::Policy(
                Demand::MtaStsUnproven
                | Demand::MtaStsUnknown
                | Demand::SecurePath
                | Demand::SecurePathOfReport
                | Demand::NoName,
            )
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

    /// Whether a handshake failed after its first message was sent: the message itself may be what the server cannot take. A
    /// server that falls silent is not counted, because another try would take as long.
    pub fn failed_after_hello(&self) -> bool {
        match self {
            Self::Tls(TlsFault::Handshake(_)) => true,
            Self::Tls(
                TlsFault::Closed
                | TlsFault::TimedOut
                | TlsFault::NotOffered
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
            Self::NoRequireTls => EnhancedStatus::new(5, 7, 30),
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
