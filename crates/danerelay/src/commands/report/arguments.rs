//! What can be asked of `danerelay report`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};
use jiff::ToSpan;
use jiff::civil::Date;
use mail::{Domain, Mailbox};
use report::summary::{self, LONGEST_PERIOD, Period, Question, Scope, View};

use super::table::ROWS;
use crate::commands::values::{MOST_DAYS, days, formed};
use crate::config::units::MailAddress;
use crate::failure::Failure;

/// What to report on, and how.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "options of the command line")]
#[command(group(ArgGroup::new("form").args(["json", "csv"])))]
pub(crate) struct ReportArguments {
    /// The last so many days in UTC, today included; without it 30, and for --page the running month and the eleven before.
    #[arg(long, value_name = "N", value_parser = days(1..=MOST_DAYS), conflicts_with_all = ["from", "to"])]
    days: Option<u16>,

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
        conflicts_with_all = ["soft_fail", "page", "html"]
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

    /// What DANE did for the mail, on one page, month by month: what it verified, what it stopped, what would have become of
    /// that without it, and what was let through.
    #[arg(long, conflicts_with_all = ["per", "by", "compare_previous", "soft_fail", "csv"])]
    page: bool,

    /// Also write that page for browsers; it implies --page.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["per", "by", "compare_previous", "soft_fail", "csv"])]
    pub(super) html: Option<PathBuf>,

    /// Have the running relay mail a summary of yesterday (UTC) to this address, or without one to `incidents.mail`; `-` prints
    /// it instead.
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "",
        value_parser = mail_to, conflicts_with_all = ["days", "from", "to",
        "per", "by", "sort", "internal", "compare_previous", "soft_fail", "page", "html", "json", "csv"])]
    pub(super) mail: Option<MailTo>,

    /// Print one JSON object, with all rows.
    #[arg(long)]
    json: bool,

    /// Print comma-separated values (RFC 4180), with all rows.
    #[arg(long)]
    csv: bool,
}

/// Where the daily mail goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MailTo {
    /// To `incidents.mail`.
    Postmaster,
    /// Nowhere: it is printed.
    StandardOutput,
    /// To this mailbox.
    Mailbox(Mailbox),
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

fn date(text: &str) -> Result<Date, &'static str> {
    let year = |date: &Date| (1970..=9998).contains(&date.year());
    let date = text.parse().ok().filter(year);
    date.ok_or("allowed: a date like 2026-11-29")
}

fn mail_to(text: &str) -> Result<MailTo, String> {
    match text {
        "" => Ok(MailTo::Postmaster),
        "-" => Ok(MailTo::StandardOutput),
        text => formed::<MailAddress>(text).map(MailTo::Mailbox),
    }
}

/// Without other words, this many days.
const DAYS: u16 = 30;
/// Of a page, the running month and so many before.
const MONTHS_BEFORE: i64 = 11;

impl ReportArguments {
    /// The days that are meant, if this is today.
    fn period(&self, today: Date) -> Result<Period, Failure> {
        let to = self.to.unwrap_or(today);
        let from = match (self.from, self.days) {
            (Some(from), _) => Some(from),
            (None, None) if self.is_page() => to.first_of_month().checked_sub(MONTHS_BEFORE.months()).ok(),
            (None, days) => to.checked_sub(i64::from(days.unwrap_or(DAYS) - 1).days()).ok(),
        };
        let from = from.unwrap_or(Date::MIN);
        if from > to {
            return Err(Failure::Period { from, to });
        }
        if (Period { from, to }).days() > LONGEST_PERIOD {
            return Err(Failure::LongPeriod { from, to });
        }
        Ok(Period { from, to })
    }

    /// Whether the page is meant.
    pub(super) fn is_page(&self) -> bool {
        self.page || self.html.is_some()
    }

    /// Which mail the page is about, if this is today.
    pub(super) fn scope(&self, today: Date, internal: &[Domain]) -> Result<Scope, Failure> {
        Ok(Scope {
            period: self.period(today)?,
            internal: self.internal(),
            internal_domains: internal.to_vec(),
        })
    }

    fn internal(&self) -> summary::Internal {
        match self.internal {
            Internal::Include => summary::Internal::Include,
            Internal::Exclude => summary::Internal::Exclude,
            Internal::Only => summary::Internal::Only,
        }
    }

    /// The question, if this is today.
    pub(super) fn question(&self, today: Date, internal: &[Domain]) -> Result<Question, Failure> {
        Ok(Question {
            period: self.period(today)?,
            view: self.view(),
            per: self.per.map(|per| match per {
                Per::Day => summary::Per::Day,
                Per::Month => summary::Per::Month,
                Per::Year => summary::Per::Year,
            }),
            compare: self.compare_previous,
            internal: self.internal(),
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
        assert_eq!(found(&["--page"]), days("2025-12-01", "2026-11-29"));
        assert_eq!(found(&["--html", "page.html"]), days("2025-12-01", "2026-11-29"));
        assert_eq!(
            found(&["--page", "--days", "30"]),
            days("2026-10-31", "2026-11-29")
        );
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
            &["--page", "--per", "month"],
            &["--page", "--csv"],
            &["--page", "--sort", "deliveries"],
            &["--html", "page.html", "--sort", "domains"],
            &["--mail", "--sort", "domains"],
            &["--mail", "--page"],
            &["--mail", "--days", "2"],
            &["--mail", "nobody"],
        ] {
            assert!(period(wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn the_daily_mail_goes_where_it_is_said() {
        let mail = |options: &[&str]| {
            let line = Line::try_parse_from([&["report"], options].concat()).unwrap();
            line.report.mail
        };
        assert_eq!(mail(&[]), None);
        assert_eq!(mail(&["--mail"]), Some(MailTo::Postmaster));
        assert_eq!(mail(&["--mail", "-"]), Some(MailTo::StandardOutput));
        let mailbox = MailTo::Mailbox("a@b.example".parse().unwrap());
        assert_eq!(mail(&["--mail", "a@b.example"]), Some(mailbox));
    }
}
