//! Fetches policies from their hosts (RFC 8461 §3.2, §3.3): the only module that opens connections.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use https::{Bounds, Client, Content, Failure, Got, Target, Url, Validators};
use mail::Domain;

use crate::discovery::PATIENCE;
use crate::failure::FetchFailure;
use crate::policy::Policy;
use crate::sources::{AddressLookup, Fetch};

/// The largest policy, in octets (RFC 8461 §3.3 suggests it).
const POLICY_SIZE: usize = 64 * 1024;
/// How long a policy host may take until it begins to answer: it holds one of the places of all domains.
const ANSWER: Duration = Duration::from_secs(10);
/// The most characters of what is said about a failure, which may contain what the policy host made up.
const REASON: usize = 200;
/// Where policies are, at every policy host.
const PATH: &str = "/.well-known/mta-sts.txt";
/// Where HTTPS is spoken.
const PORT: u16 = 443;

/// Fetches policies over HTTPS.
#[derive(Clone)]
pub struct HttpsFetch {
    client: Client,
    addresses: Arc<dyn AddressLookup>,
    port: u16,
}

impl HttpsFetch {
    /// The client says whose certificates count.
    pub fn new(client: Client, addresses: Arc<dyn AddressLookup>) -> Self {
        Self {
            client: client.answered_within(ANSWER),
            addresses,
            port: PORT,
        }
    }

    /// The same at another port, for policy hosts of tests.
    #[must_use]
    pub fn at_port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    async fn get(&self, domain: &Domain) -> Result<Policy, FetchFailure> {
        let unnamed = || FetchFailure::Certificate("no certificate can have such a name".to_owned());
        let host = Domain::parse(&format!("mta-sts.{domain}")).map_err(|_| unnamed())?;
        let url: Url = match self.port {
            PORT => format!("https://{host}{PATH}"),
            port => format!("https://{host}:{port}{PATH}"),
        }
        .parse()
        .map_err(|_| unnamed())?;
        let addresses = self
            .addresses
            .addresses(&host)
            .await
            .map_err(FetchFailure::Lookup)?;
        // Nor may a proxy look for what has no address, or only such as are ignored.
        if addresses.is_empty() {
            return Err(FetchFailure::NoAddress);
        }
        let target = Target {
            url: &url,
            addresses: &addresses,
            bounds: Bounds {
                time: PATIENCE,
                octets: POLICY_SIZE,
            },
        };
        // Nothing is known of what the server gave before: no HTTP cache may be used.
        match self.client.get(&target, &Validators::default()).await {
            Ok(Got::Content(content)) => read(&content),
            Ok(Got::NotModified) => Err(FetchFailure::Status(304)),
            Err(failure) => Err(failed(failure)),
        }
    }
}

impl Fetch for HttpsFetch {
    fn fetch<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<Policy, FetchFailure>> {
        self.get(domain).boxed()
    }
}

fn read(content: &Content) -> Result<Policy, FetchFailure> {
    if content.status != 200 {
        return Err(FetchFailure::Status(content.status));
    }
    let media_type = content.media_type.as_deref().unwrap_or("nothing");
    // Parameters are ignored.
    let kind = media_type.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("text/plain") {
        return Err(FetchFailure::MediaType(shown(media_type)));
    }
    Ok(Policy::parse(&content.octets)?)
}

/// As much of a text as is kept and told.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(REASON).collect()
}

fn failed(failure: Failure) -> FetchFailure {
    match failure {
        Failure::NoAddress => FetchFailure::NoAddress,
        Failure::Connect { .. } => FetchFailure::Unreachable(shown(&failure.to_string())),
        Failure::Proxy { .. } | Failure::ProxyStatus { .. } => {
            FetchFailure::Proxy(shown(&failure.to_string()))
        }
        Failure::Certificate(flaw) => FetchFailure::Certificate(shown(&flaw.to_string())),
        Failure::Handshake(_) | Failure::Http(_) | Failure::Coding(_) => {
            FetchFailure::Broken(shown(&failure.to_string()))
        }
        Failure::Redirect(_) => FetchFailure::Redirect,
        Failure::Status(status) => FetchFailure::Status(status),
        Failure::TooLarge(most) => FetchFailure::TooLarge(most),
        Failure::Late(time) => FetchFailure::TimedOut(time.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;

    #[test]
    fn what_a_policy_host_makes_up_is_cut() {
        let names = "many-names.example, ".repeat(1000);
        let failure = failed(Failure::Handshake(std::io::Error::other(names)));
        let FetchFailure::Broken(reason) = failure else {
            panic!("{failure:?}");
        };
        assert_eq!(reason.chars().count(), REASON);
    }
}
