//! How mail was secured in the last 30 days, and who received it.

use crate::monitor::census::Counted;
use crate::monitor::month::Month;
use crate::pages::chart::{Bar, Chart, Scale, class};
use crate::pages::html::{Column, Escaped, Html};
use crate::pages::words::{grouped, percent};

pub(super) fn write(to: &mut Html, month: &Counted<Month>) {
    to.raw("<section>");
    to.heading("The last 30 days");
    match month {
        Counted::NotYet => to.remark("The ledger is being read."),
        Counted::Failed(why) => to.remark(format_args!("The ledger cannot be read: {why}")),
        Counted::Found(month) if month.total.deliveries() == 0 => to.remark("No deliveries."),
        Counted::Found(month) => found(to, month),
    }
    to.raw("</section>");
}

fn found(to: &mut Html, month: &Month) {
    let chart = Chart {
        label: "How the deliveries of each of the last 30 days were secured; the table below has the figures"
            .to_owned(),
        noun: ("delivery", "deliveries"),
        scale: Scale::Shares,
        bars: month
            .days
            .iter()
            .map(|(day, traffic)| Bar::of(day, traffic))
            .collect(),
    };
    chart.write(to);
    let (total, before) = (&month.total, &month.before);
    let ends = total.ends().into_iter().zip(before.ends());
    to.raw(
        "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Secured by</th>\
        <th scope=\"col\" class=\"number\">Deliveries</th><th scope=\"col\" class=\"number\">Share</th>\
        <th scope=\"col\" class=\"number\">30 days before</th></tr></thead><tbody>",
    );
    for ((end, count), (_, earlier)) in ends {
        let was = if before.deliveries() == 0 {
            "–".to_owned()
        } else {
            percent(before.share(earlier))
        };
        to.raw(format_args!(
            "<tr><td><span class=\"key {}\"></span>{}</td><td class=\"number\">{}</td>\
             <td class=\"number\">{}</td><td class=\"number\">{was}</td></tr>",
            class(end),
            Escaped(end.words()),
            grouped(count),
            percent(total.share(count)),
        ));
    }
    to.raw("</tbody></table></div>");
    if total.soft_failed > 0 {
        to.remark(format_args!(
            "{} of these failed DANE and were delivered all the same (soft-fail); danerelay report --soft-fail says where.",
            grouped(total.soft_failed)
        ));
    }
    to.element("h3", "MX providers");
    let providers = month.providers.iter().map(|row| {
        let traffic = &row.traffic;
        vec![
            row.name.clone().unwrap_or_else(|| "–".to_owned()),
            grouped(traffic.deliveries()),
            percent(traffic.share(traffic.by_dane())),
            traffic.domains.map_or("–".to_owned(), grouped),
        ]
    });
    to.table(
        &[
            Column::Words("Provider"),
            Column::Numbers("Deliveries"),
            Column::Numbers("DANE"),
            Column::Numbers("Domains"),
        ],
        providers,
    );
}
