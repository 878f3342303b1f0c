//! Exceptions that end, and what is wrong with the policy.

use jiff::Timestamp;

use crate::monitor::census::Census;
use crate::pages::html::{Column, Html};
use crate::pages::words::{ago, grouped, without_addresses};

pub(super) fn write(to: &mut Html, census: &Census, now: Timestamp) {
    to.raw("<section>");
    to.heading("Policy");
    if let Some(refused) = &census.policy.refused {
        to.raw("<div class=\"alarm\">");
        to.element(
            "p",
            format_args!(
                "The policy on disk is invalid since {}; an older one is in force:",
                ago(refused.since, now)
            ),
        );
        to.raw("<ul>");
        for fault in refused.faults.iter().take(10) {
            to.element("li", without_addresses(fault));
        }
        to.raw("</ul></div>");
    }
    for (url, trouble) in census.policy.lists.iter().take(20) {
        to.remark(format_args!(
            "{url} has not been fetched for {}: {}",
            ago(trouble.since, now),
            without_addresses(&trouble.reason)
        ));
    }
    to.element("h3", "Exceptions, those that end first");
    let exceptions = &census.exceptions;
    if exceptions.soonest.is_empty() {
        to.remark("There are none.");
    } else {
        let rows = exceptions.soonest.iter().map(|exception| {
            vec![
                exception.until.to_string(),
                exception.names.clone(),
                exception.what.clone(),
                without_addresses(&exception.reason),
                exception.place.clone(),
            ]
        });
        to.table(
            &[
                Column::Short("Last day"),
                Column::Words("For"),
                Column::Words("Excepted"),
                Column::Words("Reason"),
                Column::Words("Written in"),
            ],
            rows,
        );
        let shown = exceptions.soonest.len() as u64;
        if let Some(more @ 1..) = exceptions.count.checked_sub(shown) {
            to.remark(format_args!("{} more.", grouped(more)));
        }
    }
    to.raw("</section>");
}
