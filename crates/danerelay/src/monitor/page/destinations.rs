//! The busiest and the slowest destinations, and how much each may get at once.

use mail::words::span;
use std::time::Duration;

use crate::monitor::census::Census;
use crate::monitor::lately::Pace;
use crate::pages::html::{Column, Html};
use crate::pages::words::{grouped, without_addresses};

/// Rows of each table.
const ROWS: usize = 10;

pub(super) fn write(to: &mut Html, census: &Census) {
    to.raw("<section>");
    to.heading("Destinations");
    if census.extremes.busiest.is_empty() {
        to.remark("Nothing was delivered in the last hour.");
    } else {
        to.raw("<div class=\"pair\"><div>");
        paces(to, "Busiest in the last hour", &census.extremes.busiest);
        to.raw("</div><div>");
        paces(to, "Slowest in the last hour", &census.extremes.slowest);
        to.raw("</div></div>");
    }
    to.element("h3", "Connection windows");
    match &census.standings {
        None => to.remark("The scheduler has not answered."),
        Some(standings) if standings.busiest.is_empty() => to.remark("Nothing is being delivered."),
        Some(standings) => {
            to.remark(format_args!(
                "{} destinations, of which {} fail and are only probed.",
                grouped(standings.destinations),
                grouped(standings.failing)
            ));
            let rows = standings.busiest.iter().map(|one| {
                let state = match (one.is_failing, &one.reason) {
                    (true, Some(reason)) => format!("fails: {}", without_addresses(reason)),
                    (true, None) => "fails".to_owned(),
                    (false, _) => "open".to_owned(),
                };
                vec![
                    one.next_hop.clone(),
                    format!("{} of {}", grouped(one.active), grouped(one.window)),
                    grouped(one.waiting),
                    state,
                ]
            });
            to.table(
                &[
                    Column::Words("Destination"),
                    Column::Numbers("In use"),
                    Column::Numbers("Waiting"),
                    Column::Words("State"),
                ],
                rows,
            );
        }
    }
    to.raw("</section>");
}

fn paces(to: &mut Html, heading: &'static str, paces: &[(String, Pace)]) {
    to.element("h3", heading);
    let rows = paces.iter().take(ROWS).map(|(domain, pace)| {
        vec![
            domain.clone(),
            grouped(pace.deliveries),
            short(pace.average()),
            short(pace.longest),
        ]
    });
    to.table(
        &[
            Column::Words("Domain"),
            Column::Numbers("Delivered"),
            Column::Numbers("On average"),
            Column::Numbers("Longest"),
        ],
        rows,
    );
}

/// A time in the units that suit it.
fn short(time: Duration) -> String {
    if time < Duration::from_mins(1) {
        format!("{:.1}s", time.as_secs_f64())
    } else {
        span(time.as_secs())
    }
}
