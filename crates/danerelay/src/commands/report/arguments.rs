//! What can be asked of `danerelay report`.

use clap::{ArgGroup, Args, ValueEnum};
use jiff::ToSpan;
use jiff::civil::Date;
use mail::Domain;
use report::summary::{self, LONGEST_PERIOD, Period, Question, View};

use super::table::ROWS;
use crate::failure::Failure;

/// What to report on, and how.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "options of the command line")]
#[command(group(ArgGroup::new("form").args(["json", "csv"])))]
pub(crate) struct ReportArguments {
    /// The last so many days in UTC, today included.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = days, conflicts_with_all = ["from", "to"])]
    days: u16,

    /// From this day on (UTC), for example 2026-11-01; without --to until today.
    #[arg(long, value_name = "DATE", value_parser = date)]
    from: Option<Date>,

    /// Up to and including this day (UTC).
    #[arg(long, value_name = "DATE", value_parser = date, requires = "from")]
    to: Option<Date>,

    /// Divide the period by days, months or years.
    #[arg(long, value_name = "PERIOD", conflicts_with = "soft_fail")]
    per: Option<Per>,

    /// A row for each domain, MX provider, outcome with its cause, or address family.
    #[arg(long, value_name = "WHAT", conflicts_with = "soft_fail")]
    by: Option<By>,

    /// Rows with the most deliveries first, or MX providers with the most recipient domains.
    #[arg(
        long,
        value_name = "BY",
        default_value = "deliveries",
        conflicts_with = "soft_fail"
    )]
    sort: Sort,

    /// Leave traffic to `report.internal_domains` out, count it with the rest, or count nothing else.
    #[arg(long, value_name = "HOW", default_value = "exclude")]
    internal: Internal,

    /// Compare with as many days before; with --per, each period with the one before.
    #[arg(long, conflicts_with = "soft_fail")]
    compare_previous: bool,

    /// The domains of which mail was delivered although DANE failed: what enforcing would have cost.
    #[arg(long)]
    soft_fail: bool,

    /// Print one JSON object, with all rows.
    #[arg(long)]
    json: bool,

    /// Print comma-separated values (RFC 4180), with all rows.
    #[arg(long)]
    csv: bool,
}

/// How to print.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    Table,
    Json,
    Csv,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Per {
    Day,
    Month,
    Year,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum By {
    Domain,
    MxProvider,
    Outcome,
    AddressFamily,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Sort {
    Deliveries,
    Domains,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Internal {
    Include,
    Exclude,
    Only,
}

fn days(text: &str) -> Result<u16, &'static str> {
    let days = text.parse().ok().filter(|days| (1..=3653).contains(days));
    days.ok_or("allowed: a whole number of days from 1 to 3653")
}

fn date(text: &str) -> Result<Date, &'static str> {
    let year = |date: &Date| (1970..=9998).contains(&date.year());
    let date = text.parse().ok().filter(year);
    date.ok_or("allowed: a date like 2026-11-29")
}

impl ReportArguments {
    /// The question, if this is today.
    pub(super) fn question(&self, today: Date, internal: &[Domain]) -> Result<Question, Failure> {
        let to = self.to.unwrap_or(today);
        let length = i64::from(self.days).saturating_sub(1);
        let from = match self.from {
            Some(from) => from,
            None => to.checked_sub(length.days()).unwrap_or(Date::MIN),
        };
        if from > to {
            return Err(Failure::Period { from, to });
        }
        if (Period { from, to }).days() > LONGEST_PERIOD {
            return Err(Failure::LongPeriod { from, to });
        }
        Ok(Question {
            period: Period { from, to },
            view: self.view(),
            per: self.per.map(|per| match per {
                Per::Day => summary::Per::Day,
                Per::Month => summary::Per::Month,
                Per::Year => summary::Per::Year,
            }),
            compare: self.compare_previous,
            internal: match self.internal {
                Internal::Include => summary::Internal::Include,
                Internal::Exclude => summary::Internal::Exclude,
                Internal::Only => summary::Internal::Only,
            },
            internal_domains: internal.to_vec(),
            order: match self.sort {
                Sort::Deliveries => summary::Order::Deliveries,
                Sort::Domains => summary::Order::Domains,
            },
            most: match (self.form(), self.per) {
                (Form::Table, None) => Some(ROWS),
                (Form::Table | Form::Json | Form::Csv, _) => None,
            },
        })
    }

    /// What is shown.
    pub(super) fn view(&self) -> View {
        if self.soft_fail {
            return View::SoftFail;
        }
        match self.by {
            None => View::Overview,
            Some(By::Domain) => View::By(summary::By::Domain),
            Some(By::MxProvider) => View::By(summary::By::MxProvider),
            Some(By::Outcome) => View::By(summary::By::Outcome),
            Some(By::AddressFamily) => View::By(summary::By::AddressFamily),
        }
    }

    /// How it is printed.
    pub(super) fn form(&self) -> Form {
        if self.json {
            Form::Json
        } else if self.csv {
            Form::Csv
        } else {
            Form::Table
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::Parser;
    use jiff::civil::date;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        report: ReportArguments,
    }

    fn period(options: &[&str]) -> Option<Result<Period, Failure>> {
        let line = Line::try_parse_from([&["report"], options].concat()).ok()?;
        let question = line.report.question(date(2026, 11, 29), &[]);
        Some(question.map(|question| question.period))
    }

    #[test]
    fn a_period_ends_today_or_as_asked() {
        let found = |options: &[&str]| {
            let period = period(options).unwrap().unwrap();
            (period.from.to_string(), period.to.to_string())
        };
        let days = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        assert_eq!(found(&[]), days("2026-10-31", "2026-11-29"));
        assert_eq!(found(&["--days", "1"]), days("2026-11-29", "2026-11-29"));
        assert_eq!(found(&["--from", "2026-11-01"]), days("2026-11-01", "2026-11-29"));
        let both = ["--from", "2025-01-01", "--to", "2025-12-31"];
        assert_eq!(found(&both), days("2025-01-01", "2025-12-31"));
        assert!(period(&["--from", "2026-12-01"]).unwrap().is_err());
        let long = period(&["--from", "2000-01-01"]).unwrap();
        assert!(matches!(long, Err(Failure::LongPeriod { .. })), "{long:?}");
        for wrong in [
            &["--days", "0"][..],
            &["--days", "9", "--from", "2026-11-01"],
            &["--to", "2026-11-01"],
            &["--from", "1.11.2026"],
            &["--from", "-9999-01-01"],
            &["--soft-fail", "--by", "domain"],
            &["--json", "--csv"],
        ] {
            assert!(period(wrong).is_none(), "{wrong:?}");
        }
    }
}
