//! `danerelay report`: what happened to the mail, from the figures of the ledger.
//!
//! [`arguments`]: what can be asked. [`kept`]: how far back the figures go. [`table`]: the answer for people; [`json`] and [`csv`]: for programs.

mod arguments;
mod csv;
mod json;
mod kept;
mod table;

use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use report::summary::{Head, Item, Question, Report, make};

use arguments::Form;
pub(crate) use arguments::ReportArguments;

use super::client::Client;
use super::output::{notice, write, write_json};
use super::source::{self, Source, wait};
use crate::admin::protocol::{Line, Request};
use crate::config;
use crate::exit::Verdict;
use crate::failure::Failure;
use crate::wiring::store::report_days;

/// Reports.
pub(crate) fn run(arguments: &ReportArguments, named: Option<&Path>) -> Result<Verdict, Failure> {
    let config = config::load(named)?.config;
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let mut question = arguments.question(today, &config.report.internal_domains)?;
    for remark in kept::remarks(&mut question, today, i64::from(report_days(&config))) {
        notice(&remark);
    }
    let report = match source::open(&config)? {
        Source::Daemon(client) => ask(client, question)?,
        Source::Spool(spool) => wait(async { Ok(make(&spool, question).await?) })?,
    };
    match arguments.form() {
        Form::Table => write(&table::text(&report, arguments.view()))?,
        Form::Json => write_json(&json::shown(&report))?,
        Form::Csv => write(&csv::text(&report, arguments.view()))?,
    }
    match report.head.unreadable {
        0 => return Ok(Verdict::Good),
        1 => notice("1 entry of the ledger cannot be read, and is missing"),
        many => notice(&format!(
            "{many} entries of the ledger cannot be read, and are missing"
        )),
    }
    Ok(Verdict::Bad)
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
