//! Fetches lists, and decides whether what came may replace the copy.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use dns::{NoAnswer, Resolver};
use https::{Bounds, Client, Content, Failure, Got, Target, Url, UrlError};
use mail::{Domain, DomainError};
use policy::remote::{RemoteList, Suspicion, examine};
use policy::schema::ListKind;

use super::copies::Copies;
use crate::access::{self, Use};
use crate::config::Config;

/// How much one list may cost: a million names of ordinary length, over a slow line.
const BOUNDS: Bounds = Bounds {
    time: Duration::from_mins(2),
    octets: 64 << 20,
};

/// Fetches lists.
#[derive(Clone)]
pub(crate) struct Fetcher {
    client: Client,
    resolver: Resolver,
    copies: Copies,
}

/// What a fetch has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// The copy is current.
    Unchanged,
    /// The copy has been replaced by one with so many entries.
    Replaced(usize),
}

/// Why a fetch has brought nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// For the administrator: the address is none.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The same: its host is no name.
    #[error("its host is no domain name: {0}")]
    Host(#[from] DomainError),
    /// The host's addresses cannot be looked up.
    #[error("the address of {0} cannot be looked up: {1}")]
    Lookup(Domain, NoAnswer),
    /// The server, or the way there.
    #[error(transparent)]
    Https(#[from] Failure),
    /// What came is not believed.
    #[error(
        "{suspicion}; it is held back in {}: to use it all the same, rename that to {} and run `danerelay reload`",
        held_back.display(),
        copy.display()
    )]
    HeldBack {
        /// The reason.
        suspicion: Suspicion,
        /// The file with it.
        held_back: PathBuf,
        /// The file that it would be.
        copy: PathBuf,
    },
    /// The disk.
    #[error("{}: {}", path.display(), access::explain(path, Use::Write, cause))]
    Disk {
        /// The copy.
        path: PathBuf,
        /// The system's error.
        cause: io::Error,
    },
}

impl Fetcher {
    /// Asks with this client, and looks names up with this resolver.
    pub(crate) fn new(client: Client, resolver: Resolver, config: &Config) -> Self {
        Self {
            client,
            resolver,
            copies: Copies::of(config),
        }
    }

    /// Fetches a list, if it has changed, and replaces its copy.
    pub(crate) async fn fetch(&self, remote: &RemoteList) -> Result<News, FetchError> {
        let (kind, address) = (remote.kind, remote.url.as_str());
        let url: Url = address.parse()?;
        let addresses = self.addresses(&url).await?;
        let (copies, list) = (self.copies.clone(), address.to_owned());
        let known = on_disk(&self.copies, address, move || copies.known(&list)).await?;
        let target = Target {
            url: &url,
            addresses: &addresses,
            bounds: BOUNDS,
        };
        let got = self.client.get(&target, &known.validators).await?;
        let (copies, list) = (self.copies.clone(), address.to_owned());
        let kept = on_disk(&self.copies, address, move || match got {
            Got::NotModified => {
                let text = known.text.as_deref().unwrap_or_default();
                copies.note(&list, text, &known.validators)?;
                Ok(Ok(News::Unchanged))
            }
            Got::Content(content) => keep(&copies, (kind, &list), known.text.as_deref(), &content),
        });
        match kept.await? {
            Ok(news) => Ok(news),
            Err((suspicion, held_back)) => Err(FetchError::HeldBack {
                suspicion,
                held_back,
                copy: self.copies.copy(address),
            }),
        }
    }

    async fn addresses(&self, url: &Url) -> Result<Vec<IpAddr>, FetchError> {
        if let Some(address) = url.address() {
            return Ok(vec![address]);
        }
        let host = Domain::parse(&url.host())?;
        let (ipv6, ipv4) = tokio::join!(self.resolver.aaaa(&host), self.resolver.a(&host));
        let mut addresses = Vec::new();
        let mut failure = None;
        for answer in [ipv6, ipv4] {
            match answer {
                Ok(answer) => addresses.extend_from_slice(answer.records()),
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(failure) if addresses.is_empty() => Err(FetchError::Lookup(host, failure)),
            Some(_) | None => Ok(addresses),
        }
    }

    /// Whether the copy of a list is older than this one may become.
    pub(crate) fn is_too_old(&self, list: &RemoteList) -> bool {
        self.copies
            .age_of(&list.url)
            .is_some_and(|age| age > list.max_age)
    }
}

/// Replaces the copy, unless what came is suspicious: then it is held back, in the file that is returned.
fn keep(
    copies: &Copies,
    (kind, list): (ListKind, &str),
    last_good: Option<&str>,
    content: &Content,
) -> io::Result<Result<News, (Suspicion, PathBuf)>> {
    let text = String::from_utf8_lossy(&content.octets);
    if last_good == Some(&*text) {
        copies.note(list, &text, &content.validators)?;
        return Ok(Ok(News::Unchanged));
    }
    match examine(kind, &text, last_good) {
        Ok(entries) => {
            copies.replace(list, &text, &content.validators)?;
            Ok(Ok(News::Replaced(entries)))
        }
        Err(suspicion) => Ok(Err((suspicion, copies.hold_back(list, &content.octets)?))),
    }
}

/// Work that waits for the disk, or has much to read.
async fn on_disk<T: Send + 'static>(
    copies: &Copies,
    list: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, FetchError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panicked| Err(io::Error::other(panicked)))
        .map_err(|cause| FetchError::Disk {
            path: copies.copy(list),
            cause,
        })
}
