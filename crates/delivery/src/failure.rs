//! What went wrong in a session, and the one mapping from there to status, log words and finality.

use std::io;

use dane::{Refusal, VerifyCode};
use mail::{Culprit, DaneVerdict, EnhancedStatus, FailCause, ReplyCode, SkipReason};
use policy::cause::{Failure, Finality};
use policy::decision::Requirement;
use smtp::Reply;
use spool::Damage;

use crate::connections::stage::Stage;

/// Octets of a server's reply that are kept: with words of ours in front it is within the 2048 of a report.
const REPLY_SHOWN: usize = 1_980;

/// What went wrong with one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionFailure {
    /// The TCP connection was not made; the system's words.
    Unreachable(String),
    /// The stage took longer than it may.
    TimedOut(Stage),
    /// The connection ended.
    Closed(Stage),
    /// The server does not speak SMTP.
    Protocol(Stage, String),
    /// A reply that ends the stage.
    Refused(Stage, Reply),
    /// STARTTLS is needed and was not offered.
    StarttlsNotOffered,
    /// STARTTLS is needed and was refused.
    StarttlsRefused(Reply),
    /// Octets in clear came in ahead of the handshake (RFC 3207 §6).
    ResponseInjection,
    /// The handshake broke; the alert or error in a few words.
    Handshake(String),
    /// The server did not prove that it is who the records say.
    Unauthenticated(Refusal),
    /// The content is larger than the server takes (RFC 1870 §6.2).
    TooLarge(u64),
    /// The content has octets above 127, and the server takes none (RFC 6152 §3).
    No8BitMime,
    /// The message needs a server that knows SMTPUTF8, and this one does not (RFC 6531 §3.2).
    NoSmtpUtf8(BeyondAscii),
    /// Ours: the content cannot be read from the spool now, or is not fit to be sent.
    Content(String),
    /// Ours: the stored content is not what was once written.
    Damaged(Damage),
}

/// What of a message has characters beyond ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeyondAscii {
    /// An address of its envelope.
    Address,
    /// Its header alone.
    Header,
}

/// What had been established about a connection when it failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing<'a> {
    /// What the connection had to achieve.
    pub(crate) requirement: Requirement,
    /// What the log would have said on success.
    pub(crate) verdict: &'a DaneVerdict,
    /// Whether the requirement was met before the failure.
    pub(crate) cleared: bool,
}

