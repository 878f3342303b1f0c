//! The report for people.

use std::fmt::Write as _;

use mail::count;
use report::summary::{By, Head, Item, Period, Report, Row, SoftFailed, Traffic, View};

use crate::commands::output::printable;

/// The most rows of a table that is not divided by periods.
pub(super) const ROWS: usize = 20;

/// The whole report.
pub(super) fn text(report: &Report, view: View) -> String {
    let mut text = period(&report.head);
    match view {
        View::Overview => overview(report, &mut text),
        View::By(by) => table(report, by, &mut text),
        View::SoftFail => soft_fails(report, &mut text),
    }
    text
}

fn period(head: &Head) -> String {
    let Period { from, to } = head.period;
    let mut text = format!(
        "{from} to {to}, {} in UTC",
        count(head.period.days().unsigned_abs(), "day")
    );
    if let Some(before) = head.before {
        let _ = write!(text, "; before: {} to {}", before.from, before.to);
    }
    text.push_str("\n\n");
    text
}

/// The outcomes of all traffic one below the other, and the providers or the parts of the period.
fn overview(report: &Report, text: &mut String) {
    let head = &report.head;
    let before = head.total_before.as_ref();
    let _ = write!(text, "{:<22} {:>12} {:>8}", "outcome", "deliveries", "share");
    text.push_str(if before.is_some() {
        "   before  change\n"
    } else {
        "\n"
    });
    for (number, (end, count)) in head.total.ends().into_iter().enumerate() {
        let share = head.total.share(count);
        let _ = write!(text, "{:<22} {count:>12} {:>8}", end.words(), percent(share));
        if let Some(before) = before {
            let earlier = before.ends().get(number).map_or(0, |(_, count)| *count);
            let earlier = before.share(earlier);
            let _ = write!(text, " {:>8} {:>7}", percent(earlier), points(share - earlier));
        }
        text.push('\n');
    }
    let mut line = |name: &str, count: u64, earlier: Option<u64>| {
        let _ = write!(text, "{name:<22} {count:>12}");
        if let Some(earlier) = earlier {
            let _ = write!(text, "{:9}{earlier:>9} {:>7}", "", growth(count, earlier));
        }
        text.push('\n');
    };
    let total = &head.total;
    line("all", total.deliveries(), before.map(Traffic::deliveries));
    line(
        "soft-failed",
        total.soft_failed,
        before.map(|before| before.soft_failed),
    );
    line(
        "attempts deferred",
        total.deferred,
        before.map(|before| before.deferred),
    );
    line("octets", total.octets, before.map(|before| before.octets));
    if let Some(domains) = total.domains {
        line(
            "domains",
            domains,
            before.map(|before| before.domains.unwrap_or(0)),
        );
    }
    if head.internal.deliveries() > 0 {
        line("internal", head.internal.deliveries(), None);
    }
    if !report.rows.is_empty() {
        text.push('\n');
        table(report, By::MxProvider, text);
    }
}

/// A line for each row, with the shares of its deliveries.
fn table(report: &Report, by: By, text: &mut String) {
    let what = match by {
        By::Domain => "domain",
        By::MxProvider => "MX provider",
        By::Outcome => "outcome",
        By::AddressFamily => "address family",
    };
    let rows: Vec<&Row> = report.rows.iter().filter_map(row_of).collect();
    let is_divided = rows.iter().any(|row| row.period.is_some());
    let has = |field: fn(&Row) -> bool| rows.iter().any(|row| field(row));
    let columns = Columns {
        period: is_divided,
        name: has(|row| row.name.is_some()).then(|| {
            let names = rows.iter().filter_map(|row| row.name.as_deref());
            let longest = names.map(|name| name.chars().count()).max().unwrap_or(0);
            longest.max(what.len())
        }),
        domains: has(|row| row.traffic.domains.is_some()),
        before: has(|row| row.before.is_some()),
        all: (!is_divided).then_some(&report.head.total),
        ends: by != By::Outcome,
    };
    columns.head(what, text);
    for row in &rows {
        columns.line(row, text);
    }
    match report.head.row_count.saturating_sub(rows.len() as u64) {
        0 => {}
        more => {
            let _ = writeln!(text, "and {more} more: --csv and --json have all of them");
        }
    }
}

/// Which columns a table has.
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a column that is there or not"
)]
struct Columns<'a> {
    period: bool,
    /// The width, if there are names.
    name: Option<usize>,
    domains: bool,
    before: bool,
    /// The traffic of which each row's share is shown.
    all: Option<&'a Traffic>,
    /// How its deliveries ended.
    ends: bool,
}

