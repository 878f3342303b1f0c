//! A report as it is printed, or sent to who prints it.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use spool::{Ledger, SpoolError};

use super::gathering::{Counted, Gathered, Sorting, details, totals};
use super::question::{By, Order, Part, Period, Question, View};
use super::softfail::SoftFailed;
use super::traffic::Traffic;

/// What was asked, and the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The traffic as a whole.
    #[serde(flatten)]
    pub head: Head,
    /// The rows.
    pub rows: Vec<Item>,
}

/// A report without its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The days.
    pub period: Period,
    /// Those it is compared with.
    pub before: Option<Period>,
    /// All traffic that was asked for.
    pub total: Traffic,
    /// All of it in the period before.
    pub total_before: Option<Traffic>,
    /// Internal traffic, whether it is part of that or not.
    pub internal: Traffic,
    /// Entries of the ledger that cannot be read, and are missing.
    pub unreadable: u64,
    /// Deliveries, also of periods that others are compared with, that are missing in rows of domains and MX providers, because
    /// the ledger had no room for their domains and hosts.
    #[serde(default)]
    pub unnamed: u64,
    /// How many rows there are, whether all of them were asked for or not.
    #[serde(default)]
    pub row_count: u64,
}

/// A row of any view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Item {
    /// A domain with soft-fails.
    SoftFailed(SoftFailed),
    /// Traffic.
    Row(Row),
}

/// Traffic of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The part of the period, if it is divided.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub period: Option<String>,
    /// What the row is about; `None` for all traffic of the part.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// The figures.
    #[serde(flatten)]
    pub traffic: Traffic,
    /// Those of the part before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before: Option<Traffic>,
}

/// Makes the whole report.
pub async fn make<L: Ledger>(ledger: &L, question: Question) -> Result<Report, SpoolError> {
    let mut making = Making::of(ledger, question);
    let mut rows = Vec::new();
    while let Some(mut some) = making.next().await? {
        if rows.is_empty() {
            rows = some;
        } else {
            rows.append(&mut some);
        }
    }
    Ok(Report {
        head: making.end(),
        rows,
    })
}

/// A report while it is made, one part of the period after the other: nobody need have all rows in memory.
pub struct Making<'a, L> {
    ledger: &'a L,
    question: Arc<Question>,
    parts: std::vec::IntoIter<Part>,
    is_divided: bool,
    /// The last part: the next one may be compared with it.
    last: Option<(Period, Gathered)>,
    head: Head,
}

impl<'a, L: Ledger> Making<'a, L> {
    /// Reads nothing yet.
    pub fn of(ledger: &'a L, question: Question) -> Self {
        let parts = question.parts();
        Self {
            ledger,
            is_divided: parts.len() > 1,
            head: Head {
                period: question.period,
                before: question.compared_with().filter(|_| question.per.is_none()),
                total: Traffic::default(),
                total_before: None,
                internal: Traffic::default(),
                unreadable: 0,
                unnamed: 0,
                row_count: 0,
            },
            question: Arc::new(question),
            parts: parts.into_iter(),
            last: None,
        }
    }

    /// The rows of the next part, in the order that was asked for; `None` after the last one. If this is
    /// dropped, the ledger is not read further.
    pub async fn next(&mut self) -> Result<Option<Vec<Item>>, SpoolError> {
        let Some(part) = self.parts.next() else {
            return Ok(None);
        };
        let before = match part.before {
            None => None,
            Some(before) => Some(match self.last.take() {
                Some((period, last)) if period == before => last,
                Some(_) | None => self.gather(before).await?,
            }),
        };
        let gathered = self.gather(part.period).await?;
        self.head.note(&gathered, before.as_ref(), self.is_divided);
        let (rows, count) = rows_of(&self.question, &part, &gathered, before.as_ref());
        self.head.row_count = self.head.row_count.saturating_add(count as u64);
        self.last = self.question.compare.then_some((part.period, gathered));
        Ok(Some(rows))
    }

    /// The traffic as a whole, once all parts are read.
    pub fn end(self) -> Head {
        self.head
    }

    async fn gather(&mut self, days: Period) -> Result<Gathered, SpoolError> {
        let gathered = gather(self.ledger, &self.question, days).await?;
        self.head.unreadable = self.head.unreadable.saturating_add(gathered.unreadable);
        Ok(gathered)
    }
}

async fn gather<L: Ledger>(
    ledger: &L,
    question: &Arc<Question>,
    days: Period,
) -> Result<Gathered, SpoolError> {
    match (question.view, question.per) {
        (View::Overview, Some(_)) => totals(ledger, question, days, None).await,
        (View::Overview, None) | (View::By(By::MxProvider), _) => {
            with_totals(ledger, question, days, Sorting::Providers).await
        }
        (View::By(By::Domain), _) => with_totals(ledger, question, days, Sorting::Domains).await,
        (View::By(by @ (By::Outcome | By::AddressFamily)), _) => {
            totals(ledger, question, days, Some(by)).await
        }
        (View::SoftFail, _) => with_totals(ledger, question, days, Sorting::SoftFails).await,
    }
}

