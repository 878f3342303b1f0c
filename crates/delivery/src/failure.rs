//! What went wrong in a session: its cause, a description, and the result of the certificate check.
//!
//! Errors of the system, of TLS and of the server are converted into ours here. [`Cause`] says what follows from them
//! and [`Failure`] what they mean for the message.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use dane::{PkixFailure, Refusal, VerifyCode, VerifyFailure};
use mail::cause::{
    Cause, ConnectionFault, DaneFlaw, LoginFault, Missing, OurFault, SmtpFault, TlsFault, Unproven,
    WebPkiFlaw,
};
use mail::{EnhancedStatus, Reason, Stage};
use policy::failure::{Failure, Standing};
use smtp::seven_bit::Unconvertible;
use smtp::{Reply, ReplyError};
use spool::Damage;

/// The maximum length kept of a server's reply, in octets: with our own words before it, it fits the 2048 of a report.
const REPLY_SHOWN: usize = 1_980;

/// What went wrong with one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionFailure {
    /// Why.
    pub cause: Cause,
    /// In plain words, or the server's own text.
    pub reason: Reason,
    /// The value of `tlsvalid=`, if a check was made and failed.
    pub valid: Option<VerifyCode>,
}

impl From<Cause> for SessionFailure {
    fn from(cause: Cause) -> Self {
        Self {
            reason: cause.to_string().into(),
            valid: None,
            cause,
        }
    }
}

impl From<TlsFault> for SessionFailure {
    fn from(fault: TlsFault) -> Self {
        Cause::Tls(fault).into()
    }
}

impl SessionFailure {
    pub(crate) fn from_io(stage: Stage, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Cause::closed(stage),
            kind => Cause::protocol(stage, kind.to_string()),
        }
        .into()
    }

    /// This machine cannot connect from this address, which the administrator has given.
    pub(crate) fn source_address(address: IpAddr, error: &io::Error) -> Self {
        Self::ours(OurFault::SourceAddress(address), error)
    }

    /// There is no socket for a connection, to any server: for want of descriptors or of memory.
    pub(crate) fn no_socket(error: &io::Error) -> Self {
        Self::ours(OurFault::NoSocket, error)
    }

    fn ours(fault: OurFault, error: &io::Error) -> Self {
        let cause = Cause::Ours(fault);
        Self {
            reason: format!("{cause}: {}", system_words(error)).into(),
            valid: None,
            cause,
        }
    }

    /// The connection failed.
    pub(crate) fn unreachable(error: &io::Error) -> Self {
        Cause::Connection(ConnectionFault::Unreachable(system_words(error))).into()
    }

    /// What the server sent is not a reply; its own words are shown if it was close to one.
    pub(crate) fn no_reply(stage: Stage, error: &ReplyError) -> Self {
        let cause = Cause::protocol(stage, error.to_string());
        let reason = match error {
            ReplyError::MixedCodes(words) => format!("{cause}: {}", up_to(words, REPLY_SHOWN - 100)),
            ReplyError::Malformed | ReplyError::Code | ReplyError::LineTooLong | ReplyError::TooLong => {
                cause.to_string()
            }
        };
        Self {
            reason: reason.into(),
            valid: None,
            cause,
        }
    }

    /// RCPT was refused because the transaction has as many recipients as the server takes, whatever code says it.
    pub(crate) fn too_many_recipients(reply: &Reply) -> Self {
        let cause = Cause::Smtp(SmtpFault::Refused {
            stage: Stage::Rcpt,
            code: reply.code,
            enhanced: Some(EnhancedStatus::TOO_MANY_RECIPIENTS),
        });
        Self {
            cause,
            ..Self::refused(Stage::Rcpt, reply)
        }
    }

    /// A server that failed in this way so long ago is not tried again for so long.
    pub(crate) fn left_alone(failure: Self, ago: Duration, again: Duration) -> Self {
        let when = match ago.as_secs() / 60 {
            0 => "just now".to_owned(),
            minutes => format!("{minutes} min ago"),
        };
        let again = again.as_secs().div_ceil(60).max(1);
        Self {
            reason: format!("{} ({when}); not tried again for {again} min", failure.reason).into(),
            ..failure
        }
    }

    /// A reply that ends its stage: a refusal, or one that has no place there.
    pub(crate) fn refused(stage: Stage, reply: &Reply) -> Self {
        if !matches!(reply.code.class(), 4 | 5) {
            let cause = Cause::protocol(stage, "an unexpected reply".to_owned());
            return Self {
                reason: Reason::of_reply(shortened(reply)).below(&cause),
                valid: None,
                cause,
            };
        }
        Self {
            cause: Cause::Smtp(SmtpFault::Refused {
                stage,
                code: reply.code,
                enhanced: reply.enhanced(),
            }),
            reason: Reason::of_reply(shortened(reply)),
            valid: None,
        }
    }

    /// STARTTLS is required and was refused.
    pub(crate) fn starttls_refused(reply: &Reply) -> Self {
        let cause = Cause::Tls(TlsFault::Refused(reply.code));
        Self {
            reason: Reason::of_reply(shortened(reply)).below(&cause),
            valid: None,
            cause,
        }
    }

    /// STARTTLS was refused, and the server has ended the session with that.
    pub(crate) fn ended_at_starttls(reply: &Reply) -> Self {
        let cause = Cause::closed(Stage::Starttls);
        Self {
            reason: Reason::of_reply(shortened(reply)).below(&cause),
            valid: None,
            cause,
        }
    }

    /// The server refused the login.
    pub(crate) fn login_refused(reply: &Reply) -> Self {
        let (code, enhanced) = (reply.code, reply.enhanced());
        let cause = Cause::Login(LoginFault::Refused { code, enhanced });
        Self {
            reason: Reason::of_reply(shortened(reply)).below("the server refused the login"),
            valid: None,
            cause,
        }
    }

    /// The server did not prove that it is the right one.
    pub(crate) fn unproven(refusal: Refusal) -> Self {
        let (unproven, valid) = match refusal {
            Refusal::Dane(failure) => (Unproven::Dane(dane_flaw(failure)), Some(failure.code())),
            Refusal::Pkix(failure) => {
                let unproven = Unproven::WebPki(web_pki_flaw(failure), failure.to_string());
                (unproven, Some(failure.code()))
            }
            Refusal::Signature => (Unproven::Key, None),
        };
        Self {
            cause: Cause::Tls(TlsFault::Unproven(unproven)),
            reason: format!("the server did not prove its identity: {refusal}").into(),
            valid,
        }
    }

    /// The content cannot be read from the spool at present, or cannot be sent as it is.
    pub(crate) fn content(error: impl fmt::Display) -> Self {
        let cause = Cause::Ours(OurFault::Content);
        Self {
            reason: format!("{cause}: {error}").into(),
            valid: None,
            cause,
        }
    }

    /// Whether the server, or somebody on the way to it, closed the connection.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.cause, Cause::Connection(ConnectionFault::Closed(_)))
    }

    /// The server takes no octets above 127, and the content cannot be converted.
    pub(crate) fn unconvertible(why: Unconvertible) -> Self {
        let cause = Cause::Smtp(SmtpFault::Lacks(Missing::EightBitMime));
        Self {
            reason: format!("{cause}; it cannot be converted: {why}").into(),
            valid: None,
            cause,
        }
    }

    /// The server refused because of this.
    pub(crate) fn because_of(self, cause: Cause) -> Self {
        Self {
            // The last reply is not the one that the cause is about.
            reason: format!("{cause}; without TLS the server takes no mail: {}", self.reason).into(),
            cause,
            ..self
        }
    }

    /// Before it failed in this way the server had said this.
    pub(crate) fn after(self, reply: &Reply) -> Self {
        let ours = format!("{}; before that the server said", self.reason);
        Self {
            reason: Reason::of_reply(shortened(reply)).below(ours),
            ..self
        }
    }

    /// What it means for the message and the log.
    pub(crate) fn into_failure(self, standing: Standing) -> Failure {
        Failure {
            cause: self.cause,
            standing,
            reason: self.reason,
        }
    }
}

