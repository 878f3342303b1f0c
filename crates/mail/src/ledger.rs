//! The entries of the ledger of deliveries, from which reports are made.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{CauseKind, DaneVerdict, Domain, DomainPart, SkipReason, Status};

/// One outcome of one recipient, as the ledger counts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// When it was settled: it is counted on that day in UTC.
    pub at: Timestamp,
    /// What it is counted under.
    pub key: LedgerKey,
    /// The octets of content that were sent or given up; 0 while the recipient is still to be tried again, so that each
    /// recipient's content counts once.
    pub octets: u64,
}

/// What outcomes are counted under: those of one day that agree in all of this are one row with a count.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LedgerKey {
    /// The recipient's domain; `None` in totals of all domains.
    pub domain: Option<DomainPart>,
    /// The MX host that decided, if one with a name was tried; `None` in totals.
    pub host: Option<Domain>,
    /// How we connected to that host.
    pub family: AddressFamily,
    /// How it ended for the recipient.
    pub status: Status,
    /// What secured the connection that was used.
    pub security: DeliverySecurity,
    /// What DANE found.
    pub dane: DaneResult,
    /// Why it was not delivered, or would not have been without `soft-fail`.
    pub cause: Option<CauseKind>,
}

/// The address family of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AddressFamily {
    /// No connection was made.
    None,
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl From<IpAddr> for AddressFamily {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }
}

/// What secured a delivery, from the strongest to the weakest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliverySecurity {
    /// DANE, and secure MX records.
    Dane,
    /// DANE for a host that an insecure MX record named.
    DaneHostOnly,
    /// MTA-STS in mode enforce.
    MtaSts,
    /// A valid WebPKI certificate, because the policy asked for it.
    Verified,
    /// TLS without authentication.
    Encrypted,
    /// Nothing.
    Clear,
    /// Nothing was delivered.
    None,
}

/// What DANE found, without details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DaneResult {
    /// No host was reached.
    NotReached,
    /// Verified.
    Verify,
    /// Verified, but the MX records were insecure.
    VerifyHostOnly,
    /// TLSA records, none of them usable.
    Encrypt,
    /// DANE did not apply, by what the receiving side publishes.
    Skip,
    /// It was not asked for: by our policy, an exception, or the message itself.
    Waived,
    /// Failed, but delivered anyway.
    Softfail,
    /// Failed.
    Fail,
}

impl From<&DaneVerdict> for DaneResult {
    fn from(verdict: &DaneVerdict) -> Self {
        match verdict {
            DaneVerdict::NotReached => Self::NotReached,
            DaneVerdict::Verify => Self::Verify,
            DaneVerdict::VerifyHostOnly => Self::VerifyHostOnly,
            DaneVerdict::EncryptNoUsable => Self::Encrypt,
            DaneVerdict::Skip(
                SkipReason::InsecureMx
                | SkipReason::EncryptInsecureMx
                | SkipReason::DisabledByPolicy
                | SkipReason::TlsRequiredNo
                | SkipReason::Danefail { .. }
                | SkipReason::Exception { .. },
            ) => Self::Waived,
            DaneVerdict::Skip(
                SkipReason::InsecureHost | SkipReason::NoSecureTlsa | SkipReason::AddressLiteral,
            ) => Self::Skip,
            DaneVerdict::Softfail(_) => Self::Softfail,
            DaneVerdict::Fail(_) => Self::Fail,
        }
    }
}
