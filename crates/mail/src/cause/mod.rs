//! Why mail was not delivered, by whose affair it is: one type, from which everything that is said of a failure derives.
//!
//! The server's own words and the system's are not part of it: they stand beside it as the reason. So it is small enough to
//! be kept with each recipient that a report is to tell of ([`crate::Notice`]); it is stored under these names.

mod views;

use serde::{Deserialize, Serialize};

use crate::address::Domain;
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
    /// The policy demands what the receiving side does not promise.
    Policy(Demand),
    /// The connection was not made, or did not last.
    Connection(ConnectionFault),
    /// TLS, or the proof that it had to carry.
    Tls(TlsFault),
    /// A server that was spoken to did not take the message.
    Smtp(SmtpFault),
}

/// What is wrong here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OurFault {
    /// The content cannot be read from the spool now, or is not fit to be sent.
    Content,
    /// The stored content is not what was once written.
    DamagedContent,
    /// A certificate of the WebPKI is demanded, and no roots are trusted here.
    NoRoots,
    /// A check passed and left no proof behind: a fault in this program.
    NoProof,
    /// No connection could be begun within so many minutes of the look-ups.
    TooLate(u64),
    /// An attempt in which nothing was tried: a fault in this program.
    NothingTried,
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
    /// D4, with the name that does not exist where the domain is an alias of that.
    NoSuchDomain(Option<Domain>),
    /// D11.
    OwnMx,
    /// H2.
    NoAddresses,
    /// The records have changed since the attempt began.
    HostGone,
}

/// What the policy demands in vain.
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
    /// A certificate for the host's name is demanded, and it has none that can stand in one.
    NoName,
}

/// What became of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionFault {
    /// It was not made; the system's words.
    Unreachable(String),
    /// The stage took longer than it may.
    TimedOut(Stage),
    /// It ended.
    Closed(Stage),
    /// The server does not speak SMTP; in which way.
    Protocol(Stage, String),
}

/// What was wrong with TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsFault {
    /// It is demanded, and STARTTLS was not offered.
    NotOffered,
    /// It is demanded, and STARTTLS was refused.
    Refused(ReplyCode),
    /// Octets in clear came in ahead of the handshake (RFC 3207 §6).
    DataBeforeHandshake,
    /// STARTTLS and the handshake took longer than they may.
    TimedOut,
    /// The connection ended at STARTTLS.
    Closed,
    /// The server does not speak SMTP at STARTTLS; in which way.
    Protocol(String),
    /// The handshake broke.
    Handshake(BrokenHandshake),
    /// The server did not prove that it is the right one.
    Unproven(Unproven),
}

/// How a handshake broke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BrokenHandshake {
    /// The server sent this alert, by its name in RFC 8446 §6.
    Alert(String),
    /// There is no version, cipher suite or group that both have.
    NothingInCommon,
    /// What came was not TLS.
    NotTls,
    /// The server breaks the protocol.
    Misbehaved,
    /// The connection ended.
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
    /// That a certificate of the WebPKI names it; in which way not.
    WebPki(WebPkiFlaw, String),
    /// That it has the private key of its certificate.
    Key,
    /// Anything: the host's name cannot stand in a certificate.
    NoReference,
}

/// What is wrong under DANE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DaneFlaw {
    /// No record matches.
    NoMatch,
    /// A trust anchor matched, but not the names.
    NameMismatch,
    /// A trust anchor matched, but a certificate has expired or is not valid yet.
    Expired,
    /// A trust anchor matched, but the path from it does not hold.
    Untrusted,
    /// A record matched, but with the key no handshake can be signed.
    UnsupportedKey,
}

/// What is wrong under the WebPKI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WebPkiFlaw {
    /// The certificate names another host.
    NameMismatch,
    /// A certificate has expired or is not valid yet.
    Expired,
    /// No valid path leads to a root.
    Untrusted,
}

/// What a server said, or does not offer.
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
    /// The content is larger than this, the most that it takes (RFC 1870 §6.2).
    TooLarge(u64),
    /// The content has octets above 127, and the server takes none (RFC 6152 §3).
    No8BitMime,
    /// The message needs a server that knows SMTPUTF8, and this one does not (RFC 6531 §3.2).
    NoSmtpUtf8(BeyondAscii),
}

/// What of a message has characters beyond ASCII.
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
