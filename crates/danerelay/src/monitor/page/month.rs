//! How mail was secured in the last 30 days, and who received it.

use report::summary::{End, Traffic};

use super::html::{Column, Escaped, Html, grouped, percent};
use crate::monitor::census::Counted;
use crate::monitor::month::Month;

/// The size of the picture, in its own units.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 160.0;
/// The part of its place that a day takes.
const BAR: f64 = 0.8;

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
    picture(to, &month.days);
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
            percent(traffic.share(traffic.dane.saturating_add(traffic.dane_host_only))),
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

/// A bar for each day, divided as the day's deliveries were secured, the most secure at the bottom.
fn picture(to: &mut Html, days: &[(String, Traffic)]) {
    to.raw(format_args!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"How the deliveries of each of the last 30 \
         days were secured; the table below has the figures\">"
    ));
    #[expect(clippy::cast_precision_loss, reason = "there are 30 days")]
    let place = |number: usize| WIDTH * number as f64 / days.len().max(1) as f64;
    for (number, (day, traffic)) in days.iter().enumerate() {
        let (left, width) = (place(number), place(1) * BAR);
        to.raw("<g><title>");
        to.text(format_args!(
            "{day}: {} deliveries",
            grouped(traffic.deliveries())
        ));
        for (end, count) in traffic.ends() {
            if count > 0 {
                to.text(format_args!(
                    "; {} {}",
                    end.words(),
                    percent(traffic.share(count))
                ));
            }
        }
        to.raw("</title>");
        let mut bottom = HEIGHT;
        for (end, count) in traffic.ends() {
            let height = HEIGHT * traffic.share(count);
            if height > 0.0 {
                bottom -= height;
                to.raw(format_args!(
                    "<rect class=\"{}\" x=\"{left:.1}\" y=\"{bottom:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>",
                    class(end)
                ));
            }
        }
        to.raw("</g>");
    }
    to.raw("</svg>");
    if let (Some((first, _)), Some((last, _))) = (days.first(), days.last()) {
        to.raw(format_args!(
            "<p class=\"axis\"><span>{}</span><span>{}</span></p>",
            Escaped(first),
            Escaped(last)
        ));
    }
}

fn class(end: End) -> &'static str {
    match end {
        End::Dane => "dane",
        End::DaneHostOnly => "host-only",
        End::MtaSts => "mta-sts",
        End::Verified => "verified",
        End::Encrypted => "encrypted",
        End::Clear => "clear",
        End::Failed => "failed",
    }
}
