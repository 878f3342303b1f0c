//! Why mail was not delivered, grouped by whose fault it is: one type, from which everything that is said about a failure
//! derives.
//!
//! The words of the server and of the system are not part of it: they are kept beside it as the reason. So it is small
//! enough to be kept with each recipient that a report has to mention ([`crate::Notice`]); it is stored under these names.

mod parts;
mod views;
mod words;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::domain::Domain;
use crate::lookup::FailedLookup;
use crate::stage::Stage;
use crate::status::{EnhancedStatus, ReplyCode};

/// Why mail was not delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Something is wrong here.
    Ours(OurFault),
    /// A look-up failed.
    Dns(Lookup, FailedLookup),
    /// There is nowhere to deliver to.
    Destination(NoWay),
    /// The policy demands something that the receiving side does not offer.
    Policy(Demand),
    /// The connection could not be made, or was lost.
    Connection(ConnectionFault),
    /// TLS failed, or the server did not authenticate itself.
    Tls(TlsFault),
    /// The login at a route's server failed, which is for this relay's administrator to mend.
    Login(LoginFault),
    /// A server that we talked to did not accept the message.
    Smtp(SmtpFault),
}

/// What is wrong here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OurFault {
    /// The content cannot be read from the spool now, or cannot be sent.
    Content,
    /// The stored content is not what was once written.
    DamagedContent,
    /// A WebPKI certificate is demanded, but no roots are trusted here.
    NoRoots,
    /// A check passed but returned no proof: a fault in this program.
    NoProof,
    /// No connection could be started within so many minutes of the look-ups.
    TooLate(u64),
    /// The attempt ended before this host: it had made as many connections as one may.
    NotAsked,
    /// An attempt that tried nothing: a fault in this program.
    NothingTried,
    /// This machine cannot connect from one of `delivery.source_addresses`.
    SourceAddress(IpAddr),
    /// This machine gives the program no more sockets.
    NoSocket,
    /// The MTA-STS policy that the domain publishes was not fetched, because too many others are being fetched.
    PolicyNotFetched,
    /// The message was not tried, because a limit of this relay did not give it its turn.
    NoTurn(Limit),
}

/// A limit of this relay for which mail waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// So many messages a minute.
    Pace,
    /// So many connections at the same time.
    Connections,
}

/// What was looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lookup {
    /// D2: the hosts of the domain.
    Mx,
    /// H1: the addresses of a host.
    Address,
    /// T1: the TLSA records of a host.
    Tlsa,
}

/// Why there is nowhere to deliver to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoWay {
    /// D3.
    NullMx,
    /// D4; the name that does not exist, if the domain is an alias of it.
    NoSuchDomain(Option<Domain>),
    /// D11.
    OwnMx,
    /// H2.
    NoAddresses,
    /// D8a: only addresses at which no stranger receives mail.
    IgnoredAddresses,
    /// H2: only addresses of the family that the settings exclude.
    OtherFamily,
    /// The records have changed since the attempt began.
    HostGone,
}

/// Which demand of the policy, or of the message itself, was not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demand {
    /// D1 under `strict`.
    AddressLiteral,
    /// D5 and D7 under `strict`.
    InsecureMx,
    /// D9 under `strict`.
    AddressName,
    /// H3 under `strict`.
    InsecureHost,
    /// T2 under `strict`.
    NoSecureTlsa,
    /// T3 under `strict`.
    NoUsableTlsa,
    /// The host matches no pattern of an enforced MTA-STS policy (RFC 8461 §4.1).
    MtaStsMismatch,
    /// An MTA-STS policy is enforced, and the answer that would end the message is not secure.
    MtaStsUnproven,
    /// The message requires TLS, and what makes the host's name sure, an MTA-STS policy, could not be had.
    MtaStsUnknown,
    /// The message requires TLS, and the host's name is not known securely, or it has none (RFC 8689 §4.2.1).
    SecurePath,
    /// The same for a report, which waits.
    SecurePathOfReport,
    /// The message requires TLS, and the server is known by its address alone, which nothing authenticates.
    SecureAddress,
    /// The same where a route of this relay leads there: that can be mended here while the message waits.
    SecureRoute,
    /// A certificate for the host's name is demanded, but the name cannot appear in one.
    NoName,
}

