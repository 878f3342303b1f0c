//! The entries of the ledger of deliveries, from which reports are made.

use std::net::IpAddr;

use jiff::civil::Date;

use crate::{DaneVerdict, Domain, NextHop, Status};

/// One outcome of one recipient, as the ledger counts it. Outcomes that agree in all fields are one row with a count.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LedgerEntry {
    /// The day in UTC on which it was settled.
    pub day: Date,
    /// Where the mail was to go.
    pub next_hop: NextHop,
    /// The MX host that decided, if one was tried.
    pub host: Option<Domain>,
    /// How we connected to that host.
    pub family: AddressFamily,
    /// How it ended for the recipient.
    pub status: Status,
    /// What secured the connection that was used.
    pub security: DeliverySecurity,
    /// What DANE found.
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
    /// DANE did not apply.
    Skip,
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
            DaneVerdict::Skip(_) => Self::Skip,
            DaneVerdict::Softfail(_) => Self::Softfail,
            DaneVerdict::Fail(_) => Self::Fail,
        }
    }
}
