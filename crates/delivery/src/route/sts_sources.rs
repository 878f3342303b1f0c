//! DNS for MTA-STS, whose own crate looks nothing up.

use std::net::IpAddr;

use ::mta_sts::{AddressLookup, TxtLookup};
use dns::Resolver;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join};
use ipnet::IpNet;
use mail::{Domain, FailedLookup};

use super::ignored::is_within;

/// Looks up records and the addresses of policy hosts.
pub struct StsLookups {
    /// DNS.
    pub resolver: Resolver,
    /// No policy host is at an address within these: where it is, is a stranger's word (D8a).
    pub ignored: Vec<IpNet>,
}

impl TxtLookup for StsLookups {
    fn txt<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Result<Vec<Vec<u8>>, FailedLookup>> {
        async {
            let answer = self.resolver.txt(name).await?;
            Ok(answer.records().iter().map(|record| record.to_vec()).collect())
        }
        .boxed()
    }
}

impl AddressLookup for StsLookups {
    /// One family failing does not spoil the other.
    fn addresses<'a>(&'a self, host: &'a Domain) -> BoxFuture<'a, Result<Vec<IpAddr>, FailedLookup>> {
        async {
            let mut failure = None;
            let mut addresses = Vec::new();
            let (ipv6, ipv4) = join(self.resolver.aaaa(host), self.resolver.a(host)).await;
            for family in [ipv6, ipv4] {
                match family {
                    Ok(answer) => addresses.extend_from_slice(answer.records()),
                    Err(cause) => failure = Some(FailedLookup::from(cause)),
                }
            }
            match failure {
                Some(failure) if addresses.is_empty() => Err(failure),
                Some(_) | None => {
                    addresses.retain(|address| !is_within(&self.ignored, *address));
                    Ok(addresses)
                }
            }
        }
        .boxed()
    }
}
