//! Calls a webhook.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dns::Resolver;
use https::{Bounds, Client, Target, Url};
use mail::Domain;

/// How much one call may cost. What the server answers is not read by anybody.
const BOUNDS: Bounds = Bounds {
    time: Duration::from_secs(30),
    octets: 64 << 10,
};

/// Calls webhooks.
#[derive(Clone)]
pub(crate) struct Web {
    client: Client,
    resolver: Resolver,
}

impl Web {
    /// Verifies servers as this client does, and looks names up with this resolver.
    pub(crate) fn new(client: Client, resolver: Resolver) -> Self {
        Self { client, resolver }
    }

    /// Hands a notice over. An error is what went wrong, in words.
    pub(super) async fn post(&self, url: &Url, notice: &Arc<[u8]>) -> Result<(), String> {
        let addresses = self.addresses(url).await?;
        let target = Target {
            url,
            addresses: &addresses,
            bounds: BOUNDS,
        };
        let posted = self
            .client
            .post(&target, "application/json", Bytes::copy_from_slice(notice));
        posted.await.map_err(|error| error.to_string())
    }

    async fn addresses(&self, url: &Url) -> Result<Vec<IpAddr>, String> {
        if let Some(address) = url.address() {
            return Ok(vec![address]);
        }
        let host = Domain::parse(&url.host()).map_err(|error| error.to_string())?;
        let (ipv6, ipv4) = tokio::join!(self.resolver.aaaa(&host), self.resolver.a(&host));
        let (mut addresses, mut failure) = (Vec::new(), None);
        for answer in [ipv6, ipv4] {
            match answer {
                Ok(answer) => addresses.extend_from_slice(answer.records()),
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(failure) if addresses.is_empty() => {
                Err(format!("the address of {host} cannot be looked up: {failure}"))
            }
            Some(_) | None => Ok(addresses),
        }
    }
}
