//! `danefail suggest`: the exceptions that would let held mail pass.

use std::fmt::Write as _;

use clap::Args;
use jiff::Timestamp;
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
        .filter(Incident::is_open)
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
            "# {}\n# since {:.0}: {} messages for {} domains; incident {}\n# {}",
            printable(&incident.summary),
            incident.first_seen,
            incident.messages,
            incident.domains,
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
