//! What derives from each part of a cause.

use super::{
    BeyondAscii, ConnectionFault, DaneFlaw, Demand, LoginFault, Lookup, Missing, NoWay, OurFault, SmtpFault,
    TlsFault, Unproven, WebPkiFlaw,
};
use crate::lookup::LookupFailure;
use crate::stage::Stage;
use crate::status::EnhancedStatus;
use crate::tls_result::TlsResult;
use crate::verdict::FailCause;

impl OurFault {
    pub(super) fn enhanced(self) -> EnhancedStatus {
        match self {
            Self::Content | Self::DamagedContent => EnhancedStatus::new(4, 3, 0),
            Self::NoRoots | Self::NoProof | Self::SourceAddress(_) => EnhancedStatus::new(4, 3, 5),
            Self::NoSocket | Self::PolicyNotFetched => EnhancedStatus::new(4, 3, 2),
            Self::TooLate(_) | Self::NoTurn(_) => EnhancedStatus::new(4, 4, 5),
            Self::NotAsked | Self::NothingTried => EnhancedStatus::new(4, 4, 1),
        }
    }

    pub(super) fn tlsfail(self) -> Option<&'static str> {
        match self {
            Self::NoRoots => Some("no WebPKI roots"),
            Self::NoProof => Some("the handshake gave no proof"),
            Self::Content
            | Self::DamagedContent
            | Self::TooLate(_)
            | Self::NotAsked
            | Self::NothingTried
            | Self::SourceAddress(_)
            | Self::NoSocket
            | Self::PolicyNotFetched
            | Self::NoTurn(_) => None,
        }
    }
}

impl Lookup {
    pub(super) fn dane(self, failure: LookupFailure) -> FailCause {
        match self {
            Self::Mx => FailCause::MxLookup(failure),
            Self::Address => FailCause::AddressLookup(failure),
            Self::Tlsa => FailCause::TlsaLookup(failure),
        }
    }
}

impl NoWay {
    pub(super) fn enhanced(&self) -> EnhancedStatus {
        match self {
            Self::NullMx => EnhancedStatus::new(5, 1, 10),
            Self::NoSuchDomain(_) => EnhancedStatus::new(5, 1, 2),
            Self::OwnMx => EnhancedStatus::new(5, 4, 6),
            Self::NoAddresses | Self::IgnoredAddresses => EnhancedStatus::new(5, 4, 4),
            Self::OtherFamily | Self::HostGone => EnhancedStatus::new(4, 4, 4),
        }
    }
}

impl Demand {
    pub(super) fn enhanced(self) -> EnhancedStatus {
        match self {
            Self::SecurePath | Self::SecurePathOfReport | Self::SecureAddress | Self::SecureRoute => {
                EnhancedStatus::NO_SECURE_PATH
            }
            Self::AddressLiteral
            | Self::InsecureMx
            | Self::AddressName
            | Self::InsecureHost
            | Self::NoSecureTlsa
            | Self::NoUsableTlsa
            | Self::MtaStsMismatch
            | Self::MtaStsUnproven
            | Self::MtaStsUnknown
            | Self::NoName => EnhancedStatus::new(4, 7, 5),
        }
    }

    pub(super) fn dane(self) -> Option<FailCause> {
        match self {
            Self::InsecureMx => Some(FailCause::InsecureMx),
            Self::InsecureHost => Some(FailCause::InsecureHost),
            Self::NoSecureTlsa => Some(FailCause::NoSecureTlsa),
            Self::NoUsableTlsa => Some(FailCause::NoUsableTlsa),
            Self::AddressLiteral
            | Self::AddressName
            | Self::MtaStsMismatch
            | Self::MtaStsUnproven
            | Self::MtaStsUnknown
            | Self::SecurePath
            | Self::SecurePathOfReport
            | Self::SecureAddress
            | Self::SecureRoute
            | Self::NoName => None,
        }
    }

