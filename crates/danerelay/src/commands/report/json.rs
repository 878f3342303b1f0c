//! The report as JSON.

use std::collections::BTreeMap;

use report::summary::{Head, Item, Report, SoftFailed, Traffic};
use serde::Serialize;

/// The report with the shares of each row.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    #[serde(flatten)]
    head: &'a Head,
    deliveries: u64,
    shares: Shares,
    rows: Vec<Row<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Row<'a> {
    SoftFailed(&'a SoftFailed),
    Traffic {
        #[serde(flatten)]
        row: &'a report::summary::Row,
        deliveries: u64,
        shares: Shares,
    },
}

/// Which part of the deliveries ended in which way, in thousandths of a percent at most.
type Shares = BTreeMap<&'static str, f64>;

/// All of it.
pub(super) fn shown(report: &Report) -> Shown<'_> {
    let rows = report.rows.iter().map(|item| match item {
        Item::SoftFailed(soft_failed) => Row::SoftFailed(soft_failed),
        Item::Row(row) => Row::Traffic {
            row,
            deliveries: row.traffic.deliveries(),
            shares: shares(&row.traffic),
        },
    });
    Shown {
        head: &report.head,
        deliveries: report.head.total.deliveries(),
        shares: shares(&report.head.total),
        rows: rows.collect(),
    }
}

fn shares(traffic: &Traffic) -> Shares {
    let rounded = |share: f64| (share * 1e5).round() / 1e5;
    let ends = traffic.ends().into_iter();
    ends.map(|(end, count)| (end.name(), rounded(traffic.share(count))))
        .collect()
}
