//! What a receiving server does wrong, and when.

use std::time::Duration;

/// A point of the SMTP dialogue at which the server speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The connection is open.
    Greeting,
    /// EHLO or HELO, before TLS.
    Ehlo,
    /// EHLO or HELO inside TLS.
    EhloInTls,
    /// STARTTLS.
    StartTls,
    /// AUTH, and each response in it.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT, whoever the recipient is.
    Rcpt,
    /// RCPT for this recipient, without angle brackets; compared without regard to case.
    RcptFor(String),
    /// DATA.
    Data,
    /// The final dot.
    Content,
    /// RSET.
    Rset,
    /// NOOP.
    Noop,
    /// QUIT.
    Quit,
}

/// One fault. A server may have several at once; the first that applies counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailFault {
    /// This reply, without line end, in place of the server's own; refused recipients and messages are not kept.
    Reply(Stage, String),
    /// Like [`MailFault::Reply`], for so many times; then the server behaves normally.
    ReplyTimes(Stage, usize, String),
    /// The connection is closed in place of a reply. At [`Stage::Content`] the message is lost after the final dot.
    Close(Stage),
    /// No reply, and no end of the connection either.
    Silence(Stage),
    /// The reply comes this much later.
    Pause(Stage, Duration),
    /// The connection is closed while content arrives, before the final dot.
    CloseInContent,
    /// The connection is closed right after the reply to so many messages over it.
    CloseAfter(usize),
    /// The fault, once so many messages have been taken over the connection.
    After(usize, Box<MailFault>),
    /// The fault, on a connection that was opened while so many others were open.
    Beyond(usize, Box<MailFault>),
    /// A reply line far beyond the 512 octets of RFC 5321 §4.5.3.1.5: this many octets.
    HugeReply(Stage, usize),
    /// A reply whose lines carry different codes.
    MixedCodes(Stage),
    /// Replies come one octet at a time, this far apart.
    Drip(Duration),
    /// STARTTLS is left out of the EHLO reply, as an attacker on the path would do, and refused when given.
    NoStartTls,
    /// After the 220 to STARTTLS, octets that are no TLS.
    GarbageInHandshake,
    /// After the 220 to STARTTLS the connection is closed.
    CloseInHandshake,
    /// This text in clear, in one segment with the 220 to STARTTLS (response injection).
    InjectAfterStartTls(String),
    /// Each transaction takes so many recipients; RCPT for more of them gets this reply.
    TooManyRecipients(usize, String),
    /// The connection is closed if the first record of a handshake has more octets than this.
    LargeHello(usize),
    /// A handshake with SNI is ended with the alert `unrecognized_name`.
    NoSni,
    /// PIPELINING is left out of the EHLO reply.
    NoPipelining,
    /// TLS 1.2 alone.
    Tls12Only,
    /// TLS 1.3 alone.
    Tls13Only,
}

impl MailFault {
    /// The fault itself, if it applies to a connection over which so many messages were taken, and which was opened beside
    /// so many others.
    pub(super) fn current(&self, taken: usize, others: usize) -> Option<&Self> {
        match self {
            Self::After(needed, fault) => (taken >= *needed).then_some(fault),
            Self::Beyond(most, fault) => (others >= *most).then_some(fault),
            other => Some(other),
        }
    }

    /// Whether this fault replaces the server's reply at this stage.
    pub(super) fn is_at(&self, now: &Stage) -> bool {
        match self {
            Self::Reply(at, _)
            | Self::ReplyTimes(at, _, _)
            | Self::Close(at)
            | Self::Silence(at)
            | Self::HugeReply(at, _)
            | Self::MixedCodes(at)
            | Self::Pause(at, _) => at.meets(now),
            Self::CloseInContent
            | Self::CloseAfter(_)
            | Self::After(..)
            | Self::Beyond(..)
            | Self::Drip(_)
            | Self::NoStartTls
            | Self::GarbageInHandshake
            | Self::CloseInHandshake
            | Self::InjectAfterStartTls(_)
            | Self::TooManyRecipients(..)
            | Self::LargeHello(_)
            | Self::NoSni
            | Self::NoPipelining
            | Self::Tls12Only
            | Self::Tls13Only => false,
        }
    }
}

impl Stage {
    /// Whether a fault at this stage applies at the stage `now`.
    fn meets(&self, now: &Self) -> bool {
        match (self, now) {
            (Self::RcptFor(wanted), Self::RcptFor(recipient)) => wanted.eq_ignore_ascii_case(recipient),
            (Self::Rcpt, Self::RcptFor(_)) => true,
            _ => self == now,
        }
    }
}
