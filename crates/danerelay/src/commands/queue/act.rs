//! `danerelay queue retry`, `hold`, `release` and `delete`.

use std::io::{self, IsTerminal, Write};

use clap::{ArgGroup, Args};
use mail::QueueId;
use serde::Serialize;
use spool::Action;

use super::select::SelectorArguments;
use crate::admin::protocol::{Acts, Line, Nothing, Request, word};
use crate::admin::selectors::Selectors;
use crate::commands::client::{AdminError, Client};
use crate::commands::output::{notice, write, write_json};
use crate::config::Config;
use crate::exit::Verdict;
use crate::failure::Failure;

/// Whom it is done to.
#[derive(Debug, Args)]
#[command(group(
    ArgGroup::new("whom")
        .args(["ids", "all", "id", "recipient", "recipient_domain", "sender", "older_than", "reason"])
        .multiple(true)
        .required(true)
))]
pub(crate) struct ActArguments {
    /// The same as --id for each.
    #[arg(value_name = "ID", conflicts_with = "all")]
    ids: Vec<QueueId>,

    #[command(flatten)]
    selectors: SelectorArguments,

    /// Print the counts as one JSON object.
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Answer {
    action: &'static str,
    #[serde(flatten)]
    acts: Acts,
}

/// Makes the daemon do it, and prints for how many recipients it was done.
pub(super) fn run(config: &Config, action: Action, arguments: &ActArguments) -> Result<Verdict, Failure> {
    let mut selectors = Selectors::from(&arguments.selectors);
    selectors.id.extend(&arguments.ids);
    let mut client = Client::connect(config)?;
    client.ask(&Request::act(action, selectors))?;
    let mut sofar = Acts::default();
    let acts = follow(&mut client, &mut sofar).inspect_err(|_| {
        if sofar.selected() > 0 {
            notice(&format!("{}, then broken off", told(action, &sofar)));
        }
    })?;
    if arguments.json {
        let action = word(action);
        write_json(&Answer { action, acts })?;
    } else {
        write(&format!("{}\n", told(action, &acts)))?;
    }
    match acts.unreadable {
        0 => {}
        1 => notice("1 message cannot be read, and was left alone: see the relay's log"),
        many => notice(&format!(
            "{many} messages cannot be read, and were left alone: see the relay's log"
        )),
    }
    Ok(if acts.selected() > 0 && acts.unreadable == 0 {
        Verdict::Good
    } else {
        Verdict::Bad
    })
}

fn follow(client: &mut Client, sofar: &mut Acts) -> Result<Acts, AdminError> {
    let shown = io::stderr().is_terminal();
    loop {
        match client.next::<Nothing, Acts>()? {
            Line::Progress(acts) => {
                *sofar = acts;
                if shown {
                    // Overwritten by the next progress line, and by the answer.
                    let _ = write!(io::stderr(), "{} recipients …\r", acts.selected());
                }
            }
            Line::Result(Nothing {}) | Line::Error(_) => {}
            Line::End(acts) => return Ok(acts),
        }
    }
}

/// The counts as text.
fn told(action: Action, acts: &Acts) -> String {
    if acts.selected() == 0 {
        return "no recipient in the queue fits".to_owned();
    }
    let (done, one_left, many_left) = match action {
        Action::Retry => (
            "retrying",
            "is held and stays so, or is gone",
            "are held and stay so, or are gone",
        ),
        Action::Hold => ("held", "is held already or gone", "are held already or gone"),
        Action::Release => ("released", "is not held or gone", "are not held or gone"),
        Action::Delete => ("deleted", "is gone already", "are gone already"),
    };
    let mut parts = vec![format!(
        "{done} {} of {}",
        counted(acts.done, "recipient"),
        counted(acts.messages, "message")
    )];
    match acts.leased {
        0 => {}
        1 => parts.push("1 is being delivered now and was left alone".to_owned()),
        many => parts.push(format!("{many} are being delivered now and were left alone")),
    }
    match acts.unsuitable {
        0 => {}
        1 => parts.push(format!("1 {one_left}")),
        many => parts.push(format!("{many} {many_left}")),
    }
    parts.join("; ")
}

/// `1 message`, `2 messages`.
pub(super) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        act: ActArguments,
    }

    fn parse(options: &[&str]) -> Option<Selectors> {
        let line = CommandLine::try_parse_from([&["hold"], options].concat()).ok()?;
        let mut selectors = Selectors::from(&line.act.selectors);
        selectors.id.extend(&line.act.ids);
        Some(selectors)
    }

    #[test]
    fn something_must_be_selected() {
        assert!(parse(&[]).is_none());
        assert!(parse(&["--json"]).is_none());
        assert!(parse(&["--all"]).unwrap().all);
        assert!(parse(&["--all", "--sender", "<>"]).is_none());
        let (one, two) = (QueueId::generate(), QueueId::generate());
        let (id, other) = (one.to_string(), two.to_string());
        assert!(parse(&["--all", &id]).is_none());
        assert_eq!(parse(&["--id", &id, &other]).unwrap().id, [one, two]);
        assert_eq!(parse(&["--sender", "<>"]).unwrap().sender.as_deref(), Some("<>"));
        let domain = parse(&["--recipient-domain", "[192.0.2.1]"]).unwrap();
        assert_eq!(domain.to_string(), "--recipient-domain [192.0.2.1]");
        let recipient = parse(&["--recipient", "<a@b.example>"]).unwrap();
        assert_eq!(recipient.to_string(), "--recipient a@b.example");
        for empty in ["", " "] {
            assert!(parse(&["--recipient", empty]).is_none());
            assert!(parse(&["--sender", empty]).is_none());
            assert!(parse(&["--reason", empty]).is_none());
        }
    }

    #[test]
    fn the_counts_are_told_in_words() {
        let acts = |messages, done, leased, unsuitable| Acts {
            messages,
            done,
            leased,
            unsuitable,
            unreadable: 0,
        };
        assert_eq!(
            told(Action::Hold, &acts(2, 3, 1, 0)),
            "held 3 recipients of 2 messages; 1 is being delivered now and was left alone"
        );
        assert_eq!(
            told(Action::Release, &acts(1, 1, 2, 2)),
            "released 1 recipient of 1 message; 2 are being delivered now and were left alone; 2 are not held or gone"
        );
        assert_eq!(
            told(Action::Retry, &acts(0, 0, 0, 1)),
            "retrying 0 recipients of 0 messages; 1 is held and stays so, or is gone"
        );
        assert_eq!(
            told(Action::Delete, &acts(0, 0, 0, 0)),
            "no recipient in the queue fits"
        );
    }
}
