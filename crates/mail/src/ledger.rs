//! What is added to the ledger of deliveries, from which reports are made.

use std::net::IpAddr;

use jiff::civil::Date;

use crate::{DaneVerdict, Domain, NextHop, Status};

/// One outcome of one recipient, as the ledger counts it. Outcomes that agree in all of it are one row with their number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LedgerEntry {
    /// The day in UTC on which it was settled.
    pub day: Date,
    /// Where the mail was to go.
    pub next_hop: NextHop,
    /// The MX host that decided, if one was tried.
    pub host: Option<Domain>,
    /// How that host was reached.
    pub family: AddressFamily,
    /// How the recipient came out.
    pub status: Status,
    /// What secured the connection over which it went.
    pub security: DeliverySecurity,
    /// What DANE had to say.
    pub dane: DaneResult,
}

/// The address family of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliverySecurity {
    /// DANE, and secure MX records.
    Dane,
    /// DANE of a host that an insecure MX record named.
    DaneHostOnly,
    /// MTA-STS in mode enforce.
    MtaSts,
    /// A certificate that is valid in the WebPKI, because the policy asked for it.
    Verified,
    /// TLS with whoever answered.
    Encrypted,
    /// Nothing.
    Clear,
    /// Nothing was delivered.
    None,
}

/// What DANE had to say, without the particulars.
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
    /// DANE did not apply.
    Skip,
    /// Failed, and delivered all the same.
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
            DaneVerdict::Skip(_) => Self::Skip,
            DaneVerdict::Softfail(_) => Self::Softfail,
            DaneVerdict::Fail(_) => Self::Fail,
        }
    }
}
