//! The report as comma-separated values (RFC 4180).

use std::fmt::Write as _;

use report::summary::{Item, Report, Row, SoftFailed, Traffic, View};

/// A header, and a line for each row. An overview begins with a row that has no name, for all traffic.
pub(super) fn text(report: &Report, view: View) -> String {
    let mut text = String::new();
    match view {
        View::SoftFail => {
            line(
                &mut text,
                [
                    "domain",
                    "deliveries",
                    "of",
                    "causes",
                    "hosts",
                    "last",
                    "last_verified",
                    "healed",
                    "withdrawn",
                ]
                .map(str::to_owned),
            );
        }
        View::Overview | View::By(_) => {
            let names = Traffic::default().ends().map(|(end, _)| end.name().to_owned());
            let before = ["deliveries_before", "dane_before", "domains_before"];
            let fields = ["period", "name", "deliveries"].map(str::to_owned).into_iter();
            let rest = ["soft_failed", "deferred", "octets", "domains"]
                .into_iter()
                .chain(before);
            line(&mut text, fields.chain(names).chain(rest.map(str::to_owned)));
        }
    }
    if view == View::Overview && report.rows.iter().all(is_named) {
        let whole = Row {
            period: None,
            name: None,
            traffic: report.head.total,
            before: report.head.total_before,
        };
        line(&mut text, row(&whole));
    }
    for item in &report.rows {
        match item {
            Item::Row(one) => line(&mut text, row(one)),
            Item::SoftFailed(one) => line(&mut text, soft_failed(one)),
        }
    }
    text
}

fn is_named(item: &Item) -> bool {
    match item {
        Item::Row(row) => row.name.is_some(),
        Item::SoftFailed(_) => true,
    }
}

fn row(row: &Row) -> impl Iterator<Item = String> {
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    let traffic = &row.traffic;
    let names = [row.period.clone(), row.name.clone()].map(Option::unwrap_or_default);
    let ends = traffic.ends().map(|(_, count)| count.to_string());
    let before = row.before.as_ref();
    let rest = [
        traffic.soft_failed.to_string(),
        traffic.deferred.to_string(),
        traffic.octets.to_string(),
        number(traffic.domains),
        number(before.map(Traffic::deliveries)),
        number(before.map(|before| before.dane)),
        number(before.and_then(|before| before.domains)),
    ];
    names
        .into_iter()
        .chain([traffic.deliveries().to_string()])
        .chain(ends)
        .chain(rest)
}

fn soft_failed(one: &SoftFailed) -> [String; 9] {
    let causes: Vec<String> = one
        .causes
        .iter()
        .map(|cause| format!("{} {}", cause.deliveries, cause.cause))
        .collect();
    [
        one.domain.clone(),
        one.deliveries.to_string(),
        one.of.to_string(),
        causes.join("; "),
        one.hosts.join(" "),
        one.last.to_string(),
        one.last_verified.map(|time| time.to_string()).unwrap_or_default(),
        if one.healed { "yes" } else { "no" }.to_owned(),
        if one.withdrawn { "yes" } else { "no" }.to_owned(),
    ]
}

/// Ends with a line feed alone, as a terminal and the tools of Unix expect.
fn line(text: &mut String, fields: impl IntoIterator<Item = String>) {
    for (number, field) in fields.into_iter().enumerate() {
        if number > 0 {
            text.push(',');
        }
        if field.contains([',', '"', '\n', '\r']) {
            let _ = write!(text, "\"{}\"", field.replace('"', "\"\""));
        } else {
            text.push_str(&field);
        }
    }
    text.push('\n');
}
