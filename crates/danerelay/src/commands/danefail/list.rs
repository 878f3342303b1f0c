//! `danefail list`: what is excepted.

use std::fmt::Write as _;

use clap::Args;
use jiff::Zoned;
use jiff::civil::Date;
use mail::count;
use mail::words::moment;
use policy::schema::ListKind;
use policy::settings::DaneMode;
use policy::{ListedException, Policy};
use serde::Serialize;

use crate::commands::client;
use crate::commands::output::{self, printable};
use crate::commands::readable::{self, Readable};
use crate::config::Loaded;
use crate::exceptions;
use crate::exit::Verdict;
use crate::failure::Failure;
use crate::wiring::standing::PolicyTrouble;

/// How to show it.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Everything that is excepted.
#[derive(Debug, Serialize)]
struct Excepted {
    exceptions: Vec<Exception>,
    lists: Vec<List>,
    /// What of the policy this user cannot read.
    unread: Vec<String>,
    /// What the running relay says; none if none runs.
    trouble: Option<PolicyTrouble>,
}

/// One exception.
#[derive(Debug, Serialize)]
struct Exception {
    kind: &'static str,
    names: String,
    dane: Option<DaneMode>,
    dnssec_off: bool,
    override_strict: bool,
    until: Date,
    /// The days on which it holds after today; negative since it has expired.
    days_left: i32,
    reason: String,
    file: String,
    line: usize,
    /// Whether `danefail remove` removes it.
    added: bool,
}

/// One danefail list.
#[derive(Debug, Serialize)]
struct List {
    source: String,
    dane: DaneMode,
    entries: usize,
}

/// `list`.
pub(super) fn run(arguments: &ListArguments, loaded: &Loaded) -> Result<Verdict, Failure> {
    let Readable { policy, unread } = readable::policy(loaded)?;
    let added = exceptions::path(&loaded.config).display().to_string();
    let mut excepted = Excepted::of(&policy, &added, Zoned::now().date());
    excepted.unread = unread;
    excepted.trouble = client::standing(&loaded.config).ok();
    if arguments.json {
        output::write_json(&excepted)?;
    } else {
        output::write(&table(&excepted))?;
    }
    Ok(Verdict::Good)
}

impl Excepted {
    fn of(policy: &Policy, added: &str, today: Date) -> Self {
        let exception = |one: &ListedException| Exception {
            kind: one.kind.as_str(),
            names: one.names.to_string(),
            dane: one.dane,
            dnssec_off: one.without_dnssec,
            override_strict: one.override_strict,
            until: one.entry.until,
            days_left: one.entry.until.since(today).map_or(0, |span| span.get_days()),
            reason: one.entry.reason.to_string(),
            file: one.entry.file.to_string(),
            line: one.entry.line,
            added: &*one.entry.file == added,
        };
        let lists = policy.lists().iter();
        let lists = lists.filter(|list| list.kind == ListKind::Danefail);
        Self {
            exceptions: policy.exceptions().map(exception).collect(),
            unread: Vec::new(),
            trouble: None,
            lists: lists
                .map(|list| List {
                    source: list.names.source().to_string(),
                    dane: list.dane,
                    entries: list.names.len(),
                })
                .collect(),
        }
    }
}

fn table(excepted: &Excepted) -> String {
    let mut table = String::new();
    if excepted.exceptions.is_empty() && excepted.lists.is_empty() && excepted.unread.is_empty() {
        table.push_str("nothing is excepted\n");
    }
    let width = excepted
        .exceptions
        .iter()
        .map(|one| one.kind.len() + 1 + one.names.len())
        .max();
    for one in &excepted.exceptions {
        let names = format!("{} {}", one.kind, one.names);
        let what = match one.dane {
            Some(dane) => format!("dane {dane}"),
            None => "dnssec off".to_owned(),
        };
        let left = match one.days_left {
            days if days < 0 => "expired".to_owned(),
            0 => "ends today".to_owned(),
            1 => "1 day left".to_owned(),
            days => format!("{days} days left"),
        };
        let strict = if one.override_strict {
            ", also against strict"
        } else {
            ""
        };
        let width = width.unwrap_or(0);
        let _ = writeln!(
            table,
            "{names:<width$}  {what}{strict}  until {} ({left})  {}:{}",
            one.until,
            printable(&one.file),
            one.line
        );
        let _ = writeln!(table, "{:width$}  {}", "", printable(&one.reason));
    }
    for list in &excepted.lists {
        let _ = writeln!(
            table,
            "list {}  dane {}  {}",
            printable(&list.source),
            list.dane,
            count(list.entries, "entry")
        );
    }
    if let Some(trouble) = &excepted.trouble {
        write_trouble(&mut table, trouble);
    }
    table
}

fn write_trouble(table: &mut String, trouble: &PolicyTrouble) {
    if let Some(refused) = &trouble.refused {
        let _ = writeln!(
            table,
            "the policy on disk is not the one in force since {}:",
            moment(refused.since)
        );
        for fault in &refused.faults {
            let _ = writeln!(table, "  {}", printable(fault));
        }
    }
    for (url, list) in &trouble.lists {
        let what = if list.is_held_back {
            "is held back"
        } else {
            "cannot be fetched"
        };
        let _ = writeln!(
            table,
            "list {} {what} since {}: {}",
            printable(url),
            moment(list.since),
            printable(&list.reason)
        );
    }
    let tested = trouble.tests.tested.map(moment);
    let _ = writeln!(
        table,
        "the daily test was last complete: {}",
        tested.as_deref().unwrap_or("never yet")
    );
    for one in &trouble.tests.closed {
        let _ = writeln!(
            table,
            "{} {} worked again and was removed on {}: {}",
            one.kind.as_str(),
            one.name,
            moment(one.since),
            printable(&one.reason)
        );
    }
    for one in &trouble.tests.healed {
        let _ = writeln!(
            table,
            "{} {} works again since {}: {}  {}",
            one.kind.as_str(),
            one.name,
            moment(one.since),
            printable(&one.place),
            printable(&one.reason)
        );
    }
}
