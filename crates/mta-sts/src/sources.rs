//! Where policies come from, as traits: who looks up and fetches is decided above.

use std::net::IpAddr;

use futures_util::future::BoxFuture;
use mail::{Domain, FailedLookup};

use crate::failure::FetchFailure;
use crate::policy::Policy;

/// Looks up TXT records.
pub trait TxtLookup: Send + Sync {
    /// The TXT records at a name, aliases followed: one item a record, its strings joined. None if there are none; a failure
    /// is not that.
    fn txt<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Result<Vec<Vec<u8>>, FailedLookup>>;
}

/// Looks up the addresses of policy hosts. They need not be secure: it is the certificate that counts.
pub trait AddressLookup: Send + Sync {
    /// The addresses of a host, in the order in which they are to be tried; none if there are none.
    fn addresses<'a>(&'a self, host: &'a Domain) -> BoxFuture<'a, Result<Vec<IpAddr>, FailedLookup>>;
}

/// Fetches policies.
pub trait Fetch: Send + Sync {
    /// The policy of a domain from its policy host. Whoever asks sets the time limit.
    fn fetch<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<Policy, FetchFailure>>;
}
