//! `danerelay incidents`.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use mail::words::span;
use report::incidents::letter::{self, Letter};
use report::incidents::ours::Ours;
use report::incidents::remedy::{self, Remedy};
use report::incidents::{Incident, Terms, compose, page};
use serde::Serialize;
use spool::Incidents as _;

use super::client::{self, AdminError};
use super::output::{printable, write, write_json};
use super::source::{self, Source, wait};
use crate::admin::protocol::{Line, Nothing, Refusal, RefusalKind, Request};
use crate::config::{self, Config};
use crate::exit::Verdict;
use crate::failure::Failure;
use crate::wiring::{settings, standing};

/// Which incidents to show.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct IncidentsArguments {
    #[command(subcommand)]
    command: Option<IncidentsCommand>,

    /// Also the closed ones of the last 90 days.
    #[arg(long)]
    all: bool,

    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

/// What to do with one incident.
#[derive(Debug, Subcommand)]
pub(crate) enum IncidentsCommand {
    /// Everything about one incident: what was seen and what has changed, the exception until it has healed, and the letter
    /// to the other side's postmaster.
    ///
    /// Exit status: 0 shown; 1 there is no such incident.
    Show {
        /// The incident, as `danerelay incidents` names it.
        id: String,

        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

/// One incident with what can be done about it.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    incident: &'a Incident,
    remedy: Remedy,
    letter: Option<Letter>,
}

/// Shows incidents.
pub(crate) fn run(
    arguments: &IncidentsArguments,
    named: Option<&std::path::Path>,
) -> Result<Verdict, Failure> {
    let config = config::load(named)?.config;
    let now = Timestamp::now();
    let found = find(&config, now)?;
    match &arguments.command {
        Some(IncidentsCommand::Show { id, json }) => show(&config, (&found, id), *json, now),
        None => list(&found, arguments, &config),
    }
}

/// All incidents: from the daemon, which also knows what is wrong on our own side, or from the spool of a stopped one.
pub(super) fn find(config: &Config, now: Timestamp) -> Result<Vec<Incident>, Failure> {
    match source::open(config)? {
        Source::Daemon(mut client) => {
            client.ask(&Request::Incidents)?;
            let mut found = Vec::new();
            loop {
                match client.next::<Incident, Nothing>()? {
                    Line::Result(incident) => found.push(incident),
                    Line::Progress(_) | Line::Error(_) => {}
                    Line::End(Nothing {}) => return Ok(found),
                }
            }
        }
        Source::Spool(spool) => {
            let known = wait(async { Ok(spool.incidents().await?) })?;
            let terms = Terms {
                max_age: config.delivery.max_age.0,
                now,
            };
            let composed = compose(known, &Ours::default(), terms);
            Ok(composed.into_iter().map(|one| one.incident).collect())
        }
    }
}

fn list(found: &[Incident], arguments: &IncidentsArguments, config: &Config) -> Result<Verdict, Failure> {
    let mut chosen = found
        .iter()
        .filter(|one| arguments.all || one.is_open())
        .peekable();
    if arguments.json {
        for incident in chosen {
            write_json(incident)?;
        }
        return Ok(Verdict::Good);
    }
    if chosen.peek().is_none() {
        write(&format!(
            "no incidents: nothing is held up by a security failure\n{}",
            not_needed(config)
        ))?;
        return Ok(Verdict::Good);
    }
    let mut text = format!(
        "{:<12} {:<8} {:<20} {:<9} {:>8} {:>7}  {:<20}  {}\n",
        "id", "status", "since", "messages", "oldest", "domains", "first return", "what"
    );
    for incident in chosen {
        let _ = writeln!(text, "{}", row(incident));
    }
    text.push_str(&not_needed(config));
    write(&text)?;
    Ok(Verdict::Good)
}

/// What the daily test has found to work again: a line, or nothing.
fn not_needed(config: &Config) -> String {
    let healed = client::standing(config).map_or_else(|_| Vec::new(), |trouble| trouble.tests.healed);
    let words = standing::not_needed(healed.iter());
    words.map_or_else(String::new, |words| {
        format!("\n{words}: see `danerelay danefail list`\n")
    })
}

fn row(incident: &Incident) -> String {
    let least = if incident.domains_at_least { "+" } else { "" };
    let status = if incident.is_open() { "open" } else { "over" };
    let time = |time: Option<Timestamp>| time.map_or_else(|| "-".to_owned(), |time| format!("{time:.0}"));
    let age = incident.oldest_age.map_or_else(|| "-".to_owned(), span);
    format!(
        "{:<12} {status:<8} {:<20} {:>9} {age:>8} {:>7}  {:<20}  {}",
        incident.id,
        time(Some(incident.first_seen)),
        incident.messages,
        format!("{}{least}", incident.domains),
        time(incident.first_return),
        printable(&incident.summary)
    )
}

fn show(
    config: &Config,
    (found, id): (&[Incident], &str),
    json: bool,
    now: Timestamp,
) -> Result<Verdict, Failure> {
    let incident = found.iter().find(|one| one.is_known_as(id)).ok_or_else(|| {
        AdminError::Refused(Refusal::new(
            RefusalKind::Unknown,
            format!("there is no incident {id:?}; `danerelay incidents --all` lists them"),
        ))
    })?;
    let relay = settings::hostname(config)?;
    if json {
        write_json(&Shown {
            incident,
            remedy: remedy::propose(incident, now),
            letter: letter::write(incident, relay.as_str()),
        })?;
    } else {
        write(&page::write(incident, relay.as_str(), now))?;
    }
    Ok(Verdict::Good)
}
