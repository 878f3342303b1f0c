//! The words for a cause: what the log gives as the reason where no server said anything.

use std::fmt;

use super::{
    BeyondAscii, BrokenHandshake, Cause, ConnectionFault, DaneFlaw, Demand, Limit, LoginFault, Lookup,
    Missing, NoWay, OurFault, SmtpFault, TlsFault, Unproven,
};
use crate::stage::Stage;

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours(fault) => fault.fmt(f),
            Self::Dns(lookup, failure) => write!(f, "the {} failed: {failure}", lookup.words()),
            Self::Destination(no_way) => no_way.fmt(f),
            Self::Policy(demand) => demand.fmt(f),
            Self::Connection(fault) => fault.fmt(f),
            Self::Tls(fault) => fault.fmt(f),
            Self::Login(fault) => fault.fmt(f),
            Self::Smtp(fault) => fault.fmt(f),
        }
    }
}

impl Lookup {
    /// What was looked up, in words.
    fn words(self) -> &'static str {
        match self {
            Self::Mx => "MX look-up",
            Self::Address => "look-up of the host's addresses",
            Self::Tlsa => "look-up of the host's TLSA records",
        }
    }
}

impl fmt::Display for OurFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content => f.write_str("the content could not be sent"),
            Self::DamagedContent => {
                f.write_str("the stored content of the message was damaged here, and was not sent")
            }
            Self::NoRoots => f.write_str(
                "a certificate of the WebPKI is required, and this machine trusts no certificate authority",
            ),
            Self::NoProof => f.write_str("the server's certificate was accepted here without a proof"),
            Self::TooLate(minutes) => write!(
                f,
                "no connection could be begun within {minutes} minutes of the look-ups; they are made again at the next \
                 attempt"
            ),
            Self::NotAsked => {
                f.write_str("no more connections may be made in one attempt; the host was not asked")
            }
            Self::NothingTried => f.write_str("no host was tried"),
            Self::SourceAddress(address) => write!(
                f,
                "this machine cannot connect from {address} (delivery.source_addresses)"
            ),
            Self::NoSocket => f.write_str("this machine has no socket left for a connection"),
            Self::PolicyNotFetched => f.write_str(
                "the domain publishes an MTA-STS policy, and too many policies are being fetched at the moment",
            ),
            Self::NoTurn(Limit::Pace) => f.write_str(
                "waiting for its turn: this relay sends only so many messages a minute there (messages_per_minute)",
            ),
            Self::NoTurn(Limit::Connections) => f.write_str(
                "waiting for a free connection: this relay has as many connections as its limits allow",
            ),
        }
    }
}

impl fmt::Display for NoWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NullMx => f.write_str("the domain accepts no mail (null MX)"),
            Self::NoSuchDomain(None) => f.write_str("there is no such domain"),
            Self::NoSuchDomain(Some(missing)) => write!(
                f,
                "there is no such domain; it is an alias of {missing}, which does not exist"
            ),
            Self::OwnMx => f.write_str("mail for the domain loops back to this relay"),
            Self::NoAddresses => f.write_str("no host of the domain has an address"),
            Self::IgnoredAddresses => f.write_str(
                "no host of the domain has an address that mail from here may be sent to (delivery.ignore_addresses)",
            ),
            Self::OtherFamily => f.write_str(
                "no host of the domain has an address of the family that is used here (delivery.address_family)",
            ),
            Self::HostGone => f.write_str("the destination has no such host at this address any more"),
        }
    }
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_of_dane() {
            f.write_str("the policy demands DANE, and ")?;
        }
        f.write_str(self.finding())
    }
}

impl Demand {
    /// What was found, without what the policy demands.
    pub(super) fn finding(self) -> &'static str {
        match self {
            Self::AddressLiteral => "an address literal has no TLSA records",
            Self::InsecureMx => "the domain's MX answer is not signed",
            Self::AddressName => "the MX record names an address",
            Self::InsecureHost => "the host's zone is not signed",
            Self::NoSecureTlsa => "the host has no secure TLSA records",
            Self::NoUsableTlsa => "none of the TLSA records is usable",
            Self::MtaStsMismatch => "the domain's MTA-STS policy does not name the host",
            Self::MtaStsUnproven => {
                "the domain's MTA-STS policy is in force, and the DNS answer by which its mail would be returned is not signed"
            }
            Self::MtaStsUnknown => {
                "the message requires TLS (REQUIRETLS), the MX answer is not signed, and the domain's MTA-STS policy is \
                 not known"
            }
            Self::SecurePath | Self::SecurePathOfReport => {
                "the message requires TLS (REQUIRETLS), and neither DNSSEC nor MTA-STS says which host is the right one"
            }
            Self::SecureAddress => {
                "the message requires TLS (REQUIRETLS), and a server that is named by its address cannot be authenticated"
            }
            Self::SecureRoute => {
                "the message requires TLS (REQUIRETLS), and a route of this relay leads to an address, which cannot be \
                 authenticated"
            }
            Self::NoName => {
                "a certificate for the host's name is required, and the host's name cannot appear in one"
            }
        }
    }

    fn is_of_dane(self) -> bool {
        match self {
            Self::AddressLiteral
            | Self::InsecureMx
            | Self::AddressName
            | Self::InsecureHost
            | Self::NoSecureTlsa
            | Self::NoUsableTlsa => true,
            Self::MtaStsMismatch
            | Self::MtaStsUnproven
            | Self::MtaStsUnknown
            | Self::SecurePath
            | Self::SecurePathOfReport
            | Self::SecureAddress
            | Self::SecureRoute
            | Self::NoName => false,
        }
    }
}

