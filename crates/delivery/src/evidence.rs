//! What a failure shows about the receiver, as opposed to the message: the same for destinations and for hosts.

use mail::cause::{Cause, ConnectionFault, Demand, SmtpFault, TlsFault};
use mail::{Phase, ReplyCode, Stage};

/// What a failure shows about the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// It works: it refused this message or this recipient.
    Works,
    /// It takes no more connections now: too many are open. If none is open, it is down.
    Busy,
    /// It fails whatever the message.
    Down,
    /// Nothing.
    Nothing,
}

impl Evidence {
    /// What this cause shows.
    pub(crate) fn of(cause: &Cause) -> Self {
        match cause {
            Cause::Smtp(SmtpFault::Refused { stage, code, .. }) => Self::of_refusal(*stage, *code),
            Cause::Tls(TlsFault::Refused(code)) if is_service_not_available(*code) => Self::Busy,
            Cause::Smtp(SmtpFault::Lacks(_)) => Self::Works,
            // If our own resolver fails, that says nothing about the domain, and all domains come back with it.
            Cause::Dns(..) if cause.culprit().is_ours() => Self::Nothing,
            // A server may also say that it has enough by no longer answering new connections, or by closing them.
            Cause::Connection(ConnectionFault::Unreachable(_)) => Self::Busy,
            Cause::Connection(ConnectionFault::Closed(stage)) if stage.phase() == Phase::Greeting => {
                Self::Busy
            }
            // A server may break off because of the recipient or the content, and take the next message.
            Cause::Connection(
                ConnectionFault::Closed(stage)
                | ConnectionFault::TimedOut(stage)
                | ConnectionFault::Protocol(stage, _),
            ) if is_about_a_message(*stage) => Self::Nothing,
            Cause::Connection(
                ConnectionFault::Closed(_) | ConnectionFault::TimedOut(_) | ConnectionFault::Protocol(..),
            )
            | Cause::Tls(
                TlsFault::NotOffered
                | TlsFault::Refused(_)
                | TlsFault::DataBeforeHandshake
                | TlsFault::TimedOut
                | TlsFault::Closed
                | TlsFault::Protocol(_)
                | TlsFault::Handshake(_)
                | TlsFault::Unproven(_),
            )
            | Cause::Dns(..)
            | Cause::Policy(
                Demand::AddressLiteral
                | Demand::InsecureMx
                | Demand::AddressName
                | Demand::InsecureHost
                | Demand::NoSecureTlsa
                | Demand::NoUsableTlsa
                | Demand::MtaStsMismatch
                | Demand::MtaStsUnproven
                | Demand::NoName,
            )
            | Cause::Login(_) => Self::Down,
            // Other messages do not require what this one does.
            Cause::Policy(
                Demand::MtaStsUnknown
                | Demand::SecurePath
                | Demand::SecurePathOfReport
                | Demand::SecureAddress
                | Demand::SecureRoute,
            )
            | Cause::Ours(_)
            | Cause::Destination(_) => Self::Nothing,
        }
    }

    fn of_refusal(stage: Stage, code: ReplyCode) -> Self {
        match stage.phase() {
            _ if is_service_not_available(code) => Self::Busy,
            // Before MAIL the server knows of no message that it could mean.
            Phase::Greeting if code.class() == 4 => Self::Busy,
            Phase::Greeting | Phase::Securing => Self::Down,
            Phase::Envelope | Phase::Content | Phase::Closing => Self::Works,
        }
    }
}

/// Whether the server has taken MAIL by then.
fn is_about_a_message(stage: Stage) -> bool {
    match stage {
        Stage::Rcpt | Stage::Data | Stage::Body | Stage::FinalDot => true,
        Stage::Connect
        | Stage::Banner
        | Stage::Ehlo
        | Stage::Starttls
        | Stage::Auth
        | Stage::Mail
        | Stage::Rset
        | Stage::Quit => false,
    }
}

/// 421 closes the session at any stage (RFC 5321 §3.8).
fn is_service_not_available(code: ReplyCode) -> bool {
    code.get() == 421
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mail::cause::Lookup;
    use mail::lookup::{Culprit, FailedLookup, LookupFailure};

    fn refused(stage: Stage, code: u16) -> Evidence {
        Evidence::of(&Cause::Smtp(SmtpFault::Refused {
            stage,
            code: ReplyCode::new(code).unwrap(),
            enhanced: None,
        }))
    }

    #[test]
    fn a_refusal_before_mail_is_about_the_server_and_one_after_it_about_the_message() {
        assert_eq!(refused(Stage::Banner, 421), Evidence::Busy);
        assert_eq!(refused(Stage::Ehlo, 450), Evidence::Busy);
        assert_eq!(refused(Stage::Banner, 554), Evidence::Down);
        assert_eq!(refused(Stage::Mail, 421), Evidence::Busy);
        // Greylisting.
        assert_eq!(refused(Stage::Rcpt, 450), Evidence::Works);
        assert_eq!(refused(Stage::FinalDot, 550), Evidence::Works);
    }

    #[test]
    fn a_resolver_that_fails_is_not_the_fault_of_the_domain() {
        let failed = |culprit| {
            let failure = FailedLookup::new(LookupFailure::Servfail, culprit, "servfail");
            Evidence::of(&Cause::Dns(Lookup::Mx, failure))
        };
        assert_eq!(failed(Culprit::OurResolver), Evidence::Nothing);
        assert_eq!(failed(Culprit::Elsewhere), Evidence::Down);
    }

    #[test]
    fn a_server_that_breaks_off_after_mail_may_mean_the_message() {
        for (stage, evidence) in [
            (Stage::Ehlo, Evidence::Down),
            (Stage::Mail, Evidence::Down),
            (Stage::Rcpt, Evidence::Nothing),
            (Stage::Data, Evidence::Nothing),
            (Stage::Body, Evidence::Nothing),
            (Stage::FinalDot, Evidence::Nothing),
        ] {
            for fault in [
                ConnectionFault::TimedOut(stage),
                ConnectionFault::Protocol(stage, String::new()),
            ] {
                assert_eq!(Evidence::of(&Cause::Connection(fault)), evidence, "{stage}");
            }
        }
        let closed = |stage| Evidence::of(&Cause::Connection(ConnectionFault::Closed(stage)));
        assert_eq!(closed(Stage::FinalDot), Evidence::Nothing);
        assert_eq!(closed(Stage::Mail), Evidence::Down);
    }

    #[test]
    fn a_refused_connection_may_be_a_sign_of_load_and_a_timeout_is_not() {
        let connection = |fault| Evidence::of(&Cause::Connection(fault));
        let refused = ConnectionFault::Unreachable("connection refused".to_owned());
        assert_eq!(connection(refused), Evidence::Busy);
        assert_eq!(connection(ConnectionFault::Closed(Stage::Banner)), Evidence::Busy);
        assert_eq!(
            connection(ConnectionFault::TimedOut(Stage::Connect)),
            Evidence::Down
        );
    }
}