impl SessionFailure {
    pub(crate) fn from_io(stage: Stage, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Self::Closed(stage),
            _ if stage == Stage::Connect => Self::Unreachable(error.kind().to_string()),
            _ => Self::Protocol(stage, error.kind().to_string()),
        }
    }

    /// Whether TLS itself, or the proof that it had to carry, is what failed.
    pub fn is_tls(&self) -> bool {
        self.fail_cause().is_some()
    }

    /// Whether the server may still be spoken to in clear on a fresh connection, where nothing demands TLS.
    pub(crate) fn broke_handshake(&self) -> bool {
        match self {
            Self::Handshake(_) | Self::TimedOut(Stage::Starttls) | Self::Closed(Stage::Starttls) => true,
            Self::Unreachable(_)
            | Self::TimedOut(_)
            | Self::Closed(_)
            | Self::Protocol(..)
            | Self::Refused(..)
            | Self::StarttlsNotOffered
            | Self::StarttlsRefused(_)
            | Self::ResponseInjection
            | Self::Unauthenticated(_)
            | Self::TooLarge(_)
            | Self::No8BitMime
            | Self::NoSmtpUtf8(_)
            | Self::Content(_)
            | Self::Damaged(_) => false,
        }
    }

    /// The cause in the words of `dane=`, where TLS failed.
    fn fail_cause(&self) -> Option<FailCause> {
        Some(match self {
            Self::StarttlsNotOffered => FailCause::StarttlsNotOffered,
            Self::StarttlsRefused(_) => FailCause::StarttlsRefused,
            Self::ResponseInjection => FailCause::TlsHandshake("data before the handshake".to_owned()),
            Self::Handshake(words) | Self::Protocol(Stage::Starttls, words) => {
                FailCause::TlsHandshake(words.clone())
            }
            Self::TimedOut(Stage::Starttls) => FailCause::TlsHandshake("timeout".to_owned()),
            Self::Closed(Stage::Starttls) => FailCause::TlsHandshake("connection closed".to_owned()),
            Self::Unauthenticated(Refusal::Dane(failure)) => match failure {
                dane::VerifyFailure::NoMatch | dane::VerifyFailure::BadCertificate => {
                    FailCause::NoMatchingTlsa
                }
                dane::VerifyFailure::NameMismatch => FailCause::NameMismatch,
                dane::VerifyFailure::Expired | dane::VerifyFailure::NotYetValid => FailCause::Expired,
                dane::VerifyFailure::Untrusted(_) => FailCause::Untrusted,
                // The record matched; no handshake can prove that the server has the key.
                dane::VerifyFailure::UnsupportedKey(_) => {
                    FailCause::TlsHandshake("unsupported key".to_owned())
                }
            },
            Self::Unauthenticated(Refusal::Pkix(failure)) => FailCause::TlsHandshake(failure.to_string()),
            Self::Unauthenticated(Refusal::Signature) => {
                FailCause::TlsHandshake("wrong signature".to_owned())
            }
            Self::Unreachable(_)
            | Self::TimedOut(_)
            | Self::Closed(_)
            | Self::Protocol(..)
            | Self::Refused(..)
            | Self::TooLarge(_)
            | Self::No8BitMime
            | Self::NoSmtpUtf8(_)
            | Self::Content(_)
            | Self::Damaged(_) => return None,
        })
    }

    /// The value of `tlsfail=`.
    pub(crate) fn tlsfail(&self) -> Option<String> {
        match self {
            Self::StarttlsNotOffered => Some("not-offered".to_owned()),
            Self::StarttlsRefused(_) => Some("refused".to_owned()),
            Self::Unauthenticated(Refusal::Dane(_) | Refusal::Pkix(_)) => Some("bad_certificate".to_owned()),
            Self::Unauthenticated(Refusal::Signature) => Some("decrypt_error".to_owned()),
            other => match other.fail_cause() {
                Some(FailCause::TlsHandshake(words)) => Some(words),
                _ => None,
            },
        }
    }

    /// The value of `tlsvalid=`, where a check was made and failed.
    pub(crate) fn verify_code(&self) -> Option<VerifyCode> {
        match self {
            Self::Unauthenticated(Refusal::Dane(failure)) => Some(failure.code()),
            Self::Unauthenticated(Refusal::Pkix(failure)) => Some(failure.code()),
            _ => None,
        }
    }

    /// The server's reply, if one decided.
    pub(crate) fn reply_code(&self) -> Option<ReplyCode> {
        match self {
            Self::Refused(_, reply) | Self::StarttlsRefused(reply) => Some(reply.code),
            _ => None,
        }
    }

    /// What it means for the message and the log.
    pub(crate) fn into_failure(self, standing: Standing<'_>) -> Failure {
        Failure {
            finality: self.finality(standing),
            enhanced: self.enhanced(),
            verdict: self.verdict(standing),
            culprit: Culprit::Elsewhere,
            reply_code: self.reply_code(),
            reason: self.to_string(),
        }
    }

    /// Nothing that is said before the requirement is met can fail a message, but one: a 521 greeting where
    /// nothing had to be authenticated (RFC 7504 §3).
    fn finality(&self, standing: Standing<'_>) -> Finality {
        match self {
            Self::Refused(Stage::Banner, reply)
                if reply.code.get() == 521 && standing.requirement == Requirement::Opportunistic =>
            {
                Finality::Permanent
            }
            // "Too many recipients" in its old form (RFC 5321 §4.5.3.1.10).
            Self::Refused(Stage::Rcpt, reply) if reply.code.get() == 552 && !is_storage(reply) => {
                Finality::Transient
            }
            Self::Refused(Stage::Mail | Stage::Rcpt | Stage::Data | Stage::Body | Stage::FinalDot, reply)
                if standing.cleared && reply.code.is_permanent() =>
            {
                Finality::Permanent
            }
            Self::TooLarge(_) | Self::No8BitMime | Self::NoSmtpUtf8(_) if standing.cleared => {
                Finality::Permanent
            }
            failure if failure.is_tls() => Finality::Security,
            _ => Finality::Transient,
        }
    }

    fn enhanced(&self) -> EnhancedStatus {
        match self {
            Self::Unreachable(_) | Self::TimedOut(Stage::Connect) => EnhancedStatus::new(4, 4, 1),
            Self::StarttlsNotOffered => EnhancedStatus::new(4, 7, 4),
            Self::Refused(_, reply) => {
                let class = if reply.code.is_permanent() { 5 } else { 4 };
                reply.enhanced().unwrap_or(EnhancedStatus::new(class, 0, 0))
            }
            Self::TooLarge(_) => EnhancedStatus::new(5, 3, 4),
            Self::No8BitMime => EnhancedStatus::new(5, 6, 3),
            // RFC 6531 §4.2.
            Self::NoSmtpUtf8(BeyondAscii::Address) => EnhancedStatus::new(5, 6, 7),
            Self::NoSmtpUtf8(BeyondAscii::Header) => EnhancedStatus::new(5, 6, 9),
            Self::Content(_) | Self::Damaged(_) => EnhancedStatus::new(4, 3, 0),
            failure if failure.is_tls() => EnhancedStatus::new(4, 7, 5),
            _ => EnhancedStatus::new(4, 4, 2),
        }
    }

    /// A requirement of DANE's that was not met is a failure of DANE; otherwise what DANE had to say stands, unless
    /// the server had to prove itself and never got so far.
    fn verdict(&self, standing: Standing<'_>) -> DaneVerdict {
        let planned = standing.verdict;
        if standing.cleared {
            return planned.clone();
        }
        match planned {
            DaneVerdict::Verify | DaneVerdict::VerifyHostOnly | DaneVerdict::EncryptNoUsable => self
                .fail_cause()
                .map_or(DaneVerdict::NotReached, DaneVerdict::Fail),
            // `insecure_mx = "encrypt"` demands TLS because of the TLSA records, though it does not use them.
            DaneVerdict::Skip(SkipReason::InsecureMx) if self.is_tls() => self
                .fail_cause()
                .map_or(DaneVerdict::NotReached, DaneVerdict::Fail),
            DaneVerdict::NotReached
            | DaneVerdict::Skip(_)
            | DaneVerdict::Softfail(_)
            | DaneVerdict::Fail(_) => match self {
                Self::Unreachable(_) | Self::TimedOut(Stage::Connect) => DaneVerdict::NotReached,
                _ => planned.clone(),
            },
        }
    }
}

