//! What is counted for one report.

use jiff::civil::Date;
use mail::{Domain, TlsTally};
use serde::{Deserialize, Serialize};
use spool::{SpoolError, TlsTallies};

/// How many domains are read at a time.
pub(crate) const PAGE: usize = 500;

/// What is counted for the report of one domain on one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Collected {
    /// The day in UTC.
    pub(crate) day: Date,
    /// The domain: a next hop, or a TLSA base domain.
    pub(crate) domain: Domain,
    /// Sessions that met their policy.
    pub(crate) successes: u64,
    /// Sessions that did not.
    pub(crate) failures: u64,
    /// The same by policy, where one domain was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) policies: Vec<TlsTally>,
}

impl Collected {
    fn of(day: Date, domain: &Domain, policies: Vec<TlsTally>) -> Self {
        let sum = |count: fn(&TlsTally) -> u64| policies.iter().map(count).fold(0, u64::saturating_add);
        Self {
            day,
            domain: domain.clone(),
            successes: sum(|tally| tally.successes),
            failures: sum(|tally| tally.failures),
            policies,
        }
    }
}

/// A page of what is counted on a day, from the domain after `after` on, or all about one domain. A page that is not full is
/// the last.
pub(crate) async fn page<S: TlsTallies>(
    spool: &S,
    day: Date,
    domain: Option<&Domain>,
    after: Option<Domain>,
) -> Result<Vec<Collected>, SpoolError> {
    if let Some(domain) = domain {
        let tallies = spool.tls_tallies(day, domain.clone()).await?;
        let found = (!tallies.is_empty()).then(|| Collected::of(day, domain, tallies));
        return Ok(found.into_iter().collect());
    }
    let page = spool.tls_domains(day, after, PAGE).await?;
    let collected = page.into_iter().map(|one| Collected {
        day,
        domain: one.domain,
        successes: one.successes,
        failures: one.failures,
        policies: Vec::new(),
    });
    Ok(collected.collect())
}
