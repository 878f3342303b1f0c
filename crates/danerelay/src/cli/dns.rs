//! `danerelay dns`: one look-up as the relay sees it.

use std::fmt::Write as _;
use std::path::Path;

use clap::Args;
use dns::{Alias, Answer, Data, Lookup, QuestionError};
use mail::{LookupFailure, Security};
use serde::Serialize;

use super::Verdict;
use super::look_up::{DnsOptions, block_on, resolver};
use super::output::{self, printable};
use crate::config;
use crate::failure::Failure;
use crate::policy_file;

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

/// Looks it up and prints what was found.
pub(crate) fn run(arguments: &DnsArguments, named: Option<&Path>) -> Result<Verdict, Failure> {
    let mut loaded = config::load(named)?;
    arguments.dns.apply(&mut loaded.config.dns);
    let policy = policy_file::load(&loaded)?.policy;
    let resolver = resolver(&loaded.config, &policy)?;
    let lookup: Result<_, QuestionError> = block_on(resolver.text(&arguments.name, &arguments.record_type))?;
    let found = Found {
        report: Report::new(&lookup?, String::clone),
        obstacle: resolver.obstacle(),
    };
    if arguments.json {
        output::write_json(&found)?;
    } else {
        output::write(&found.table())?;
    }
    Ok(found.report.status.verdict())
}

/// What a look-up found, and what was in its way.
#[derive(Debug, Serialize)]
struct Found {
    #[serde(flatten)]
    report: Report,
    /// Why a name server over TLS could not be spoken to. Another may have answered.
    obstacle: Option<String>,
}

/// How a look-up ended (RFC 4035 §4.3), with outages apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LookupStatus {
    Secure,
    Insecure,
    Bogus,
    Indeterminate,
    Failed,
}

impl LookupStatus {
    /// The word of the table and of JSON.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Secure => "secure",
            Self::Insecure => "insecure",
            Self::Bogus => "bogus",
            Self::Indeterminate => "indeterminate",
            Self::Failed => "failed",
        }
    }

    /// What the exit status says of it.
    pub(super) fn verdict(self) -> Verdict {
        match self {
            Self::Secure | Self::Insecure => Verdict::Good,
            Self::Bogus => Verdict::Bad,
            Self::Indeterminate | Self::Failed => Verdict::Undecided,
        }
    }
}

impl From<Security> for LookupStatus {
    fn from(security: Security) -> Self {
        match security {
            Security::Secure => Self::Secure,
            Security::Insecure => Self::Insecure,
        }
    }
}

impl From<&LookupFailure> for LookupStatus {
    fn from(failure: &LookupFailure) -> Self {
        match failure {
            LookupFailure::Bogus => Self::Bogus,
            LookupFailure::Indeterminate => Self::Indeterminate,
            LookupFailure::Servfail
            | LookupFailure::Rcode(_)
            | LookupFailure::Timeout
            | LookupFailure::Malformed
            | LookupFailure::AliasLoop => Self::Failed,
        }
    }
}

/// What a look-up found, for people and for programs.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Report {
    pub(super) status: LookupStatus,
    /// `records`, `nodata` or `nxdomain`; nothing where the look-up failed.
    pub(super) answer: Option<&'static str>,
    pub(super) records: Vec<String>,
    pub(super) aliases: Vec<AliasHop>,
    /// In seconds.
    pub(super) ttl: Option<u32>,
    /// `bogus`, `indeterminate`, `servfail`, `rcode NAME`, `timeout`, `malformed` or `alias loop`.
    pub(super) cause: Option<String>,
    /// What failed, where, in plain words.
    pub(super) reason: Option<String>,
    /// What the server that refused said about it (RFC 8914).
    pub(super) extended_error: Option<String>,
}

/// One alias followed.
#[derive(Debug, Clone, Serialize)]
pub(super) struct AliasHop {
    from: String,
    to: String,
    status: LookupStatus,
}

impl From<&Alias> for AliasHop {
    fn from(alias: &Alias) -> Self {
        Self {
            from: alias.from.to_string(),
            to: alias.to.to_string(),
            status: alias.security.into(),
        }
    }
}

impl Report {
    /// `words` writes a record.
    pub(super) fn new<T>(lookup: &Lookup<T>, words: impl Fn(&T) -> String) -> Self {
        match lookup {
            Ok(answer) => Self::of_answer(answer, words),
            Err(failure) => Self {
                status: (&failure.cause).into(),
                answer: None,
                records: Vec::new(),
                aliases: Vec::new(),
                ttl: None,
                cause: Some(failure.cause.to_string()),
                reason: failure.reason().map(ToString::to_string),
                extended_error: failure.extended().map(ToString::to_string),
            },
        }
    }

    fn of_answer<T>(answer: &Answer<T>, words: impl Fn(&T) -> String) -> Self {
        Self {
            status: answer.security.into(),
            answer: Some(match &answer.data {
                Data::Records(_) => "records",
                Data::NoData => "nodata",
                Data::NxDomain => "nxdomain",
            }),
            records: answer.records().iter().map(words).collect(),
            aliases: answer.aliases.iter().map(AliasHop::from).collect(),
            ttl: Some(answer.ttl),
            cause: None,
            reason: None,
            extended_error: None,
        }
    }
}

impl Found {
    fn table(&self) -> String {
        let report = &self.report;
        let mut table = format!("status  {}\n", report.status.as_str());
        for alias in &report.aliases {
            let _ = writeln!(table, "alias   {alias}");
        }
        if let Some(answer) = report.answer {
            let _ = writeln!(table, "answer  {answer}");
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

impl std::fmt::Display for AliasHop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} -> {} ({})", self.from, self.to, self.status.as_str())
    }
}
