//! What derives from a cause alone: for each part of it by the part itself (`parts.rs`).

use super::{Cause, ConnectionFault, LoginFault, SmtpFault, TlsFault};
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
            Self::Ours(fault) => fault.enhanced(),
            Self::Dns(_, failure) if failure.is_bogus() => EnhancedStatus::new(4, 7, 5),
            Self::Dns(..) => EnhancedStatus::new(4, 4, 3),
            Self::Destination(no_way) => no_way.enhanced(),
            Self::Policy(demand) => demand.enhanced(),
            Self::Connection(fault) => fault.enhanced(),
            Self::Tls(fault) => fault.enhanced(),
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
            Self::Dns(lookup, failure) => Some(lookup.dane(failure.cause.clone())),
            Self::Policy(demand) => demand.dane(),
            Self::Tls(fault) => Some(fault.dane()),
            Self::Ours(_) | Self::Destination(_) | Self::Connection(_) | Self::Login(_) | Self::Smtp(_) => {
                None
            }
        }
    }

    /// The value of `tlsfail=`, if TLS was tried or was missing.
    pub fn tlsfail(&self) -> Option<String> {
        match self {
            Self::Ours(fault) => fault.tlsfail().map(str::to_owned),
            Self::Policy(demand) => demand.tlsfail().map(str::to_owned),
            Self::Tls(fault) => Some(fault.tlsfail()),
            Self::Dns(..) | Self::Destination(_) | Self::Connection(_) | Self::Login(_) | Self::Smtp(_) => {
                None
            }
        }
    }

    /// What a TLS report calls it (RFC 8460 §4.3), if it belongs in one.
    pub fn tls_result(&self) -> Option<TlsResult> {
        match self {
            Self::Dns(_, failure) => failure.is_bogus().then_some(TlsResult::DnssecInvalid),
            Self::Policy(demand) => demand.tls_result(),
            Self::Tls(fault) => Some(fault.tls_result()),
            Self::Ours(_) | Self::Destination(_) | Self::Connection(_) | Self::Login(_) | Self::Smtp(_) => {
                None
            }
        }
    }

    /// What a TLS report says beside [`Cause::tls_result`]: what was found, and not what is demanded here, which may be
    /// nothing. `None` if the kind says it all.
    pub fn tls_reason(&self) -> Option<String> {
        match self {
            Self::Tls(TlsFault::NotOffered) => None,
            Self::Tls(TlsFault::Refused(code)) => Some(format!("the server refused STARTTLS: {code}")),
            Self::Policy(demand) => Some(demand.finding().to_owned()),
            Self::Tls(_)
            | Self::Dns(..)
            | Self::Ours(_)
            | Self::Destination(_)
            | Self::Connection(_)
            | Self::Login(_)
            | Self::Smtp(_) => Some(self.to_string()),
        }
    }

    /// Whether a handshake failed, or the connection was lost during it: if nothing demands TLS, the server may be tried in
    /// clear on a fresh connection.
    pub fn broke_handshake(&self) -> bool {
        self.tls_fault().is_some_and(TlsFault::broke_handshake)
    }

    /// Whether a handshake failed after its first message was sent: the message itself may be what the server cannot take. A
    /// server that falls silent is not counted, because another try would take as long.
    pub fn failed_after_hello(&self) -> bool {
        self.tls_fault().is_some_and(TlsFault::failed_after_hello)
    }

    fn tls_fault(&self) -> Option<&TlsFault> {
        match self {
            Self::Tls(fault) => Some(fault),
            Self::Ours(_)
            | Self::Dns(..)
            | Self::Destination(_)
            | Self::Policy(_)
            | Self::Connection(_)
            | Self::Login(_)
            | Self::Smtp(_) => None,
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
