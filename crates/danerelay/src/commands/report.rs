//! `danerelay report`: what happened to the mail, from the figures of the ledger.
//!
//! [`arguments`]: what can be asked. [`kept`]: how far back the figures go. [`table`]: the answer for people; [`json`] and [`csv`]: for programs.
//! [`page`]: what DANE did, on one page. [`daily`]: the daily mail, which the daemon writes.

mod arguments;
mod csv;
mod daily;
mod json;
mod kept;
mod page;
mod table;

use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use report::summary::{Head, Item, Question, Report, make, protection};

use arguments::Form;
pub(crate) use arguments::ReportArguments;
use page::Page;

use super::client::Client;
use super::incidents;
use super::output::{notice, write, write_file, write_json};
use super::source::{self, Source, wait};
use crate::admin::protocol::{Line, Request};
use crate::config::{self, Config};
use crate::exit::Verdict;
use crate::failure::Failure;
use crate::pages::plain;
use crate::wiring::settings;
use crate::wiring::store::report_days;

/// Reports.
pub(crate) fn run(arguments: &ReportArguments, named: Option<&Path>) -> Result<Verdict, Failure> {
    let config = config::load(named)?.config;
    let unreadable = match &arguments.mail {
        Some(to) => daily::mail(&config, to)?,
        None if arguments.is_page() => show_page(arguments, &config)?,
        None => show_report(arguments, &config)?,
    };
    Ok(complete(unreadable))
}

/// Bad, with a word of it, if so many entries of the ledger cannot be read.
fn complete(unreadable: u64) -> Verdict {
    match unreadable {
        0 => return Verdict::Good,
        1 => notice("1 entry of the ledger cannot be read, and is missing"),
        many => notice(&format!(
            "{many} entries of the ledger cannot be read, and are missing"
        )),
    }
    Verdict::Bad
}

/// Returns how many entries of the ledger cannot be read.
fn show_report(arguments: &ReportArguments, config: &Config) -> Result<u64, Failure> {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let mut question = arguments.question(today, &config.report.internal_domains)?;
    for remark in kept::remarks(&mut question, today, i64::from(report_days(config))) {
        notice(&remark);
    }
    let report = match source::open(config)? {
        Source::Daemon(client) => ask(client, question)?,
        Source::Spool(spool) => wait(async { Ok(make(&spool, question).await?) })?,
    };
    match arguments.form() {
        Form::Table => write(&table::text(&report, arguments.view()))?,
        Form::Json => write_json(&json::shown(&report))?,
        Form::Csv => write(&csv::text(&report, arguments.view()))?,
    }
    if report.head.unnamed > 0 {
        notice(&format!(
            "{} deliveries are counted without their domains, for which the ledger had no room, and are missing in rows of \
             domains and MX providers",
            report.head.unnamed
        ));
    }
    Ok(report.head.unreadable)
}

/// The same for the page.
fn show_page(arguments: &ReportArguments, config: &Config) -> Result<u64, Failure> {
    let now = Timestamp::now();
    let today = now.to_zoned(TimeZone::UTC).date();
    let scope = arguments.scope(today, &config.report.internal_domains)?;
    let mut details = scope.whole();
    let remarks = kept::remarks(&mut details, today, i64::from(report_days(config)));
    let protection = match source::open(config)? {
        Source::Daemon(mut client) => {
            client.ask(&Request::Protection(scope))?;
            client.end()?
        }
        Source::Spool(spool) => wait(async { Ok(protection(&spool, scope).await?) })?,
    };
    if arguments.form() == Form::Json {
        for remark in &remarks {
            notice(remark);
        }
        write_json(&protection)?;
    }
    if arguments.form() == Form::Table || arguments.html.is_some() {
        let document = Page {
            relay: settings::hostname(config)?.as_str(),
            made: now,
            protection: &protection,
            incidents: &incidents::find(config, now)?,
            remarks: &remarks,
        }
        .document();
        if arguments.form() == Form::Table {
            write(&plain::text(&document))?;
        }
        if let Some(path) = &arguments.html {
            write_file(path, &document.html())?;
        }
    }
    Ok(protection.unreadable)
}

fn ask(mut client: Client, question: Question) -> Result<Report, Failure> {
    client.ask(&Request::Report(question))?;
    let mut rows = Vec::new();
    loop {
        match client.next::<Item, Head>()? {
            Line::Result(row) => rows.push(row),
            Line::Progress(_) | Line::Error(_) => {}
            Line::End(head) => return Ok(Report { head, rows }),
        }
    }
}
