//! Policies are fetched again before they end, whether there is mail or not: who can stop a fetch for a day must not get rid
//! of a policy by that (RFC 8461 §3.3, §10.2).

use std::collections::HashMap;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use mail::event::mta_sts::MtaSts;
use mail::{Domain, Event};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::discovery::Policies;
use crate::entry::Entry;
use crate::failure::FetchFailure;

/// How often the cache is gone through.
const ROUND: Duration = Duration::from_mins(5);
/// After a failure a policy is left alone for this time.
const AGAIN: Duration = Duration::from_hours(1);
/// The most that are fetched at once.
const AT_ONCE: usize = 8;

/// Which policies were tried, and when.
type Tried = Mutex<HashMap<Domain, Instant>>;

/// Refreshes policies for ever. A round ends when the next one begins: what it has not come to by then is sorted in with what
/// has become due since, so that slow policy hosts do not keep those from being asked whose policies end first.
pub async fn refresh(policies: Policies) {
    let tried = Tried::default();
    let mut next = Instant::now() + ROUND;
    loop {
        sleep_until(next).await;
        next = Instant::now() + ROUND;
        // A fetch that is under way goes on.
        let _ = timeout_at(next, round(&policies, &tried)).await;
    }
}

/// One round: what is due, unless it was tried not long ago.
async fn round(policies: &Policies, tried: &Tried) {
    tried.lock().retain(|_, at| at.elapsed() < AGAIN);
    let mut due = policies.due();
    due.retain(|entry| !tried.lock().contains_key(&entry.domain));
    let all = due.into_iter().map(|entry| one(policies, entry, tried));
    let all = all.collect::<Vec<_>>();
    stream::iter(all).buffer_unordered(AT_ONCE).collect::<()>().await;
}

/// One policy, whatever its record says: without one it is the policy itself that counts.
async fn one(policies: &Policies, entry: Entry, tried: &Tried) {
    tried.lock().insert(entry.domain.clone(), Instant::now());
    let published = policies.published(&entry.domain).await.ok().flatten();
    let id = published.unwrap_or_else(|| entry.id.clone());
    match policies.fetch(&entry.domain, &id).await {
        Ok(_) => {}
        // It was not tried.
        Err(FetchFailure::Busy) => {
            tried.lock().remove(&entry.domain);
        }
        Err(failure) => {
            let ends = entry.ends().to_string();
            let event = MtaSts::NotRefreshed {
                domain: entry.domain,
                ends,
                reason: failure.to_string(),
            };
            policies.sources().events.write(&Event::MtaSts(event));
        }
    }
}
