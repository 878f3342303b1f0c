//! Hands results of sessions to a `tlsrpt-collectd` that the site already runs, as datagrams; mail never waits for it.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use delivery::SessionWatch;
use delivery::route::StsLookups;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use mail::event::tlsrpt::NotCollected;
use mail::{Domain, Event, EventLog, TlsFailure, TlsPolicy, TlsSession};
use mta_sts::TxtLookup;
use tlsrpt::collectd::{End, PolicyResult, datagram};
use tlsrpt::{published, record_name};
use tokio::sync::{mpsc, watch};
use tokio::time::{interval, timeout};

/// How many deliveries may wait to be told; what comes then is lost.
const WAITING: usize = 256;
/// For how many it is looked up at once whether reports are wanted.
const AT_ONCE: usize = 64;
/// How long that may take; a domain that does not answer in time gets no report.
const LOOK_UP: Duration = Duration::from_secs(5);
/// How often what was lost is told.
const TOLD: Duration = Duration::from_mins(1);

/// Takes results from deliveries.
pub(crate) struct Collector {
    waiting: mpsc::Sender<Vec<TlsSession>>,
    lost: Arc<AtomicU64>,
}

/// Passes them on.
pub(crate) struct Forwarder {
    results: mpsc::Receiver<Vec<TlsSession>>,
    socket: UnixDatagram,
    path: PathBuf,
    lookups: Arc<StsLookups>,
    events: Arc<dyn EventLog>,
    lost: Arc<AtomicU64>,
    /// Why the last one was lost, if it was passed on at all.
    error: Option<String>,
}

/// What one delivery has met of one policy.
struct Met<'a> {
    policy: &'a TlsPolicy,
    failures: Vec<TlsFailure>,
    end: End,
}

impl SessionWatch for Collector {
    fn seen(&self, sessions: &[TlsSession]) {
        if self.waiting.try_send(sessions.to_vec()).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Both ends. Fails if the system has no socket.
pub(crate) fn collector(
    path: PathBuf,
    lookups: Arc<StsLookups>,
    events: Arc<dyn EventLog>,
) -> std::io::Result<(Collector, Forwarder)> {
    let socket = UnixDatagram::unbound()?;
    // A collector that does not keep up loses results; nobody waits for it.
    socket.set_nonblocking(true)?;
    let (waiting, results) = mpsc::channel(WAITING);
    let lost = Arc::new(AtomicU64::new(0));
    let forwarder = Forwarder {
        results,
        socket,
        path,
        lookups,
        events,
        lost: Arc::clone(&lost),
        error: None,
    };
    Ok((Collector { waiting, lost }, forwarder))
}

impl Forwarder {
    /// Runs until the daemon stops.
    pub(crate) async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        tokio::select! {
            () = self.pass_on() => {}
            // An error means that the sender is gone, and nobody can send the signal.
            _ = stopped.wait_for(|stop| *stop) => {}
        }
    }

    async fn pass_on(&mut self) {
        let mut look = interval(TOLD);
        // One slow domain does not hold up the others.
        let mut asked = FuturesUnordered::new();
        loop {
            tokio::select! {
                results = self.results.recv(), if asked.len() < AT_ONCE => match results {
                    Some(sessions) => asked.push(datagrams(Arc::clone(&self.lookups), sessions)),
                    None => return,
                },
                Some(made) = asked.next() => for octets in made {
                    self.send(&octets);
                },
                _ = look.tick() => self.complain(),
            }
        }
    }

    fn complain(&mut self) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let error = self.error.take();
            let error = error.unwrap_or_else(|| format!("{WAITING} results wait already"));
            self.events
                .write(&Event::NotCollected(NotCollected { lost, error }));
        }
    }

    fn send(&mut self, octets: &[u8]) {
        if let Err(error) = self.socket.send_to(octets, &self.path) {
            self.lost.fetch_add(1, Ordering::Relaxed);
            self.error = Some(format!("{}: {error}", self.path.display()));
        }
    }
}

/// One datagram for each domain whose mail one delivery has carried and that wants reports: all of a message is for the same
/// next hop, or for its fallback.
async fn datagrams(lookups: Arc<StsLookups>, sessions: Vec<TlsSession>) -> Vec<Vec<u8>> {
    let mut domains: Vec<&Domain> = sessions.iter().map(|session| &session.destination).collect();
    domains.sort();
    domains.dedup();
    let mut made = Vec::new();
    for domain in domains {
        let Ok(Some(record)) = timeout(LOOK_UP, record(&lookups, domain)).await else {
            continue;
        };
        let met = met(&sessions, domain);
        let results: Vec<PolicyResult<'_>> = met
            .iter()
            .map(|met| PolicyResult {
                policy: met.policy,
                failures: &met.failures,
                end: met.end,
            })
            .collect();
        made.extend(datagram(domain, &record, &results));
    }
    made
}

/// The record of a domain that wants reports, as it is published.
async fn record(lookups: &StsLookups, domain: &Domain) -> Option<String> {
    let name = record_name(domain)?;
    let records = lookups.txt(&name).await.ok()?;
    published(&records).ok()??;
    // Others may begin alike.
    let record = records
        .iter()
        .find(|record| matches!(published(slice::from_ref(*record)), Ok(Some(_))))?;
    Some(String::from_utf8_lossy(record).into_owned())
}

/// What was met of each policy: a message that found a session in the end has met it, whatever failed before.
fn met<'a>(sessions: &'a [TlsSession], domain: &Domain) -> Vec<Met<'a>> {
    let mut all: Vec<Met<'a>> = Vec::new();
    for session in sessions.iter().filter(|session| session.destination == *domain) {
        let place = all.iter().position(|met| met.policy == &session.policy);
        let place = place.unwrap_or_else(|| {
            all.push(Met {
                policy: &session.policy,
                failures: Vec::new(),
                end: End::Failed,
            });
            all.len() - 1
        });
        if let Some(met) = all.get_mut(place) {
            match &session.failure {
                Some(failure) => met.failures.push(failure.clone()),
                None => met.end = End::Met,
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mail::TlsResult;

    #[test]
    fn a_policy_that_was_met_in_the_end_is_met() {
        let domain = Domain::parse("a.example").unwrap();
        let session = |policy: &TlsPolicy, failure| TlsSession {
            at: jiff::Timestamp::UNIX_EPOCH,
            destination: domain.clone(),
            policy: policy.clone(),
            failure,
        };
        let tlsa = TlsPolicy::tlsa(domain.clone(), ["3 1 1 ab".to_owned()]);
        let none = TlsPolicy::None {
            domain: domain.clone(),
        };
        let failure = || Some(TlsFailure::of(TlsResult::ValidationFailure));
        let sessions = [
            session(&tlsa, failure()),
            session(&none, failure()),
            session(&tlsa, None),
        ];
        let met = met(&sessions, &domain);
        let ends: Vec<_> = met
            .iter()
            .map(|met| (met.policy, met.failures.len(), met.end))
            .collect();
        assert_eq!(ends, [(&tlsa, 1, End::Met), (&none, 1, End::Failed)]);
    }
}