    pub(super) fn tlsfail(self) -> Option<&'static str> {
        (self == Self::NoName).then_some("no host name to verify")
    }

    pub(super) fn tls_result(self) -> Option<TlsResult> {
        match self {
            Self::AddressLiteral
            | Self::AddressName
            | Self::InsecureMx
            | Self::InsecureHost
            | Self::NoSecureTlsa => Some(TlsResult::DaneRequired),
            Self::NoUsableTlsa => Some(TlsResult::TlsaInvalid),
            Self::MtaStsMismatch => Some(TlsResult::ValidationFailure),
            Self::MtaStsUnproven
            | Self::MtaStsUnknown
            | Self::SecurePath
            | Self::SecurePathOfReport
            | Self::SecureAddress
            | Self::SecureRoute
            | Self::NoName => None,
        }
    }
}

impl ConnectionFault {
    pub(super) fn enhanced(&self) -> EnhancedStatus {
        match self {
            Self::Unreachable(_) | Self::TimedOut(Stage::Connect) => EnhancedStatus::new(4, 4, 1),
            Self::TimedOut(_) | Self::Closed(_) | Self::Protocol(..) => EnhancedStatus::new(4, 4, 2),
        }
    }
}

impl SmtpFault {
    pub(super) fn enhanced(self) -> EnhancedStatus {
        match self {
            Self::Refused { code, enhanced, .. } => {
                let class = if code.is_permanent() { 5 } else { 4 };
                enhanced.unwrap_or(EnhancedStatus::new(class, 0, 0))
            }
            Self::Lacks(missing) => missing.enhanced(),
        }
    }
}

impl Missing {
    fn enhanced(self) -> EnhancedStatus {
        match self {
            Self::Size(_) => EnhancedStatus::new(5, 3, 4),
            Self::EightBitMime => EnhancedStatus::new(5, 6, 3),
            Self::RequireTls => EnhancedStatus::new(5, 7, 30),
            // RFC 6531 §4.2.
            Self::SmtpUtf8(BeyondAscii::Address) => EnhancedStatus::new(5, 6, 7),
            Self::SmtpUtf8(BeyondAscii::Header) => EnhancedStatus::new(5, 6, 9),
        }
    }
}

impl LoginFault {
    pub(super) fn enhanced(self) -> EnhancedStatus {
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
    pub(super) fn enhanced(&self) -> EnhancedStatus {
        match self {
            Self::NotOffered => EnhancedStatus::new(4, 7, 4),
            Self::Refused(_)
            | Self::DataBeforeHandshake
            | Self::TimedOut
            | Self::Closed
            | Self::Protocol(_)
            | Self::Handshake(_)
            | Self::Unproven(_) => EnhancedStatus::new(4, 7, 5),
        }
    }

    pub(super) fn broke_handshake(&self) -> bool {
        match self {
            Self::Handshake(_) | Self::TimedOut | Self::Closed => true,
            Self::NotOffered
            | Self::Refused(_)
            | Self::DataBeforeHandshake
            | Self::Protocol(_)
            | Self::Unproven(_) => false,
        }
    }

    pub(super) fn failed_after_hello(&self) -> bool {
        match self {
            Self::Handshake(_) => true,
            Self::Closed
            | Self::TimedOut
            | Self::NotOffered
            | Self::Refused(_)
            | Self::DataBeforeHandshake
            | Self::Protocol(_)
            | Self::Unproven(_) => false,
        }
    }

    pub(super) fn dane(&self) -> FailCause {
        match self {
            Self::NotOffered => FailCause::StarttlsNotOffered,
            Self::Refused(_) => FailCause::StarttlsRefused,
            Self::Unproven(Unproven::Dane(DaneFlaw::NoMatch)) => FailCause::NoMatchingTlsa,
            Self::Unproven(Unproven::Dane(DaneFlaw::NameMismatch)) => FailCause::NameMismatch,
            Self::Unproven(Unproven::Dane(DaneFlaw::Expired | DaneFlaw::NotYetValid)) => FailCause::Expired,
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

    pub(super) fn tlsfail(&self) -> String {
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

    pub(super) fn tls_result(&self) -> TlsResult {
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
                Unproven::Dane(DaneFlaw::NoMatch | DaneFlaw::NotYetValid | DaneFlaw::UnsupportedKey)
                | Unproven::WebPki(WebPkiFlaw::NotYetValid, _)
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