impl Columns<'_> {
    fn head(&self, what: &str, text: &mut String) {
        if self.period {
            let _ = write!(text, "{:<10} ", "period");
        }
        if let Some(width) = self.name {
            let _ = write!(text, "{what:<width$} ");
        }
        if self.domains {
            let _ = write!(text, "{:>8} ", "domains");
            if self.before {
                let _ = write!(text, "{:>8} ", "change");
            }
        }
        let _ = write!(text, "{:>10} ", "deliveries");
        if self.before {
            let _ = write!(text, "{:>8} ", "change");
        }
        if self.all.is_some() {
            let _ = write!(text, "{:>8} ", "share");
        }
        let names = [
            "DANE",
            "host only",
            "MTA-STS",
            "verified",
            "encrypted",
            "clear",
            "failed",
        ];
        for name in names.into_iter().filter(|_| self.ends) {
            let _ = write!(text, " {name:>9}");
        }
        let _ = writeln!(text, " {:>10}", "deferred");
    }

    fn line(&self, row: &Row, text: &mut String) {
        if self.period {
            let _ = write!(text, "{:<10} ", row.period.as_deref().unwrap_or_default());
        }
        if let Some(width) = self.name {
            let name = printable(row.name.as_deref().unwrap_or_default());
            let _ = write!(text, "{name:<width$} ");
        }
        let traffic = &row.traffic;
        if self.domains {
            let domains = traffic.domains.unwrap_or(0);
            let _ = write!(text, "{domains:>8} ");
            if let Some(before) = &row.before {
                let _ = write!(text, "{:>8} ", growth(domains, before.domains.unwrap_or(0)));
            }
        }
        let all = traffic.deliveries();
        let _ = write!(text, "{all:>10} ");
        if let Some(before) = &row.before {
            let _ = write!(text, "{:>8} ", growth(all, before.deliveries()));
        }
        if let Some(total) = self.all {
            let _ = write!(text, "{:>8} ", percent(total.share(all)));
        }
        for (_, count) in traffic.ends().into_iter().filter(|_| self.ends) {
            let share = if all == 0 {
                "-".to_owned()
            } else {
                percent(traffic.share(count))
            };
            let _ = write!(text, " {share:>9}");
        }
        let _ = writeln!(text, " {:>10}", traffic.deferred);
    }
}

fn row_of(item: &Item) -> Option<&Row> {
    match item {
        Item::Row(row) => Some(row),
        Item::SoftFailed(_) => None,
    }
}

fn soft_fails(report: &Report, text: &mut String) {
    let cases: Vec<&SoftFailed> = report.rows.iter().filter_map(soft_failed_of).collect();
    let listed = cases
        .iter()
        .fold(0_u64, |sum, case| sum.saturating_add(case.deliveries));
    let unnamed = report.head.total.soft_failed.saturating_sub(listed);
    if unnamed > 0 {
        let _ = writeln!(
            text,
            "enforcing would have held up {} to domains that are not recorded\n",
            count(unnamed, "further delivery"),
        );
    }
    if cases.is_empty() && unnamed == 0 {
        text.push_str("nothing was delivered although DANE failed: enforcing would have cost nothing\n");
    }
    if cases.is_empty() {
        return;
    }
    let healed = cases.iter().filter(|case| case.healed).count();
    let withdrawn = cases.iter().filter(|case| case.withdrawn).count();
    let _ = writeln!(
        text,
        "enforcing would have held up {} to {}; healed since: {healed}; records withdrawn since: {withdrawn}\n",
        count(listed, "delivery"),
        count(cases.len(), "domain"),
    );
    let longest = cases
        .iter()
        .map(|case| case.domain.chars().count())
        .max()
        .unwrap_or(0);
    let width = longest.max("domain".len());
    let _ = writeln!(
        text,
        "{:<width$} {:>10} {:>10}  {:<20}  {:<20}  cause, host",
        "domain", "held up", "of", "last failure", "last verified"
    );
    for case in cases {
        let verified = case
            .last_verified
            .map_or_else(|| "-".to_owned(), |time| time.to_string());
        // A time by itself would not be padded.
        let last = case.last.to_string();
        let _ = write!(
            text,
            "{:<width$} {:>10} {:>10}  {:<20}  {verified:<20}  ",
            printable(&case.domain),
            case.deliveries,
            case.of,
            last,
        );
        let why: Vec<String> = case.causes.iter().map(|one| one.cause.to_string()).collect();
        let _ = write!(text, "{}", why.join("; "));
        if !case.hosts.is_empty() {
            let _ = write!(text, " ({})", printable(&case.hosts.join(", ")));
        }
        text.push_str(match (case.healed, case.withdrawn) {
            (true, _) => ", healed\n",
            (false, true) => ", withdrawn\n",
            (false, false) => "\n",
        });
    }
}

fn soft_failed_of(item: &Item) -> Option<&SoftFailed> {
    match item {
        Item::SoftFailed(case) => Some(case),
        Item::Row(_) => None,
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn points(change: f64) -> String {
    format!("{:+.1}", change * 100.0)
}

/// By how much a count has grown; `new` if there was nothing before.
fn growth(count: u64, before: u64) -> String {
    match (count, before) {
        (0, 0) => "-".to_owned(),
        (_, 0) => "new".to_owned(),
        (count, before) => {
            #[expect(clippy::cast_precision_loss, reason = "a growth needs no more digits")]
            let growth = count as f64 / before as f64 - 1.0;
            format!("{:+.1} %", growth * 100.0)
        }
    }
}