/// What went wrong with a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionFault {
    /// It could not be made; the system's words.
    Unreachable(String),
    /// The stage took longer than it may.
    TimedOut(Stage),
    /// It was closed.
    Closed(Stage),
    /// The server does not speak SMTP; what it did instead.
    Protocol(Stage, String),
}

/// What was wrong with TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsFault {
    /// It is demanded, but STARTTLS was not offered.
    NotOffered,
    /// It is demanded, but STARTTLS was refused.
    Refused(ReplyCode),
    /// Clear-text octets arrived before the handshake (RFC 3207 §6).
    DataBeforeHandshake,
    /// STARTTLS and the handshake took longer than allowed.
    TimedOut,
    /// The connection was closed at STARTTLS.
    Closed,
    /// The server does not speak SMTP at STARTTLS; what it did instead.
    Protocol(String),
    /// The handshake failed.
    Handshake(BrokenHandshake),
    /// The server did not authenticate itself.
    Unproven(Unproven),
}

/// How a handshake failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BrokenHandshake {
    /// The server sent this alert, named as in RFC 8446 §6.
    Alert(String),
    /// Client and server have no version, cipher suite or group in common.
    NothingInCommon,
    /// What the server sent was not TLS.
    NotTls,
    /// The server violated the protocol.
    Misbehaved,
    /// The connection was closed.
    Closed,
    /// Something else; the system's words.
    Other(String),
}

/// What the server did not prove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unproven {
    /// That it is the server that the TLSA records describe.
    Dane(DaneFlaw),
    /// That a WebPKI certificate names it; what is wrong with the certificate.
    WebPki(WebPkiFlaw, String),
    /// That it has the private key of its certificate.
    Key,
    /// Anything: the host's name cannot appear in a certificate.
    NoReference,
}

/// What DANE found wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DaneFlaw {
    /// No record matches.
    NoMatch,
    /// A trust anchor matched, but not the names.
    NameMismatch,
    /// A trust anchor matched, but a certificate has expired.
    Expired,
    /// A trust anchor matched, but a certificate is not valid yet.
    NotYetValid,
    /// A trust anchor matched, but the path to it is not valid.
    Untrusted,
    /// A record matched, but no handshake can be signed with the key.
    UnsupportedKey,
}

/// What the WebPKI found wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WebPkiFlaw {
    /// The certificate names another host.
    NameMismatch,
    /// A certificate has expired.
    Expired,
    /// A certificate is not valid yet.
    NotYetValid,
    /// No valid path leads to a root.
    Untrusted,
}

/// Why there was no login (RFC 4954).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoginFault {
    /// The server is not authenticated, and gets no password.
    Unauthenticated,
    /// It offers neither PLAIN nor LOGIN.
    NotOffered,
    /// It refused.
    Refused {
        /// The reply's code.
        code: ReplyCode,
        /// The reply's enhanced code, if it has one.
        enhanced: Option<EnhancedStatus>,
    },
    /// It asked for something that neither PLAIN nor LOGIN has, or not in base64.
    Challenge,
}

/// What a server said, or lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SmtpFault {
    /// It refused.
    Refused {
        /// At which stage.
        stage: Stage,
        /// The reply's code.
        code: ReplyCode,
        /// The reply's enhanced code, if it has one.
        enhanced: Option<EnhancedStatus>,
    },
    /// It was not asked, because by what it had announced it cannot take the message.
    #[serde(untagged)]
    Lacks(Missing),
}

/// What a server lacks that the message needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Missing {
    /// Size: the content is larger than this, its limit (RFC 1870 §6.2).
    #[serde(rename = "too-large")]
    Size(u64),
    /// 8BITMIME: the content has octets above 127 (RFC 6152 §3).
    #[serde(rename = "no8-bit-mime")]
    EightBitMime,
    /// REQUIRETLS: the message requires TLS on all its way (RFC 8689 §4.2.1).
    #[serde(rename = "no-require-tls")]
    RequireTls,
    /// SMTPUTF8 (RFC 6531 §3.2).
    #[serde(rename = "no-smtp-utf8")]
    SmtpUtf8(BeyondAscii),
}

/// Which part of a message has characters beyond ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BeyondAscii {
    /// An address of its envelope.
    Address,
    /// Its header alone.
    Header,
}

#[cfg(test)]
mod tests;