/// The rows from the details, and all traffic from the totals where these know more: in an overview if the details do not go
/// back as far, and wherever something was counted without its domain, so that whether it is internal is known to them alone.
async fn with_totals<L: Ledger>(
    ledger: &L,
    question: &Arc<Question>,
    days: Period,
    sorting: Sorting,
) -> Result<Gathered, SpoolError> {
    let totals = totals(ledger, question, days, None).await?;
    let mut details = details(ledger, question, days, sorting).await?;
    let is_whole = totals.seen == details.seen;
    let is_unnamed = details.unnamed != Traffic::default();
    if (is_whole && is_unnamed) || (!is_whole && question.view == View::Overview) {
        let domains = details.all.domains;
        details.all = Traffic {
            domains,
            ..totals.all
        };
        details.internal = totals.internal;
    }
    Ok(details)
}

impl Head {
    /// Adds a part: of several, or the only one.
    fn note(&mut self, gathered: &Gathered, before: Option<&Gathered>, is_divided: bool) {
        if is_divided {
            self.total.join(&gathered.all);
            self.internal.join(&gathered.internal);
        } else {
            self.total = gathered.all;
            self.internal = gathered.internal;
            self.total_before = before.map(|before| before.all);
        }
        // In a divided period, what a part is compared with is mostly the part before.
        let before = before.filter(|_| !is_divided);
        for gathered in [Some(gathered), before].into_iter().flatten() {
            self.unnamed = self.unnamed.saturating_add(gathered.unnamed.deliveries());
        }
    }
}

/// The rows that are wanted, in their order, and how many there are in all.
fn rows_of(
    question: &Question,
    part: &Part,
    gathered: &Gathered,
    before: Option<&Gathered>,
) -> (Vec<Item>, usize) {
    let row = |name: Option<&str>, traffic: &Traffic, before: Option<Traffic>| {
        Item::Row(Row {
            period: part.name.clone(),
            name: name.map(str::to_owned),
            traffic: *traffic,
            before,
        })
    };
    let (rows, count): (Vec<Item>, usize) = match question.view {
        View::SoftFail => {
            let mut cases = gathered.soft_failed.clone();
            cases.sort_by(|a, b| {
                let rank = |case: &SoftFailed| (case.healed, case.withdrawn, Reverse(case.deliveries));
                (rank(a), &a.domain).cmp(&(rank(b), &b.domain))
            });
            let count = cases.len();
            (cases.into_iter().map(Item::SoftFailed).collect(), count)
        }
        View::Overview if question.per.is_some() => {
            (vec![row(None, &gathered.all, before.map(|before| before.all))], 1)
        }
        View::Overview | View::By(_) => {
            let earlier: Option<HashMap<&str, &Traffic>> = before.map(|before| {
                let rows = before.rows.iter();
                rows.map(|row| (&*row.name, &row.traffic)).collect()
            });
            let found = |name: &str| {
                let earlier = earlier.as_ref()?;
                Some(earlier.get(name).copied().copied().unwrap_or_default())
            };
            let first = first(&gathered.rows, question);
            let rows = first.into_iter();
            let rows = rows.map(|counted| row(Some(&counted.name), &counted.traffic, found(&counted.name)));
            (rows.collect(), gathered.rows.len())
        }
    };
    (rows, count)
}

/// The rows that are wanted, in their order.
fn first<'a>(rows: &'a [Counted], question: &Question) -> Vec<&'a Counted> {
    // The keys stand beside one another: there may be hundreds of thousands.
    let mut ranked: Vec<_> = rows
        .iter()
        .map(|row| {
            let (deliveries, deferred) = (row.traffic.deliveries(), row.traffic.deferred);
            let first = match question.order {
                Order::Deliveries => deliveries,
                Order::Domains => row.traffic.domains.unwrap_or(0),
            };
            let most_first = Reverse((first, deliveries, deferred));
            ((most_first, beginning(&row.name), &*row.name), row)
        })
        .collect();
    if let Some(most) = question.most
        && most < ranked.len()
    {
        ranked.select_nth_unstable_by_key(most, |(key, _)| *key);
        ranked.truncate(most);
    }
    ranked.sort_unstable_by_key(|(key, _)| *key);
    ranked.into_iter().map(|(_, row)| row).collect()
}

/// How a name begins, as a number of the same order. Many rows have the same figures, and names are elsewhere in memory.
fn beginning(name: &str) -> u128 {
    let mut octets = [0; 16];
    for (octet, of_name) in octets.iter_mut().zip(name.bytes()) {
        *octet = of_name;
    }
    u128::from_be_bytes(octets)
}
