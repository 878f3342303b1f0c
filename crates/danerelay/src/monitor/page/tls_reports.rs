//! The TLS reports that went out.

use crate::monitor::counts::Label as _;
use crate::monitor::metrics::Metrics;
use crate::pages::html::{Column, Html};
use crate::pages::words::grouped;
use mail::words::moment;

pub(super) fn write(to: &mut Html, metrics: &Metrics) {
    to.raw("<section>");
    to.heading("TLS reports to others");
    let last = metrics.tls_reports.last();
    if last.is_empty() {
        to.remark("None since the start.");
    } else {
        let rows = last.into_iter().map(|told| {
            vec![
                moment(told.at),
                told.domain,
                told.day,
                grouped(told.met),
                grouped(told.failed),
                told.end.word().to_owned(),
            ]
        });
        to.table(
            &[
                Column::Short("At"),
                Column::Words("For"),
                Column::Short("About"),
                Column::Numbers("Sessions that met the policy"),
                Column::Numbers("That did not"),
                Column::Words("Report"),
            ],
            rows,
        );
    }
    to.raw("</section>");
}
