//! `danefail suggest`: the exceptions that would let held mail pass.

use std::fmt::Write as _;

use clap::Args;
use jiff::Timestamp;
use mail::count;
use report::incidents::{Incident, remedy};
use serde::Serialize;

use crate::commands::incidents;
use crate::commands::output::{self, printable};
use crate::config::Loaded;
use crate::exit::Verdict;
use crate::failure::Failure;

/// How to show it.
#[derive(Debug, Args)]
pub(crate) struct SuggestArguments {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// All that is suggested.
#[derive(Debug, Serialize)]
struct Suggestions {
    suggestions: Vec<Suggestion>,
}

/// What is suggested for one incident, and the evidence.
#[derive(Debug, Serialize)]
struct Suggestion {
    incident: Incident,
    commands: Vec<String>,
    advice: String,
}

/// `suggest`.
pub(super) fn run(arguments: &SuggestArguments, loaded: &Loaded) -> Result<Verdict, Failure> {
    let now = Timestamp::now();
    let open = incidents::find(&loaded.config, now)?.into_iter();
    let suggestions: Vec<Suggestion> = open
        // Where no mail waits, an exception would let nothing pass.
        .filter(|incident| incident.is_open() && incident.messages > 0)
        .filter_map(|incident| {
            let remedy = remedy::propose(&incident, now);
            (!remedy.commands.is_empty()).then_some(Suggestion {
                incident,
                commands: remedy.commands,
                advice: remedy.advice,
            })
        })
        .collect();
    if arguments.json {
        output::write_json(&Suggestions { suggestions })?;
    } else {
        output::write(&lines(&suggestions))?;
    }
    Ok(Verdict::Good)
}

/// Commands to paste, each after comments with the evidence.
fn lines(suggestions: &[Suggestion]) -> String {
    if suggestions.is_empty() {
        return "# nothing is held up that an exception would let pass\n".to_owned();
    }
    let mut lines = String::new();
    for one in suggestions {
        let incident = &one.incident;
        let _ = writeln!(
            lines,
            "# {}\n# since {:.0}: {} for {}; incident {}\n# {}",
            printable(&incident.summary),
            incident.first_seen,
            count(incident.messages, "message"),
            incident.domains_in_words(),
            incident.id,
            one.advice
        );
        for command in &one.commands {
            let _ = writeln!(lines, "{command}");
        }
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io;
    use std::path::Path;
    use std::time::Duration;

    use clap::Parser as _;
    use mail::Domain;
    use mail::sighting::{Evidence, Place, Spot, Trouble};
    use policy::{Fetched, Missing, Policy, Sources, Text};
    use report::incidents::ours::Ours;
    use report::incidents::{Terms, compose};
    use spool::{IncidentNumber, KnownIncident, Noticed, Told, Waiting};

    use super::*;
    use crate::cli::Cli;

    fn known(number: u64, place: Place, trouble: Trouble) -> KnownIncident {
        let at = Timestamp::now();
        KnownIncident {
            number: IncidentNumber(number),
            first_seen: at,
            last_seen: at,
            evidence: Evidence {
                base: place.domain().cloned(),
                ..Evidence::of_words(at, "r")
            },
            spot: Spot { place, trouble },
            before: None,
            ended: None,
            reopened: 0,
            domains: Vec::new(),
            stands_for_more: false,
            has_more_domains: false,
            waiting: Waiting {
                messages: 1,
                recipients: 1,
                ..Waiting::default()
            },
            told: Told::default(),
            noticed: Noticed::default(),
        }
    }

    /// At a host, at some hosts of a provider, at very many, and at a domain.
    fn incidents(trouble: Trouble) -> Vec<Incident> {
        let host = |number: u64| Place::Host(Domain::parse(&format!("mx{number}.p.example")).unwrap());
        let hosts = |count| {
            (1..=count)
                .map(|number| known(number, host(number), trouble))
                .collect()
        };
        let domain = known(1, Place::Domain(Domain::parse("d.example").unwrap()), trouble);
        let terms = Terms {
            max_age: Duration::from_hours(1),
            now: Timestamp::now(),
        };
        let all = [hosts(1), hosts(3), hosts(20), vec![domain]];
        let all = all
            .into_iter()
            .flat_map(|known| compose(known, &Ours::default(), terms));
        all.map(|one| one.incident).collect()
    }

    /// What the shell makes of a command, whose only quotes are those of the reason.
    fn words(command: &str) -> Vec<String> {
        let (head, reason) = command.split_once(" --reason \"").unwrap();
        let words = head.split(' ').map(str::to_owned);
        words
            .chain([
                "--reason".to_owned(),
                reason.strip_suffix('"').unwrap().to_owned(),
            ])
            .collect()
    }

    fn compile(text: &str) -> Result<(), String> {
        let sources = Sources {
            policy: Text {
                file: Path::new("policy.toml"),
                text,
            },
            added: None,
            read: &|_| Err(io::ErrorKind::NotFound.into()),
            fetched: &|_| Fetched::Never(Missing::Warned),
            read_login: &|_| Err(io::ErrorKind::NotFound.into()),
            today: jiff::Zoned::now().date(),
        };
        Policy::compile(&sources)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn every_command_and_table_that_is_proposed_is_accepted() {
        let mut proposed = 0;
        for trouble in Trouble::ALL {
            for incident in incidents(trouble) {
                let remedy = remedy::propose(&incident, Timestamp::now());
                for command in &remedy.commands {
                    let parsed = Cli::try_parse_from(words(command));
                    assert!(
                        parsed.is_ok(),
                        "{trouble:?}: {command}\n{}",
                        parsed.err().unwrap()
                    );
                    proposed += 1;
                }
                let table = remedy.exception.unwrap_or_default();
                compile(&format!("version = 1\n{table}")).unwrap();
            }
        }
        assert!(proposed > 90, "{proposed}");
    }
}
