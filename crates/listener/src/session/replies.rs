//! Replies other than refusals by the grammar, without their CRLF. Each 2yz, 4yz and 5yz has an enhanced code, except
//! those to EHLO and HELO (RFC 2034 §4).

use mail::{Domain, QueueId};
use smtp::ContentFault;
use spool::SpoolError;

pub(crate) const SENDER_OK: &str = "250 2.1.0 Ok";
pub(crate) const RECIPIENT_OK: &str = "250 2.1.5 Ok";
pub(crate) const OK: &str = "250 2.0.0 Ok";
pub(crate) const CANNOT_VERIFY: &str = "252 2.0.0 Cannot VRFY user, but will take mail and try to deliver it";
pub(crate) const HELP: &str = "214-2.0.0 danerelay takes mail from clients that may relay, and sends it on under DANE\r\n\
    214-2.0.0 Commands: EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT\r\n\
    214 2.0.0 EHLO tells which of the extensions are offered here";
pub(crate) const GO_ON: &str = "354 End data with <CR><LF>.<CR><LF>";
pub(crate) const TOO_LARGE: &str = "552 5.3.4 Message size exceeds fixed limit";
pub(crate) const TOO_MANY_RECIPIENTS: &str = "452 4.5.3 Too many recipients";
pub(crate) const RELAY_DENIED: &str = "550 5.7.1 Relay access denied";
pub(crate) const RELAY_DENIED_WITHOUT_AUTH: &str = "550 5.7.1 Relay access denied: authenticate first";
pub(crate) const RELAY_DENIED_WITHOUT_TLS: &str =
    "550 5.7.1 Relay access denied: STARTTLS and authenticate first";
pub(crate) const SENDER_DENIED: &str = "550 5.7.1 Sender domain may not be used here";
pub(crate) const READY_FOR_TLS: &str = "220 2.0.0 Ready to start TLS";
pub(crate) const AUTHENTICATED: &str = "235 2.7.0 Authentication successful";
pub(crate) const WRONG_LOGIN: &str = "535 5.7.8 Authentication credentials invalid";
pub(crate) const TOO_MANY_LOGINS: &str =
    "454 4.7.0 Too many failed logins from your address, try again later";
pub(crate) const LOGIN_BUSY: &str = "454 4.7.0 Temporary authentication failure, try again later";
pub(crate) const CHUNK_OK: &str = "250 2.0.0 Ok: chunk received";
pub(crate) const LOOPING: &str = "554 5.4.6 Too many hops: 100 Received fields or more";
pub(crate) const BYE: &str = "221 2.0.0 Bye";

/// Content that cannot be passed on as it is.
pub(crate) fn content_fault(fault: ContentFault) -> &'static str {
    match fault {
        ContentFault::LoneLineEnding => "550 5.5.2 Message content has a CR or LF that is not part of CRLF",
        ContentFault::Nul => "550 5.6.0 Message content has a NUL octet",
        ContentFault::LineTooLong => "550 5.6.0 Message content has a line longer than 998 octets",
        ContentFault::TooLarge => TOO_LARGE,
    }
}

/// All of them are temporary: the client keeps the message.
pub(crate) fn spool_error(error: &SpoolError) -> &'static str {
    match error {
        SpoolError::Full => "452 4.3.1 Insufficient system storage",
        SpoolError::TooManyMessages => "452 4.3.1 Too many messages in the queue, try again later",
        SpoolError::Io(_)
        | SpoolError::Corrupt { .. }
        | SpoolError::Damaged(_)
        | SpoolError::Defect(_)
        | SpoolError::NewerVersion { .. }
        | SpoolError::OlderVersion { .. }
        | SpoolError::Foreign(_)
        | SpoolError::Locked { .. }
        | SpoolError::Missing(_)
        | SpoolError::Duplicate(_)
        | SpoolError::NoRecipients
        | SpoolError::Incomplete
        | SpoolError::WrongSettlement(_)
        | SpoolError::Closed => "451 4.3.0 Queue file write error",
    }
}

pub(crate) fn queued(id: QueueId) -> String {
    format!("250 2.0.0 Ok: queued as {id}")
}

pub(crate) fn greeting(hostname: &Domain) -> String {
    format!("220 {hostname} ESMTP danerelay")
}

pub(crate) fn hello(hostname: &Domain) -> String {
    format!("250 {hostname}")
}

pub(crate) fn too_many_connections(hostname: &Domain) -> String {
    format!("421 4.7.0 {hostname} Too many connections")
}

pub(crate) fn too_many_errors(hostname: &Domain) -> String {
    format!("421 4.7.0 {hostname} Too many errors")
}

pub(crate) fn timed_out(hostname: &Domain) -> String {
    format!("421 4.4.2 {hostname} Timeout exceeded")
}

pub(crate) fn shutting_down(hostname: &Domain) -> String {
    format!("421 4.3.2 {hostname} Service shutting down")
}
