//! One day, for those who run the relay.

use std::sync::Arc;

use jiff::civil::Date;
use mail::DomainPart;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use spool::{Ledger, SpoolError, Tally};

use super::domains::{Best, Collect, collect};
use super::gathering::awaited;
use super::outcomes::Outcomes;
use super::protection::Scope;
use super::question::{Period, Question};
use super::traffic::Traffic;

/// The domains of each list.
const DOMAINS: usize = 10;

/// One day, and the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daily {
    /// What came of its mail.
    pub outcomes: Outcomes,
    /// The same of the day before.
    pub before: Outcomes,
    /// The domains with most deliveries.
    pub busiest: Vec<DomainTraffic>,
    /// The domains with most attempts after which a recipient had to wait.
    pub waiting: Vec<DomainTraffic>,
    /// How many domains there are at which a recipient had to wait.
    pub waiting_domains: u64,
    /// Entries of the ledger that cannot be read, and are missing.
    pub unreadable: u64,
}

/// The traffic to one domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainTraffic {
    /// The recipients' domain.
    pub domain: String,
    /// The figures.
    #[serde(flatten)]
    pub traffic: Traffic,
}

/// Reads the last day of the scope and the day before that.
pub async fn daily<L: Ledger>(ledger: &L, scope: Scope) -> Result<Daily, SpoolError> {
    let day = scope.period.to;
    let question = Arc::new(scope.whole());
    let (mut outcomes, first) = outcomes(ledger, &question, day).await?;
    let before = day.yesterday().unwrap_or(day);
    let (before, second) = self::outcomes(ledger, &question, before).await?;
    let period = Period { from: day, to: day };
    let (domains, third): (AllDomains, _) = collect(ledger, &question, period).await?;
    outcomes.traffic.domains = Some(domains.all);
    Ok(Daily {
        outcomes,
        before,
        busiest: domains.busiest.first(),
        waiting: domains.waiting.first(),
        waiting_domains: domains.all_waiting,
        unreadable: first.saturating_add(second).saturating_add(third),
    })
}

async fn outcomes<L: Ledger>(
    ledger: &L,
    question: &Arc<Question>,
    day: Date,
) -> Result<(Outcomes, u64), SpoolError> {
    let outcomes = Arc::new(Mutex::new(Outcomes::default()));
    let (filled, asked) = (Arc::clone(&outcomes), Arc::clone(question));
    let visit = move |_: Date, tally: Tally| {
        if asked.counts(asked.is_internal(tally.key.domain.as_ref())) {
            filled.lock().add(&tally);
        }
        awaited(&filled)
    };
    let unreadable = ledger.totals(day..=day, visit).await?;
    let outcomes = std::mem::take(&mut *outcomes.lock());
    Ok((outcomes, unreadable))
}

/// All domains, as they are read.
struct AllDomains {
    all: u64,
    all_waiting: u64,
    busiest: Best<DomainTraffic>,
    waiting: Best<DomainTraffic>,
    /// The one that is being read.
    traffic: Traffic,
}

impl Default for AllDomains {
    fn default() -> Self {
        Self {
            all: 0,
            all_waiting: 0,
            busiest: Best::new(DOMAINS),
            waiting: Best::new(DOMAINS),
            traffic: Traffic::default(),
        }
    }
}

impl Collect for AllDomains {
    fn add(&mut self, tally: &Tally) {
        self.traffic.add(tally);
    }

    fn close(&mut self, domain: &DomainPart) {
        let traffic = std::mem::take(&mut self.traffic);
        self.all = self.all.saturating_add(u64::from(traffic.deliveries() > 0));
        self.all_waiting = self.all_waiting.saturating_add(u64::from(traffic.deferred > 0));
        let row = || DomainTraffic {
            domain: domain.to_string(),
            traffic,
        };
        self.busiest.add(traffic.deliveries(), row());
        self.waiting.add(traffic.deferred, row());
    }
}