impl fmt::Display for ConnectionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(error) => write!(f, "no connection: {error}"),
            Self::TimedOut(stage) => write!(f, "timeout at {stage}"),
            Self::Closed(stage) => write!(f, "the connection was closed at {stage}"),
            Self::Protocol(stage, error) => write!(f, "protocol error at {stage}: {error}"),
        }
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = Stage::Starttls;
        match self {
            Self::NotOffered => f.write_str("TLS is required, and the server does not offer STARTTLS"),
            Self::Refused(_) => f.write_str("TLS is required, and the server refused STARTTLS"),
            Self::DataBeforeHandshake => {
                f.write_str("data arrived in clear between STARTTLS and the TLS handshake")
            }
            Self::TimedOut => write!(f, "timeout at {stage}"),
            Self::Closed => write!(f, "the connection was closed at {stage}"),
            Self::Protocol(error) => write!(f, "protocol error at {stage}: {error}"),
            Self::Handshake(broken) => write!(f, "the TLS handshake failed: {broken}"),
            Self::Unproven(unproven) => write!(f, "the server did not prove its identity: {unproven}"),
        }
    }
}

impl fmt::Display for BrokenHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alert(words) | Self::Other(words) => words,
            Self::NothingInCommon => "no common parameters",
            Self::NotTls => "not TLS",
            Self::Misbehaved => "protocol violation",
            Self::Closed => "connection closed",
        })
    }
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dane(DaneFlaw::NoMatch) => "no matching TLSA records",
            Self::Dane(DaneFlaw::NameMismatch) => {
                "the certificate under the matching trust anchor names another host"
            }
            Self::Dane(DaneFlaw::Expired) => "a certificate under the matching trust anchor has expired",
            Self::Dane(DaneFlaw::NotYetValid) => {
                "a certificate under the matching trust anchor is not yet valid"
            }
            Self::Dane(DaneFlaw::Untrusted) => "no valid path to the matching trust anchor",
            Self::Dane(DaneFlaw::UnsupportedKey) => "a TLSA record matches, but the key cannot be used",
            Self::WebPki(_, words) => words,
            Self::Key => "the handshake is not signed by the certificate's key",
            Self::NoReference => "the host's name cannot appear in a certificate",
        })
    }
}

impl fmt::Display for LoginFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthenticated => f.write_str(
                "no login: the server is not authenticated, by DANE or by a certificate (tls = \"verify\"), under a name \
                 that is securely known, and a password is sent to no other",
            ),
            Self::NotOffered => {
                f.write_str("no login: the server offers neither AUTH PLAIN nor AUTH LOGIN")
            }
            Self::Refused { code, .. } => write!(f, "the server refused the login: {code}"),
            Self::Challenge => f.write_str("no login: the server sent an unexpected challenge"),
        }
    }
}

impl fmt::Display for SmtpFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { stage, code, .. } => write!(f, "the server said {code} to {stage}"),
            Self::Lacks(missing) => missing.fmt(f),
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size(limit) => write!(
                f,
                "the message is larger than the {limit} octets that the server takes"
            ),
            Self::RequireTls => {
                f.write_str("the message requires TLS on all its way, and the server does not support REQUIRETLS")
            }
            Self::EightBitMime => {
                f.write_str("the message has 8-bit content, and the server does not offer 8BITMIME")
            }
            Self::SmtpUtf8(BeyondAscii::Address) => f.write_str(
                "an address of the message has characters beyond ASCII, and the server does not offer SMTPUTF8",
            ),
            Self::SmtpUtf8(BeyondAscii::Header) => f.write_str(
                "the header of the message has characters beyond ASCII, and the server does not offer SMTPUTF8",
            ),
        }
    }
}
