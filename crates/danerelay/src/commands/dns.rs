//! `danerelay dns`: one look-up as the relay sees it.

use std::fmt::Write as _;
use std::path::Path;

use clap::Args;
use dns::QuestionError;
use mail::LookupStatus;
use serde::Serialize;

use super::look_up::{DnsOptions, block_on, resolver};
use super::output::{self, printable};
use super::readable;
use crate::config;
use crate::exit::Verdict;
use crate::failure::Failure;
use crate::lookup_report::LookupReport;

/// What to look up, and how.
#[derive(Debug, Args)]
pub(crate) struct DnsArguments {
    /// The name; the root is ".".
    name: String,

    /// The record type, for example MX, A, AAAA, TLSA, TXT, DS, or TYPE and its number.
    #[arg(value_name = "TYPE")]
    record_type: String,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,

    // Last: its heading holds for whatever follows.
    #[command(flatten)]
    dns: DnsOptions,
}

/// Makes the look-up and prints what was found.
pub(crate) fn run(arguments: &DnsArguments, named: Option<&Path>) -> Result<Verdict, Failure> {
    let mut loaded = config::load(named)?;
    arguments.dns.apply(&mut loaded.config.dns);
    let policy = readable::policy(&loaded)?.policy;
    let resolver = resolver(&loaded.config, &policy)?;
    let lookup: Result<_, QuestionError> = block_on(resolver.text(&arguments.name, &arguments.record_type))?;
    let found = Found {
        report: LookupReport::new(&lookup?, String::clone),
        obstacle: resolver.obstacle(),
    };
    if arguments.json {
        output::write_json(&found)?;
    } else {
        output::write(&found.table())?;
    }
    Ok(verdict_of(found.report.status))
}

/// The exit status for a look-up.
pub(super) fn verdict_of(status: LookupStatus) -> Verdict {
    match status {
        LookupStatus::Secure | LookupStatus::Insecure => Verdict::Good,
        LookupStatus::Bogus => Verdict::Bad,
        LookupStatus::Indeterminate | LookupStatus::Failed => Verdict::Undecided,
    }
}

/// What a look-up found, and what hindered it.
#[derive(Debug, Serialize)]
struct Found {
    #[serde(flatten)]
    report: LookupReport,
    /// Why a name server over TLS could not be used. Another one may have answered.
    obstacle: Option<String>,
}

impl Found {
    fn table(&self) -> String {
        let report = &self.report;
        let mut table = format!("status  {}\n", report.status.as_str());
        for alias in &report.aliases {
            let _ = writeln!(table, "alias   {alias}");
        }
        if let Some(answer) = report.answer {
            let _ = writeln!(table, "answer  {}", answer.as_str());
        }
        for record in &report.records {
            let _ = writeln!(table, "record  {}", printable(record));
        }
        if let Some(ttl) = report.ttl {
            let _ = writeln!(table, "ttl     {ttl}");
        }
        for (label, words) in [
            ("cause ", &report.cause),
            ("reason", &report.reason),
            ("said  ", &report.extended_error),
            ("server", &self.obstacle),
        ] {
            if let Some(words) = words {
                let _ = writeln!(table, "{label}  {}", printable(words));
            }
        }
        table
    }
}
