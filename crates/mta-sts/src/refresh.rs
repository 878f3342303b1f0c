//! Policies are fetched again before they end, whether there is mail or not: who can stop a fetch for a day must not get rid
//! of a policy by that (RFC 8461 §3.3, §10.2).

use std::collections::HashMap;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use mail::event::mta_sts::MtaSts;
use mail::{Domain, Event};
use tokio::time::{Instant, sleep};

use crate::discovery::Policies;
use crate::entry::Entry;

/// How often the cache is gone through.
const ROUND: Duration = Duration::from_mins(5);
/// After a failure a policy is left alone for this time.
const AGAIN: Duration = Duration::from_hours(1);
/// The most that are fetched at once.
const AT_ONCE: usize = 8;

/// Refreshes policies for ever.
pub async fn refresh(policies: Policies) {
    let mut tried = HashMap::new();
    loop {
        sleep(ROUND).await;
        round(&policies, &mut tried).await;
    }
}

/// One round: what is due, unless it was tried not long ago.
async fn round(policies: &Policies, tried: &mut HashMap<Domain, Instant>) {
    tried.retain(|_, at| at.elapsed() < AGAIN);
    let due = policies.due().into_iter();
    let due: Vec<Entry> = due.filter(|entry| !tried.contains_key(&entry.domain)).collect();
    tried.extend(due.iter().map(|entry| (entry.domain.clone(), Instant::now())));
    let all = due
        .into_iter()
        .map(|entry| one(policies, entry))
        .collect::<Vec<_>>();
    stream::iter(all).buffer_unordered(AT_ONCE).collect::<()>().await;
}

/// One policy, whatever its record says: without one it is the policy itself that counts.
async fn one(policies: &Policies, entry: Entry) {
    let published = policies.published(&entry.domain).await.ok().flatten();
    let id = published.unwrap_or_else(|| entry.id.clone());
    if let Err(failure) = policies.fetch(&entry.domain, &id).await {
        let ends = entry.ends();
        policies
            .sources()
            .events
            .write(&Event::MtaSts(MtaSts::NotRefreshed {
                domain: entry.domain,
                ends: ends.to_string(),
                reason: failure.to_string(),
            }));
    }
}
