//! The result of a look-up: one of three kinds of answers with its DNSSEC status, or a failure.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use mail::{Domain, Security};

use crate::{Alias, NoAnswer};

/// The result of every look-up. A failure never means "no such record" (RFC 7672 §2.1.2).
pub type Lookup<T> = Result<Answer<T>, NoAnswer>;

/// An answer with its status. Copies share their data, so an answer from the cache costs no memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// The weakest status of all hops: one insecure alias makes everything after it insecure (RFC 7672 §2.1.3).
    pub security: Security,
    /// Records, or why there are none.
    pub data: Data<T>,
    /// The aliases followed, in order.
    pub aliases: Arc<[Alias]>,
    /// How long the whole answer may be kept, in seconds from now; the shortest of all hops.
    pub ttl: u32,
    /// What the signature over the records says. `None` if there are no records, if the answer is not secure, or if the
    /// server that validates leaves signatures out.
    pub signed: Option<Signed>,
}

/// What the signature over an RRset says (RFC 4034 §3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The zone that signed, in lower case and without the final dot; `.` for the root.
    pub zone: Arc<str>,
    /// The TTL in the zone, in seconds, however long a cache has kept the records: what a cache may have to wait for after a change.
    pub original_ttl: u32,
    /// When its validity began.
    pub inception: Timestamp,
    /// When it ends.
    pub expiration: Timestamp,
}

/// What was found at the end of the chain of aliases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data<T> {
    /// At least one record.
    Records(Arc<[T]>),
    /// The name exists, but has no records of the type.
    NoData,
    /// The name does not exist. With aliases, the last target does not exist (RFC 6604 §3).
    NxDomain,
}

/// One MX record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MxRecord {
    /// Lower is tried first.
    pub preference: u16,
    /// The host.
    pub exchange: Exchange,
}

/// The host that an MX record names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exchange {
    /// A host name.
    Name(Domain),
    /// `.`: there is no mail service (RFC 7505).
    Root,
    /// An address in place of a name.
    Address(IpAddr),
    /// Something that is not a host name, in its presentation form.
    Invalid(String),
}

impl<T> Answer<T> {
    /// The records; empty if there are none.
    pub fn records(&self) -> &[T] {
        match &self.data {
            Data::Records(records) => records,
            Data::NoData | Data::NxDomain => &[],
        }
    }

    /// The name at which the answer was found: `asked`, or where the last alias led.
    #[must_use]
    pub fn expanded(&self, asked: &Domain) -> Domain {
        self.aliases.last().map_or(asked, |alias| &alias.to).clone()
    }

    /// The same answer with its records converted; fails if one cannot be.
    pub(crate) fn try_convert<U>(self, convert: impl Fn(&[T]) -> Result<Vec<U>, NoAnswer>) -> Lookup<U> {
        let data = match self.data {
            Data::Records(records) => Data::Records(convert(&records)?.into()),
            Data::NoData => Data::NoData,
            Data::NxDomain => Data::NxDomain,
        };
        Ok(Answer {
            security: self.security,
            data,
            aliases: self.aliases,
            ttl: self.ttl,
            signed: self.signed,
        })
    }
}
