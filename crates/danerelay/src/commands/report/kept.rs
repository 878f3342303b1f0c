//! What is said where a report asks for figures that are not kept any more.

use jiff::ToSpan;
use jiff::civil::Date;
use report::summary::{By, Question, View};

/// For so many days totals are kept at least: ten years.
const TOTALS: i64 = 3653;

/// How far back the figures of a view go, in days: all of them, and any.
fn kept(question: &Question, details: i64) -> (i64, i64) {
    let totals = details.max(TOTALS);
    match (question.view, question.per) {
        (View::By(By::Domain | By::MxProvider) | View::SoftFail, _) => (details, details),
        // The providers are missing before.
        (View::Overview, None) => (details, totals),
        (View::Overview, Some(_)) | (View::By(By::Outcome | By::AddressFamily), _) => (totals, totals),
    }
}

/// Says what is missing, if figures by domain and host are kept for so many days (`report.keep`). A comparison with days of
/// which nothing is kept is left out: it would show growth where there was none.
pub(super) fn remarks(question: &mut Question, today: Date, details: i64) -> Vec<String> {
    let (all, any) = kept(question, details);
    let (all_since, any_since) = (today.saturating_sub(all.days()), today.saturating_sub(any.days()));
    let what = if all == details {
        "figures by domain and host"
    } else {
        "totals"
    };
    let mut remarks = Vec::new();
    if question.period.from < all_since {
        remarks.push(format!(
            "{what} are kept for {all} days (report.keep), since {all_since}; what is older is missing from them"
        ));
    }
    let Some(before) = question.compared_with() else {
        return remarks;
    };
    if before.to < any_since && question.per.is_none() {
        question.compare = false;
        remarks.push(format!(
            "there is no comparison: of the period before, {} to {}, nothing is kept; {what} are kept for {all} days (report.keep)",
            before.from, before.to
        ));
    } else if before.from < all_since {
        remarks.push(format!(
            "the comparison begins on {}, but {what} are kept since {all_since} (report.keep): what is older is missing from it",
            before.from
        ));
    }
    remarks
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use report::summary::{Internal, Order, Per, Period};

    use super::*;

    fn asked(view: View, from: Date, per: Option<Per>) -> (usize, bool) {
        let mut question = Question {
            period: Period {
                from,
                to: date(2026, 11, 29),
            },
            view,
            per,
            compare: true,
            internal: Internal::Include,
            internal_domains: Vec::new(),
            most: None,
            order: Order::default(),
        };
        let remarks = remarks(&mut question, date(2026, 11, 29), 100);
        (remarks.len(), question.compare)
    }

    #[test]
    fn nothing_is_compared_with_nothing() {
        // Details are kept since August 21.
        let domains = View::By(By::Domain);
        assert_eq!(asked(domains, date(2026, 10, 31), None), (0, true));
        assert_eq!(asked(domains, date(2026, 10, 1), None), (1, true));
        assert_eq!(asked(domains, date(2026, 8, 21), None), (1, false));
        assert_eq!(asked(domains, date(2026, 8, 1), None), (2, false));
        assert_eq!(asked(domains, date(2026, 10, 1), Some(Per::Month)), (0, true));
        assert_eq!(asked(domains, date(2026, 8, 1), Some(Per::Month)), (2, true));
        // Of older days the overview has the totals.
        assert_eq!(asked(View::Overview, date(2026, 8, 1), None), (2, true));
        assert_eq!(
            asked(View::Overview, date(2026, 8, 1), Some(Per::Month)),
            (0, true)
        );
    }
}
