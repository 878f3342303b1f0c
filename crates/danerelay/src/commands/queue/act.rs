//! `danerelay queue retry`, `hold`, `release` and `delete`.

use std::io::{self, IsTerminal, Write};

use clap::{ArgGroup, Args};
use mail::{QueueId, count};
use serde::Serialize;
use spool::Action;

use super::select::SelectorArguments;
use super::traced;
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

/// The same for a retry, which can be followed.
#[derive(Debug, Args)]
pub(crate) struct RetryArguments {
    #[command(flatten)]
    act: ActArguments,

    /// Of one message: show each delivery step by step, with the dialogue with the servers, until all of them have ended.
    ///
    /// They use connections of their own. Neither content nor passwords are shown. ^C ends the showing alone. With --json, one
    /// object for each step, and the counts at the end.
    #[arg(long)]
    trace: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Answer {
    action: &'static str,
    #[serde(flatten)]
    acts: Acts,
}

impl ActArguments {
    fn all_selectors(&self) -> Selectors {
        let mut selectors = Selectors::from(&self.selectors);
        selectors.id.extend(&self.ids);
        selectors
    }
}

/// `queue retry`.
pub(super) fn retry(config: &Config, arguments: &RetryArguments) -> Result<Verdict, Failure> {
    let RetryArguments { act, trace } = arguments;
    if !trace {
        return run(config, Action::Retry, act);
    }
    let mut sofar = Acts::default();
    let acts = traced::retry(config, act.all_selectors(), act.json, &mut sofar)
        .inspect_err(|_| tell_broken_off(Action::Retry, &sofar))?;
    conclude(Action::Retry, (acts, "retried"), act.json)
}

/// Makes the daemon do it, and prints for how many recipients it was done.
pub(super) fn run(config: &Config, action: Action, arguments: &ActArguments) -> Result<Verdict, Failure> {
    let selectors = arguments.all_selectors();
    let mut client = Client::connect(config)?;
    client.ask(&Request::act(action, selectors))?;
    let mut sofar = Acts::default();
    let acts = follow(&mut client, &mut sofar).inspect_err(|_| tell_broken_off(action, &sofar))?;
    conclude(action, (acts, verb(action)), arguments.json)
}

/// Says what was done before the daemon broke off.
fn tell_broken_off(action: Action, sofar: &Acts) {
    if sofar.selected() > 0 {
        notice(&format!("{}, then broken off", told(action, verb(action), sofar)));
    }
}

/// Prints what was done, with this verb, and says what that means.
fn conclude(action: Action, (acts, verb): (Acts, &str), is_json: bool) -> Result<Verdict, Failure> {
    if is_json {
        let action = word(action);
        write_json(&Answer { action, acts })?;
    } else {
        write(&format!("{}\n", told(action, verb, &acts)))?;
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

/// What is said of the recipients for which it was done.
fn verb(action: Action) -> &'static str {
    match action {
        Action::Retry => "retrying",
        Action::Hold => "held",
        Action::Release => "released",
        Action::Delete => "deleted",
    }
}

/// The counts as text.
fn told(action: Action, verb: &str, acts: &Acts) -> String {
    if acts.selected() == 0 {
        return "no recipient in the queue fits".to_owned();
    }
    let (one_left, many_left) = match action {
        Action::Retry => (
            "is held and stays so, or is gone",
            "are held and stay so, or are gone",
        ),
        Action::Hold => ("is held already or gone", "are held already or gone"),
        Action::Release => ("is not held or gone", "are not held or gone"),
        Action::Delete => ("is gone already", "are gone already"),
    };
    let mut parts = vec![format!(
        "{verb} {} of {}",
        count(acts.done, "recipient"),
        count(acts.messages, "message")
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
        Some(line.act.all_selectors())
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
            told(Action::Hold, verb(Action::Hold), &acts(2, 3, 1, 0)),
            "held 3 recipients of 2 messages; 1 is being delivered now and was left alone"
        );
        assert_eq!(
            told(Action::Release, verb(Action::Release), &acts(1, 1, 2, 2)),
            "released 1 recipient of 1 message; 2 are being delivered now and were left alone; 2 are not held or gone"
        );
        assert_eq!(
            told(Action::Retry, verb(Action::Retry), &acts(0, 0, 0, 1)),
            "retrying 0 recipients of 0 messages; 1 is held and stays so, or is gone"
        );
        assert_eq!(
            told(Action::Delete, verb(Action::Delete), &acts(0, 0, 0, 0)),
            "no recipient in the queue fits"
        );
    }
}
