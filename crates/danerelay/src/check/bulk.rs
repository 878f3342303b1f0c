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

/// Domains under way at once: most of the time they wait for somebody.
const AT_ONCE: usize = 100;
/// How often another one may begin: 200 a second, so that neither our resolver nor a provider's name servers see a flood.
const PACE: Duration = Duration::from_millis(5);

/// Checks all of them, and gives each report to `found`; an error of that ends everything.
pub(crate) async fn check_all<E>(
    examiner: Arc<Examiner>,
    domains: impl Iterator<Item = Domain>,
    days: u16,
    mut found: impl FnMut(Report) -> Result<(), E>,
) -> Result<(), E> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut under_way = JoinSet::new();
    for domain in domains {
        pace.tick().await;
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return Ok(());
        };
        let examiner = Arc::clone(&examiner);
        under_way.spawn(async move {
            let _place = place;
            let seen = examiner.examine(&domain).await;
            let now = Timestamp::now();
            Report::new(seen, Wanted { days, now })
        });
        while let Some(done) = under_way.try_join_next() {
            // A panic has been logged.
            if let Ok(report) = done {
                found(report)?;
            }
        }
    }
    while let Some(done) = under_way.join_next().await {
        if let Ok(report) = done {
            found(report)?;
        }
    }
    Ok(())
}
