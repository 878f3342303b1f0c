//! What became of a connection to one address, in one word.

use delivery::probe::Probe;
use mail::Stage;
use mail::cause::{Cause, ConnectionFault, DaneFlaw, TlsFault, Unproven};
use policy::decision::Requirement;
use serde::{Deserialize, Serialize};

/// What became of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// Nobody connected: by request, or because the decision forbids it.
    NotTried,
    /// The time for the domain was over first.
    NotExamined,
    /// This machine has no way to addresses of this family.
    NoRoute,
    /// Something is wrong here: no socket, no source address. Nobody else is to blame.
    OurFault,
    /// No connection could be made.
    Unreachable,
    /// The server did not greet, or broke off before TLS.
    Unanswered,
    /// The server did not want to talk.
    Refused,
    /// STARTTLS is not offered, although the TLSA records demand TLS.
    NoStarttls,
    /// STARTTLS is refused, likewise.
    StarttlsRefused,
    /// The handshake failed.
    HandshakeBroken,
    /// No TLSA record matches.
    NoMatch,
    /// A trust anchor matches, but not the name.
    NameMismatch,
    /// A trust anchor matches, but a certificate has expired or is not valid yet.
    Expired,
    /// A trust anchor matches, but no valid path leads to it.
    Untrusted,
    /// The server does not have the key of its certificate.
    WrongKey,
    /// No handshake can be signed with the key of its certificate.
    UnsupportedKey,
    /// DANE is verified.
    Verified,
    /// TLS, without authentication.
    Encrypted,
    /// No TLS, where none is demanded.
    Clear,
}

/// What an outcome says about the security of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutcomeClass {
    Good,
    Bad,
    Unknown,
    NotTested,
    /// There was no time for it: then good ones beside it do not settle the matter.
    NotExamined,
}

impl Outcome {
    /// What a session showed.
    pub(crate) fn of(probe: &Probe) -> Self {
        match &probe.failure {
            Some(failure) => Self::of_failure(&failure.cause),
            None => match probe.requirement {
                Requirement::Dane | Requirement::DaneAndPkix => Self::Verified,
                Requirement::Encrypted | Requirement::Pkix => Self::Encrypted,
                Requirement::Opportunistic | Requirement::Clear if probe.session.is_some() => Self::Encrypted,
                Requirement::Opportunistic | Requirement::Clear => Self::Clear,
            },
        }
    }

    fn of_failure(cause: &Cause) -> Self {
        match cause {
            Cause::Tls(fault) => Self::of_tls(fault),
            Cause::Connection(
                ConnectionFault::Unreachable(_) | ConnectionFault::TimedOut(Stage::Connect),
            ) => Self::Unreachable,
            Cause::Connection(
                ConnectionFault::TimedOut(_) | ConnectionFault::Closed(_) | ConnectionFault::Protocol(..),
            ) => Self::Unanswered,
            Cause::Smtp(_) => Self::Refused,
            Cause::Ours(_) | Cause::Dns(..) | Cause::Destination(_) | Cause::Policy(_) | Cause::Login(_) => {
                Self::OurFault
            }
        }
    }

    fn of_tls(fault: &TlsFault) -> Self {
        match fault {
            TlsFault::NotOffered => Self::NoStarttls,
            TlsFault::Refused(_) => Self::StarttlsRefused,
            TlsFault::Unproven(Unproven::Dane(flaw)) => match flaw {
                DaneFlaw::NoMatch => Self::NoMatch,
                DaneFlaw::NameMismatch => Self::NameMismatch,
                DaneFlaw::Expired | DaneFlaw::NotYetValid => Self::Expired,
                DaneFlaw::Untrusted => Self::Untrusted,
                DaneFlaw::UnsupportedKey => Self::UnsupportedKey,
            },
            TlsFault::Unproven(Unproven::Key) => Self::WrongKey,
            TlsFault::Unproven(Unproven::WebPki(..) | Unproven::NoReference) => Self::Untrusted,
            // A slow server is not a wrong one.
            TlsFault::TimedOut => Self::Unanswered,
            TlsFault::DataBeforeHandshake
            | TlsFault::Closed
            | TlsFault::Protocol(_)
            | TlsFault::Handshake(_) => Self::HandshakeBroken,
        }
    }

    /// What it says about a host whose TLSA records are usable.
    pub(crate) fn class(self) -> OutcomeClass {
        match self {
            Self::Verified => OutcomeClass::Good,
            Self::NoStarttls
            | Self::StarttlsRefused
            | Self::HandshakeBroken
            | Self::NoMatch
            | Self::NameMismatch
            | Self::Expired
            | Self::Untrusted
            | Self::WrongKey
            | Self::UnsupportedKey
            | Self::Encrypted
            | Self::Clear => OutcomeClass::Bad,
            Self::OurFault | Self::Unreachable | Self::Unanswered | Self::Refused => OutcomeClass::Unknown,
            Self::NotTried | Self::NoRoute => OutcomeClass::NotTested,
            Self::NotExamined => OutcomeClass::NotExamined,
        }
    }

    /// In words for people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::NotTried => "not connected to",
            Self::NotExamined => "not examined in time",
            Self::NoRoute => "not tested: this machine has no way there",
            Self::OurFault => "not tested: something is wrong here",
            Self::Unreachable => "no connection",
            Self::Unanswered => "no SMTP session",
            Self::Refused => "the server refuses us",
            Self::NoStarttls => "STARTTLS is not offered",
            Self::StarttlsRefused => "STARTTLS is refused",
            Self::HandshakeBroken => "the TLS handshake fails",
            Self::NoMatch => "no TLSA record matches",
            Self::NameMismatch => "the certificate names another host",
            Self::Expired => "a certificate is not valid now",
            Self::Untrusted => "no valid path to the trust anchor",
            Self::WrongKey => "the server does not have the certificate's key",
            Self::UnsupportedKey => "the certificate's key cannot be used",
            Self::Verified => "DANE verified",
            Self::Encrypted => "encrypted, not authenticated",
            Self::Clear => "no TLS",
        }
    }
}