/// The reply in one line, of a length that a log and a queue with many recipients can bear. Of a longer one the
/// beginning is kept and the last line, in which many servers come to the point, with `...` for what is between.
pub(crate) fn shortened(reply: &Reply) -> String {
    let line = reply.to_log();
    if line.len() <= REPLY_SHOWN {
        return line;
    }
    let last = match reply.lines.split_last() {
        Some((last, [_, ..])) if last.len() <= REPLY_SHOWN / 2 => format!(" {} {last}", reply.code),
        _ => String::new(),
    };
    let end = line.floor_char_boundary(REPLY_SHOWN.saturating_sub(last.len()));
    format!("{}...{last}", line.get(..end).unwrap_or_default())
}

/// Whether a 552 speaks of a mailbox or a size (X.2.2, X.2.3, X.3.4), as its enhanced code tells.
fn is_storage(reply: &Reply) -> bool {
    let storage = [(2, 2), (2, 3), (3, 4)].map(|(subject, detail)| EnhancedStatus::new(5, subject, detail));
    reply
        .enhanced()
        .is_some_and(|enhanced| storage.contains(&enhanced))
}

impl std::fmt::Display for SessionFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable(error) => write!(f, "no connection: {error}"),
            Self::TimedOut(stage) => write!(f, "timeout at {stage}"),
            Self::Closed(stage) => write!(f, "the connection was closed at {stage}"),
            Self::Protocol(stage, error) => write!(f, "protocol error at {stage}: {error}"),
            Self::Refused(_, reply) => f.write_str(&shortened(reply)),
            Self::StarttlsNotOffered => {
                f.write_str("TLS is required, and the server does not offer STARTTLS")
            }
            Self::StarttlsRefused(reply) => {
                write!(
                    f,
                    "TLS is required, and the server refused STARTTLS: {}",
                    shortened(reply)
                )
            }
            Self::ResponseInjection => {
                f.write_str("data arrived in clear between STARTTLS and the TLS handshake")
            }
            Self::Handshake(error) => write!(f, "the TLS handshake failed: {error}"),
            Self::Unauthenticated(refusal) => write!(f, "the server did not prove its identity: {refusal}"),
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
            Self::Content(error) => write!(f, "the content could not be sent: {error}"),
            Self::Damaged(damage) => write!(
                f,
                "the stored content of the message was damaged here, and was not sent: {}",
                damage.flaw.words()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
