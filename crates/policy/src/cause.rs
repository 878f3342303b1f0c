//! Why nobody is connected to: the causes that are known before a connection, and what each of them means.

use std::fmt;

use mail::{Culprit, DaneVerdict, Domain, EnhancedStatus, FailCause, FailedLookup, ReplyCode, SkipReason};

/// Why a destination or a host is not connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// D1 under `strict`.
    AddressLiteral,
    /// D2.
    MxLookup(FailedLookup),
    /// D3.
    NullMx,
    /// D4, with the name that does not exist where the domain is an alias of that.
    NoSuchDomain(Option<Domain>),
    /// D5 and D7 under `strict`.
    InsecureMx,
    /// D9 under `strict`.
    AddressName,
    /// D11.
    OwnMx,
    /// H1.
    AddressLookup(FailedLookup),
    /// H2.
    NoAddresses,
    /// T1.
    TlsaLookup(FailedLookup),
    /// H3 under `strict`.
    InsecureHost,
    /// T2 under `strict`.
    NoSecureTlsa,
    /// T3 under `strict`.
    NoUsableTlsa,
    /// The host matches no pattern of an enforced MTA-STS policy (RFC 8461 §4.1).
    MtaStsMismatch,
}

/// What a failure means for the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finality {
    /// Trying again will not help.
    Permanent,
    /// An outage: try again.
    Transient,
    /// A security rule was not met: try again, and say so before anything else.
    Security,
}

/// One failure, ready for the log, the queue and the DSN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What it means for the message.
    pub finality: Finality,
    /// Subject and detail of the status; see [`Failure::reported_status`].
    pub enhanced: EnhancedStatus,
    /// What the log says in `dane=`.
    pub verdict: DaneVerdict,
    /// Whose fault it is where that is a failed look-up.
    pub culprit: Culprit,
    /// The SMTP reply behind it, if there was one.
    pub reply_code: Option<ReplyCode>,
    /// In plain words, or the server's own.
    pub reason: String,
}

impl Failure {
    /// An outage that says nothing about DANE, in words of ours.
    pub fn outage(enhanced: EnhancedStatus, reason: impl Into<String>) -> Self {
        Self {
            finality: Finality::Transient,
            enhanced,
            verdict: DaneVerdict::NotReached,
            culprit: Culprit::Elsewhere,
            reply_code: None,
            reason: reason.into(),
        }
    }
}

impl Cause {
    /// Whose fault it is.
    pub fn culprit(&self) -> Culprit {
        match self {
            Self::MxLookup(failure) | Self::AddressLookup(failure) | Self::TlsaLookup(failure) => {
                failure.culprit
            }
            Self::AddressLiteral
            | Self::NullMx
            | Self::NoSuchDomain(_)
            | Self::InsecureMx
            | Self::AddressName
            | Self::OwnMx
            | Self::NoAddresses
            | Self::InsecureHost
            | Self::NoSecureTlsa
            | Self::NoUsableTlsa
            | Self::MtaStsMismatch => Culprit::Elsewhere,
        }
    }

    /// Whether it ends the message, defers it, or is a matter of security.
    pub fn finality(&self) -> Finality {
        match self {
            Self::NullMx | Self::NoSuchDomain(_) | Self::OwnMx | Self::NoAddresses => Finality::Permanent,
            Self::MxLookup(failure) | Self::AddressLookup(failure) => {
                if failure.is_bogus() {
                    Finality::Security
                } else {
                    Finality::Transient
                }
            }
            Self::AddressLiteral
            | Self::InsecureMx
            | Self::AddressName
            | Self::TlsaLookup(_)
            | Self::InsecureHost
            | Self::NoSecureTlsa
            | Self::NoUsableTlsa
            | Self::MtaStsMismatch => Finality::Security,
        }
    }

    /// The enhanced status code.
    pub fn enhanced(&self) -> EnhancedStatus {
        match self {
            Self::NullMx => EnhancedStatus::new(5, 1, 10),
            Self::NoSuchDomain(_) => EnhancedStatus::new(5, 1, 2),
            Self::OwnMx => EnhancedStatus::new(5, 4, 6),
            Self::NoAddresses => EnhancedStatus::new(5, 4, 4),
            Self::MxLookup(failure) | Self::AddressLookup(failure) | Self::TlsaLookup(failure) => {
                if failure.is_bogus() {
                    EnhancedStatus::new(4, 7, 5)
                } else {
                    EnhancedStatus::new(4, 4, 3)
                }
            }
            Self::AddressLiteral
            | Self::InsecureMx
            | Self::AddressName
            | Self::InsecureHost
            | Self::NoSecureTlsa
            | Self::NoUsableTlsa
            | Self::MtaStsMismatch => EnhancedStatus::new(4, 7, 5),
        }
    }

    /// The value of `dane=`.
    pub fn verdict(&self) -> DaneVerdict {
        match self {
            Self::AddressLiteral | Self::AddressName => DaneVerdict::Skip(SkipReason::AddressLiteral),
            Self::MxLookup(failure) => DaneVerdict::Fail(FailCause::MxLookup(failure.cause.clone())),
            Self::AddressLookup(failure) => {
                DaneVerdict::Fail(FailCause::AddressLookup(failure.cause.clone()))
            }
            Self::TlsaLookup(failure) => DaneVerdict::Fail(FailCause::TlsaLookup(failure.cause.clone())),
            Self::InsecureMx => DaneVerdict::Fail(FailCause::InsecureMx),
            Self::InsecureHost => DaneVerdict::Fail(FailCause::InsecureHost),
            Self::NoSecureTlsa => DaneVerdict::Fail(FailCause::NoSecureTlsa),
            Self::NoUsableTlsa => DaneVerdict::Fail(FailCause::NoUsableTlsa),
            Self::NullMx | Self::NoSuchDomain(_) | Self::OwnMx | Self::NoAddresses | Self::MtaStsMismatch => {
                DaneVerdict::NotReached
            }
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddressLiteral => f.write_str("the policy demands DANE, and an address literal has none"),
            Self::MxLookup(failure) => write!(f, "the MX look-up failed: {failure}"),
            Self::NullMx => f.write_str("the domain accepts no mail (null MX)"),
            Self::NoSuchDomain(None) => f.write_str("there is no such domain"),
            Self::NoSuchDomain(Some(missing)) => write!(
                f,
                "there is no such domain; it is an alias of {missing}, which does not exist"
            ),
            Self::InsecureMx => {
                f.write_str("the policy demands DANE, and the domain's MX answer is not signed")
            }
            Self::AddressName => f.write_str("the policy demands DANE, and the MX record names an address"),
            Self::OwnMx => f.write_str("mail for the domain loops back to this relay"),
            Self::AddressLookup(failure) => {
                write!(f, "the look-up of the host's addresses failed: {failure}")
            }
            Self::NoAddresses => f.write_str("no host of the domain has an address"),
            Self::TlsaLookup(failure) => {
                write!(f, "the look-up of the host's TLSA records failed: {failure}")
            }
            Self::InsecureHost => f.write_str("the policy demands DANE, and the host's zone is not signed"),
            Self::NoSecureTlsa => {
                f.write_str("the policy demands DANE, and the host has no secure TLSA records")
            }
            Self::NoUsableTlsa => {
                f.write_str("the policy demands DANE, and none of the TLSA records is usable")
            }
            Self::MtaStsMismatch => f.write_str("the domain's MTA-STS policy does not name the host"),
        }
    }
}
