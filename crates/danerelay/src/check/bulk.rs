//! Many domains: some at once, and each reported as soon as it is known.

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

/// Checks all of them, and gives each report to `found`; an error of that ends everything. What could not be told is tried
/// once more when all others are done, a few at a time: it may have been our own haste.
pub(crate) async fn check_all<E>(
    examiner: Arc<Examiner>,
    domains: Vec<Domain>,
    days: u16,
    mut found: impl FnMut(Report) -> Result<(), E>,
) -> Result<(), E> {
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
    round(&examiner, domains, (at_once, days), first).await?;
    round(&examiner, again, (AGAIN_AT_ONCE, days), |_, report| found(report)).await
}

async fn round<E>(
    examiner: &Arc<Examiner>,
    domains: Vec<Domain>,
    (at_once, days): (usize, u16),
    mut found: impl FnMut(Domain, Report) -> Result<(), E>,
) -> Result<(), E> {
    let places = Arc::new(Semaphore::new(at_once));
    let mut ticks = interval(PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut under_way = JoinSet::new();
    for domain in domains {
        ticks.tick().await;
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return Ok(());
        };
        let examiner = Arc::clone(examiner);
        under_way.spawn(async move {
            let _place = place;
            let seen = examiner.examine(&domain).await;
            let now = Timestamp::now();
            (domain, Report::new(seen, Wanted { days, now }))
        });
        while let Some(done) = under_way.try_join_next() {
            // A panic has been logged.
            if let Ok((domain, report)) = done {
                found(domain, report)?;
            }
        }
    }
    while let Some(done) = under_way.join_next().await {
        if let Ok((domain, report)) = done {
            found(domain, report)?;
        }
    }
    Ok(())
}
