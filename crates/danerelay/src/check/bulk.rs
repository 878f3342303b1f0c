//! Many domains: some at once, and each reported as soon as it is known.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mail::Domain;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::examiner::Examiner;
use super::findings::Wanted;
use super::report::Report;
use super::verdict::Verdict;

/// So few are checked one after the other, and reported in their order.
const IN_ORDER: usize = 8;
/// Of more, domains under way at once: most of the time they wait for somebody.
const AT_ONCE: usize = 50;
/// The same for those that are tried again.
const AGAIN_AT_ONCE: usize = 10;
/// How often another one may begin: 200 a second, so that neither our resolver nor a provider's name servers see a flood.
const PACE: Duration = Duration::from_millis(5);

/// Who looks.
pub(crate) struct Examiners {
    pub(crate) first: Arc<Examiner>,
    /// At what could not be told, with connections of its own: what the first one could not reach, it would not try again.
    pub(crate) again: Arc<Examiner>,
}

/// Checks all of them, and gives each report to `found`; an error of that ends everything. What could not be told is tried
/// once more when all others are done, a few at a time: it may have been our own haste. Gives the domains whose check broke
/// off by a fault of this program.
pub(crate) async fn check_all<E>(
    examiners: &Examiners,
    domains: Vec<Domain>,
    days: u16,
    mut found: impl FnMut(Report) -> Result<(), E>,
) -> Result<Vec<Domain>, E> {
    let is_few = domains.len() <= IN_ORDER;
    let at_once = if is_few { 1 } else { AT_ONCE };
    let mut again = Vec::new();
    let first = |domain: Domain, report: Report| {
        if report.verdict == Verdict::Unreachable && !is_few {
            again.push(domain);
            return Ok(());
        }
        found(report)
    };
    let mut lost = round(&examiners.first, domains, (at_once, days), first).await?;
    let second = round(&examiners.again, again, (AGAIN_AT_ONCE, days), |_, report| {
        found(report)
    });
    lost.extend(second.await?);
    Ok(lost)
}

async fn round<E>(
    examiner: &Arc<Examiner>,
    domains: Vec<Domain>,
    (at_once, days): (usize, u16),
    mut found: impl FnMut(Domain, Report) -> Result<(), E>,
) -> Result<Vec<Domain>, E> {
    let places = Arc::new(Semaphore::new(at_once));
    let mut ticks = interval(PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut under_way = JoinSet::new();
    let mut named = HashMap::new();
    let mut domains = domains.into_iter();
    loop {
        let next = domains.next();
        if let Some(domain) = &next {
            ticks.tick().await;
            let place = Arc::clone(&places).acquire_owned().await;
            let (examiner, domain) = (Arc::clone(examiner), domain.clone());
            let name = domain.clone();
            let task = under_way.spawn(async move {
                let _place = place;
                let seen = examiner.examine(&domain).await;
                let now = Timestamp::now();
                Report::new(seen, Wanted { days, now })
            });
            named.insert(task.id(), name);
        }
        // While there are more, only what is done already is taken.
        loop {
            let done = match next {
                Some(_) => under_way.try_join_next_with_id(),
                None => under_way.join_next_with_id().await,
            };
            let Some(done) = done else { break };
            // A panic has been logged; its domain stays among those that are named.
            if let Ok((id, report)) = done
                && let Some(domain) = named.remove(&id)
            {
                found(domain, report)?;
            }
        }
        if next.is_none() {
            return Ok(named.into_values().collect());
        }
    }
}
