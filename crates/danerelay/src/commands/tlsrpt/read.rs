//! `danerelay tlsrpt read`.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use tlsrpt::meaning;
use tlsrpt::read::{Carrier, Detail, INPUT, Incoming, Policy, Reading};

use super::words;
use crate::commands::output;
use crate::exit::Verdict;
use crate::failure::Failure;

/// Stands for standard input.
const STANDARD_INPUT: &str = "-";

/// Which report.
#[derive(Debug, Args)]
pub(crate) struct ReadArguments {
    /// The file: mail, .json.gz or .json; - is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &ReadArguments) -> Result<Verdict, Failure> {
    let octets = read_all(&arguments.file)?;
    let reading = tlsrpt::read::read(&octets).map_err(|fault| Failure::Report {
        file: arguments.file.clone(),
        fault,
    })?;
    if arguments.json {
        output::write_json(&Answer::of(&reading))?;
    } else {
        output::write(&words::about(&reading))?;
    }
    Ok(if reading.is_good() {
        Verdict::Good
    } else {
        Verdict::Bad
    })
}

/// The file, of which no more is read than a report may have.
fn read_all(path: &Path) -> Result<Vec<u8>, Failure> {
    let read = if path.as_os_str() == STANDARD_INPUT {
        bounded(io::stdin().lock())
    } else {
        File::open(path).and_then(bounded)
    };
    read.map_err(|cause| Failure::Unread {
        path: path.to_owned(),
        cause,
    })
}

fn bounded(input: impl Read) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    // One octet more shows that there is more.
    let most = u64::try_from(INPUT).unwrap_or(u64::MAX).saturating_add(1);
    input.take(most).read_to_end(&mut octets)?;
    Ok(octets)
}

/// The whole answer for programs.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    report: &'a Incoming,
    /// In all policies.
    successful: u64,
    failed: u64,
    mail: Option<&'a Carrier>,
    remarks: Vec<String>,
    /// What each kind of failure in it means.
    meanings: Vec<Explained<'a>>,
}

#[derive(Serialize)]
struct Explained<'a> {
    policy: &'a tlsrpt::read::PolicyType,
    result: &'a str,
    count: u64,
    says: &'static str,
    advice: &'static str,
}

impl<'a> Answer<'a> {
    fn of(reading: &'a Reading) -> Self {
        let (successful, failed) = reading.report.sessions();
        let policies = reading.report.policies.iter();
        Self {
            report: &reading.report,
            successful,
            failed,
            mail: reading.carrier.as_ref(),
            remarks: reading.remarks.iter().map(ToString::to_string).collect(),
            meanings: policies.flat_map(explained).collect(),
        }
    }
}

fn explained(policy: &Policy) -> impl Iterator<Item = Explained<'_>> {
    words::by_result(policy).into_iter().filter_map(move |details| {
        let first: &Detail = details.first()?;
        let meaning = meaning::of(first.known(), &policy.kind);
        Some(Explained {
            policy: &policy.kind,
            result: &first.result,
            count: words::sum(&details),
            says: meaning.says,
            advice: meaning.advice,
        })
    })
}
