//! What DANE did for the mail of some months.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use mail::{Domain, DomainPart};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use spool::{Ledger, SpoolError, Tally};

use super::domains::{Best, Collect, collect};
use super::gathering::awaited;
use super::outcomes::{DaneFailures, Outcomes, sum};
use super::question::{Internal, Order, Per, Period, Question, View};
use super::traffic::is_verified;

/// The most domains that are named.
const NAMED: usize = 20;
/// The most hosts that are named of each.
const HOSTS: usize = 5;

/// Which mail is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// The days.
    pub period: Period,
    /// What to do with internal traffic.
    pub internal: Internal,
    /// Mail to these domains and those below them is internal.
    #[serde(default)]
    pub internal_domains: Vec<Domain>,
}

/// What DANE did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    /// The days.
    pub period: Period,
    /// Each month, or the part of it that is meant.
    pub months: Vec<Month>,
    /// All of them together.
    pub total: Outcomes,
    /// The domains, by the figures by domain and host, which are not kept as long as the others.
    pub domains: Domains,
    /// Entries of the ledger that cannot be read, and are missing.
    pub unreadable: u64,
}

/// One month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Month {
    /// `2026-11`.
    pub name: String,
    /// What came of its mail.
    #[serde(flatten)]
    pub outcomes: Outcomes,
}

/// How many domains had which experience.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domains {
    /// With a delivery, or mail that was given up.
    pub all: u64,
    /// With a delivery that DANE verified.
    pub verified: u64,
    /// With an attempt that DANE stopped, or mail that was given up because of it.
    pub stopped: u64,
    /// Of these, those with a verified delivery after that.
    pub healed: u64,
    /// Those with most attempts that DANE stopped.
    pub worst: Vec<Stopped>,
}

/// A domain to which DANE stopped mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// The recipients' domain.
    pub domain: String,
    /// What failed.
    #[serde(flatten)]
    pub failures: DaneFailures,
    /// Some of the hosts that failed, by name.
    pub hosts: Vec<String>,
    /// When DANE failed last.
    pub last: Timestamp,
    /// The last delivery that DANE verified.
    pub last_verified: Option<Timestamp>,
    /// Whether that was later.
    pub healed: bool,
}

/// Reads what DANE did.
pub async fn protection<L: Ledger>(ledger: &L, scope: Scope) -> Result<Protection, SpoolError> {
    let question = Arc::new(Question {
        per: Some(Per::Month),
        ..scope.whole()
    });
    let (months, without_months) = months(ledger, &question).await?;
    let (domains, without_domains): (AllDomains, _) = collect(ledger, &question, scope.period).await?;
    let mut total = Outcomes::default();
    for month in &months {
        total.join(&month.outcomes);
    }
    let mut domains = domains;
    domains.found.worst = domains.worst.0.first();
    total.traffic.domains = Some(domains.found.all);
    Ok(Protection {
        period: scope.period,
        months,
        total,
        domains: domains.found,
        unreadable: without_months.saturating_add(without_domains),
    })
}

impl Scope {
    /// The question about all of this together.
    pub fn whole(&self) -> Question {
        Question {
            period: self.period,
            view: View::Overview,
            per: None,
            compare: false,
            internal: self.internal,
            internal_domains: self.internal_domains.clone(),
            order: Order::Deliveries,
            most: None,
        }
    }
}

/// From the totals, those without any mail too; and how many entries cannot be read.
async fn months<L: Ledger>(ledger: &L, question: &Arc<Question>) -> Result<(Vec<Month>, u64), SpoolError> {
    let parts = question.parts().into_iter();
    let months: Vec<(Period, Month)> = parts
        .map(|part| {
            let month = Month {
                name: part.name.unwrap_or_default(),
                outcomes: Outcomes::default(),
            };
            (part.period, month)
        })
        .collect();
    let months = Arc::new(Mutex::new(months));
    let (filled, asked) = (Arc::clone(&months), Arc::clone(question));
    let visit = move |day: Date, tally: Tally| {
        let mut months = filled.lock();
        let month = months.iter_mut().find(|(period, _)| day <= period.to);
        if let Some((_, month)) = month
            && asked.counts(asked.is_internal(tally.key.domain.as_ref()))
        {
            month.outcomes.add(&tally);
        }
        drop(months);
        awaited(&filled)
    };
    let unreadable = ledger.totals(question.period.range(), visit).await?;
    let months = std::mem::take(&mut *months.lock());
    Ok((months.into_iter().map(|(_, month)| month).collect(), unreadable))
}

/// All domains, as they are read.
#[derive(Default)]
struct AllDomains {
    found: Domains,
    worst: Worst,
    /// The one that is being read.
    case: Case,
}

struct Worst(Best<Stopped>);

impl Default for Worst {
    fn default() -> Self {
        Self(Best::new(NAMED))
    }
}

#[derive(Default)]
struct Case {
    failures: DaneFailures,
    hosts: Vec<String>,
    last: Option<Timestamp>,
    last_verified: Option<Timestamp>,
    /// Whether any delivery came to an end.
    is_final: bool,
}

impl Collect for AllDomains {
    fn add(&mut self, tally: &Tally) {
        let case = &mut self.case;
        case.is_final |= tally.key.status.is_final();
        if is_verified(tally) {
            case.last_verified = case.last_verified.max(Some(tally.last));
        }
        let before = case.failures.count();
        case.failures.add(tally);
        if case.failures.count() == before {
            return;
        }
        case.last = case.last.max(Some(tally.last));
        if let Some(host) = &tally.key.host
            && case.hosts.len() < HOSTS
            && !case.hosts.iter().any(|known| known == host.as_str())
        {
            case.hosts.push(host.to_string());
        }
    }

    fn close(&mut self, domain: &DomainPart) {
        let mut case = std::mem::take(&mut self.case);
        let found = &mut self.found;
        found.all = found.all.saturating_add(u64::from(case.is_final));
        if case.last_verified.is_some() {
            found.verified = found.verified.saturating_add(1);
        }
        let Some(last) = case.last else {
            return;
        };
        let healed = case.last_verified > Some(last);
        found.stopped = found.stopped.saturating_add(1);
        found.healed = found.healed.saturating_add(u64::from(healed));
        case.hosts.sort();
        self.worst.0.add(
            case.failures.count(),
            Stopped {
                domain: domain.to_string(),
                failures: case.failures,
                hosts: case.hosts,
                last,
                last_verified: case.last_verified,
                healed,
            },
        );
    }
}

impl DaneFailures {
    /// What DANE stopped: attempts, and recipients that were given up. What passed under `soft-fail` is not among them.
    pub fn count(&self) -> u64 {
        sum(&self.stopped).saturating_add(sum(&self.returned))
    }
}
