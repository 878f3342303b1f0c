//! The last 30 days of the ledger: how mail was secured, and who received it.

use jiff::ToSpan as _;
use jiff::civil::Date;
use mail::Domain;
use report::summary::{Internal, Item, Order, Per, Period, Question, Row, Traffic, View, make};
use spool::{Ledger, SpoolError};

/// Days shown.
pub(super) const DAYS: i64 = 30;
/// MX providers shown.
const PROVIDERS: usize = 15;

/// The last 30 days.
#[derive(Debug, Clone, Default)]
pub(super) struct Month {
    /// Each day with its traffic, the first one first.
    pub(super) days: Vec<(String, Traffic)>,
    /// All of it.
    pub(super) total: Traffic,
    /// All of the 30 days before.
    pub(super) before: Traffic,
    /// The MX providers with most deliveries.
    pub(super) providers: Vec<Row>,
}

impl Month {
    /// The 30 days that end today (UTC). Mail to `internal` domains is left out.
    pub(super) async fn take<L: Ledger>(
        ledger: &L,
        today: Date,
        internal: &[Domain],
    ) -> Result<Self, SpoolError> {
        let period = Period {
            from: today.checked_sub((DAYS - 1).days()).unwrap_or(today),
            to: today,
        };
        let question = |per, compare| Question {
            period,
            view: View::Overview,
            per,
            compare,
            internal: Internal::Exclude,
            internal_domains: internal.to_vec(),
            most: Some(PROVIDERS),
            order: Order::Deliveries,
        };
        let days = make(ledger, question(Some(Per::Day), false)).await?;
        let whole = make(ledger, question(None, true)).await?;
        let rows = |rows: Vec<Item>| {
            rows.into_iter().filter_map(|item| match item {
                Item::Row(row) => Some(row),
                Item::SoftFailed(_) => None,
            })
        };
        Ok(Self {
            days: rows(days.rows)
                .map(|row| (row.period.unwrap_or_default(), row.traffic))
                .collect(),
            total: whole.head.total,
            before: whole.head.total_before.unwrap_or_default(),
            providers: rows(whole.rows)
                .filter(|row| row.traffic.deliveries() > 0)
                .take(PROVIDERS)
                .collect(),
        })
    }
}