/// The stored content differs from what was written.
pub(crate) fn damaged(damage: Damage) -> Failure {
    let cause = Cause::Ours(OurFault::DamagedContent);
    Failure {
        reason: format!("{cause}: {}", damage.flaw.words()).into(),
        standing: Standing::Apart,
        cause,
    }
}

fn dane_flaw(failure: VerifyFailure) -> DaneFlaw {
    match failure {
        VerifyFailure::NoMatch | VerifyFailure::BadCertificate => DaneFlaw::NoMatch,
        VerifyFailure::NameMismatch => DaneFlaw::NameMismatch,
        VerifyFailure::Expired => DaneFlaw::Expired,
        VerifyFailure::NotYetValid => DaneFlaw::NotYetValid,
        VerifyFailure::Untrusted(_) => DaneFlaw::Untrusted,
        VerifyFailure::UnsupportedKey(_) => DaneFlaw::UnsupportedKey,
    }
}

fn web_pki_flaw(failure: PkixFailure) -> WebPkiFlaw {
    match failure {
        PkixFailure::NameMismatch => WebPkiFlaw::NameMismatch,
        PkixFailure::Expired => WebPkiFlaw::Expired,
        PkixFailure::NotYetValid => WebPkiFlaw::NotYetValid,
        PkixFailure::Untrusted(_) | PkixFailure::UnsupportedKey(_) => WebPkiFlaw::Untrusted,
    }
}

/// The system's error text without its number.
fn system_words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}

/// The reply on one line, short enough for the log and for a queue with many recipients. Of a longer reply the
/// beginning is kept, and the last line, where many servers get to the point, with `...` for what is left out.
pub(crate) fn shortened(reply: &Reply) -> String {
    let line = reply.to_log();
    if line.len() <= REPLY_SHOWN {
        return line;
    }
    let last = match reply.lines.split_last() {
        Some((last, [_, ..])) if last.len() <= REPLY_SHOWN / 2 => format!(" {} {last}", reply.code),
        _ => String::new(),
    };
    format!(
        "{}...{last}",
        up_to(&line, REPLY_SHOWN.saturating_sub(last.len()))
    )
}

/// The beginning of a text, at most so many octets.
fn up_to(text: &str, octets: usize) -> &str {
    text.get(..text.floor_char_boundary(octets)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mail::ReplyCode;

    #[test]
    fn a_long_reply_keeps_its_end_and_shows_that_it_was_cut() {
        let reply = |lines: Vec<String>| Reply {
            code: ReplyCode::new(550).unwrap(),
            lines: lines.into(),
            cut: smtp::reply::Cut::Nowhere,
        };
        let mut lines = vec!["\u{fffd}".repeat(60); 30];
        lines.push("5.7.1 the point".to_owned());
        let line = shortened(&reply(lines));
        assert!(line.ends_with("... 550 5.7.1 the point"), "{line}");
        assert!(
            (REPLY_SHOWN + 1..=REPLY_SHOWN + 3).contains(&line.len()),
            "{}",
            line.len()
        );
        let line = shortened(&reply(vec!["x".repeat(3000)]));
        assert!(line.ends_with("x..."), "{line}");
        assert_eq!(line.len(), REPLY_SHOWN + 3);
        let fits = reply(vec!["x".repeat(REPLY_SHOWN - 4)]);
        assert_eq!(shortened(&fits), fits.to_log());
    }
}
