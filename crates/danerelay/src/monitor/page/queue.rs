//! What waits, by state, age and reason.

use jiff::Timestamp;
use spool::{Ages, StateCounts, Summary};

use crate::monitor::census::{Census, Counted};
use crate::pages::html::{Column, Html};
use crate::pages::words::{ago, grouped};

/// Reasons and destinations shown.
const ROWS: usize = 10;
/// The length of the longest bar, in units of its own.
const BAR: u64 = 1_000;

pub(super) fn write(to: &mut Html, census: &Census, now: Timestamp) {
    to.raw("<section>");
    to.heading("Queue");
    match &census.queue {
        Counted::NotYet => to.remark("It is being counted for the first time."),
        Counted::Failed(why) => to.remark(format_args!("It cannot be counted: {why}")),
        Counted::Found(summary) if summary.messages == 0 => to.remark("Nothing waits."),
        Counted::Found(summary) => found(to, summary, now),
    }
    to.raw("</section>");
}

fn found(to: &mut Html, summary: &Summary, now: Timestamp) {
    to.table(
        &[
            Column::Words("State"),
            Column::Numbers("Messages"),
            Column::Numbers("Recipients"),
        ],
        states(&summary.states)
            .into_iter()
            .zip(states(&summary.recipients))
            .map(|((name, messages), (_, recipients))| {
                vec![name.to_owned(), grouped(messages), grouped(recipients)]
            }),
    );
    ages(to, &summary.ages);
    if summary.unreadable.messages > 0 {
        to.remark(format_args!(
            "{} more cannot be read: {}",
            summary.unreadable.messages, summary.unreadable.error
        ));
    }
    to.element("h3", "Why recipients wait");
    let reasons = summary.reasons.iter().take(ROWS).map(|reason| {
        let cause = reason
            .cause
            .map_or("not known".to_owned(), |cause| cause.to_string());
        vec![
            cause,
            reason.enhanced.clone(),
            grouped(reason.messages),
            grouped(reason.recipients),
        ]
    });
    to.table(
        &[
            Column::Words("Reason"),
            Column::Words("Status"),
            Column::Numbers("Messages"),
            Column::Numbers("Recipients"),
        ],
        reasons,
    );
    to.element("h3", "Where most waits");
    let destinations = summary.destinations.iter().take(ROWS).map(|destination| {
        vec![
            destination.next_hop.clone(),
            grouped(destination.messages),
            ago(destination.oldest, now),
        ]
    });
    to.table(
        &[
            Column::Words("Destination"),
            Column::Numbers("Messages"),
            Column::Numbers("Oldest"),
        ],
        destinations,
    );
}

fn states(counts: &StateCounts) -> [(&'static str, u64); 5] {
    [
        ("new", counts.queued),
        ("being delivered", counts.leased),
        ("to be tried again", counts.deferred),
        ("held", counts.held),
        // Of messages with other recipients that wait, or of which a report is still to be made.
        ("done", counts.sent.saturating_add(counts.failed)),
    ]
}

fn ages(to: &mut Html, ages: &Ages) {
    to.element("h3", "Recipients by age, in minutes");
    let mut from = 0;
    let classes = Ages::MINUTES.iter().map(|end| {
        let class = format!("{from}–{end}");
        from = *end;
        class
    });
    let mut classes: Vec<String> = classes.collect();
    classes.push(format!("{from} and more"));
    let most = ages.columns().iter().copied().max().unwrap_or_default().max(1);
    to.raw("<ul class=\"bars\">");
    for (class, count) in classes.iter().zip(ages.columns()) {
        to.raw(format_args!(
            "<li><span>{class}</span><svg viewBox=\"0 0 {BAR} 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
             <rect width=\"{}\" height=\"1\"/></svg><b>{}</b></li>",
            count.saturating_mul(BAR) / most,
            grouped(*count)
        ));
    }
    to.raw("</ul>");
}
