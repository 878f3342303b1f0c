//! `danerelay queue list`.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;
use mail::{QueueId, count};
use spool::{Inspect, QueuedMessage, Unreadable};

use super::select::SelectorArguments;
use super::table;
use crate::admin::protocol::{Line, Listed, Request};
use crate::admin::selectors::Selectors;
use crate::admin::walk::Walk;
use crate::commands::client::Client;
use crate::commands::output::notice;
use crate::commands::source::{self, Source, wait};
use crate::config::Config;
use crate::exit::Verdict;
use crate::failure::Failure;
use crate::json;

/// What to list, and how.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// The same as --id for each.
    #[arg(value_name = "ID", conflicts_with = "all")]
    ids: Vec<QueueId>,

    /// Print one JSON object a line and message.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    selectors: SelectorArguments,
}

/// Lists the selected messages.
pub(super) fn run(config: &Config, arguments: &ListArguments) -> Result<Verdict, Failure> {
    let mut selectors = Selectors::from(&arguments.selectors);
    selectors.id.extend(&arguments.ids);
    let all = selectors.all || selectors.is_empty();
    let mut listing = Listing::new(arguments.json, BufWriter::new(io::stdout().lock()));
    let listed = match source::open(config)? {
        Source::Daemon(client) => ask(client, selectors, &mut listing),
        Source::Spool(spool) => wait(read(&spool, selectors, &mut listing)),
    };
    let ended = listed.and_then(|unreadable| {
        listing
            .finish(all && unreadable.is_none())
            .map_err(Failure::Output)?;
        Ok(complain(&unreadable))
    });
    match ended {
        // The reader has seen enough, as `head` has.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Verdict::Good),
        ended => ended,
    }
}

/// Says what could not be shown, and returns the exit status for that.
pub(super) fn complain(unreadable: &Unreadable) -> Verdict {
    match unreadable.messages {
        0 => return Verdict::Good,
        1 => notice(&format!("1 message cannot be read: {}", unreadable.error)),
        many => notice(&format!(
            "{many} messages cannot be read, the first because {}",
            unreadable.error
        )),
    }
    Verdict::Bad
}

fn ask<W: Write>(
    mut client: Client,
    selectors: Selectors,
    listing: &mut Listing<W>,
) -> Result<Unreadable, Failure> {
    client.ask(&Request::List { selectors })?;
    loop {
        match client.next::<QueuedMessage, Listed>()? {
            Line::Result(message) => listing.show(&message).map_err(Failure::Output)?,
            Line::Progress(_) | Line::Error(_) => {}
            Line::End(listed) => return Ok(listed.unreadable),
        }
    }
}

async fn read<S: Inspect, W: Write>(
    spool: &S,
    selectors: Selectors,
    listing: &mut Listing<W>,
) -> Result<Unreadable, Failure> {
    let (mut walk, now) = (Walk::new(&selectors), Timestamp::now());
    let selectors = Arc::new(selectors);
    let fitting = move |message| selectors.fit(&message, now).then_some(message);
    while let Some(page) = walk.next(spool, fitting.clone()).await? {
        for message in page {
            listing.show(&message).map_err(Failure::Output)?;
        }
    }
    Ok(walk.unreadable().clone())
}

/// A list in progress.
struct Listing<W> {
    json: bool,
    output: W,
    messages: u64,
    octets: u64,
}

impl<W: Write> Listing<W> {
    fn new(json: bool, output: W) -> Self {
        Self {
            json,
            output,
            messages: 0,
            octets: 0,
        }
    }

    fn show(&mut self, message: &QueuedMessage) -> io::Result<()> {
        self.messages = self.messages.saturating_add(1);
        self.octets = self.octets.saturating_add(message.size);
        if self.json {
            json::write(&mut self.output, message)?;
            return self.output.write_all(b"\n");
        }
        if self.messages == 1 {
            table::write_head(&mut self.output)?;
        }
        table::write(message, &mut self.output)
    }

    /// `all`: whether everything in the queue was shown.
    fn finish(mut self, all: bool) -> io::Result<()> {
        match (self.json, self.messages) {
            (true, _) => {}
            (false, 0) if all => writeln!(self.output, "Mail queue is empty")?,
            (false, messages) => {
                writeln!(
                    self.output,
                    "-- {} octets in {}.",
                    self.octets,
                    count(messages, "message")
                )?;
            }
        }
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::Parser;
    use spool::{QueuedRecipient, RecipientIndex, RecipientState};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        list: ListArguments,
    }

    fn recipient(address: &str, state: RecipientState) -> QueuedRecipient {
        QueuedRecipient {
            index: RecipientIndex(0),
            address: address.to_owned(),
            state,
            next_hop: address.split_once('@').unwrap().1.to_owned(),
            attempts: 1,
            host: Some("mx1.xs4all.nl".to_owned()),
            cause: Some(mail::CauseKind::TlsaNoMatch),
            next_attempt: (state == RecipientState::Deferred)
                .then(|| "2026-11-22T10:00:00Z".parse().unwrap()),
            reply_code: Some(451),
            enhanced: Some("4.7.5".to_owned()),
            dane: Some("Fail (No matching TLSA RRs)".to_owned()),
            reason: Some("no \u{1b}[2Jmatch".to_owned()),
        }
    }

    fn messages() -> Vec<QueuedMessage> {
        let message = |sender: &str, created: Timestamp, recipients| QueuedMessage {
            id: QueueId::generate(),
            sender: sender.to_owned(),
            size: 1024,
            created,
            attempts: 1,
            next_attempt: None,
            recipients,
        };
        let old = Timestamp::now() - jiff::SignedDuration::from_hours(2);
        vec![
            message(
                "a@one.example",
                old,
                vec![recipient("x@xs4all.nl", RecipientState::Deferred)],
            ),
            message(
                "",
                Timestamp::now(),
                vec![
                    recipient("y@Two.example", RecipientState::Queued),
                    recipient("z@two.example", RecipientState::Sent),
                ],
            ),
        ]
    }

    fn listed(options: &[&str]) -> String {
        let line = Line::try_parse_from([&["list"], options].concat()).unwrap();
        let mut output = Vec::new();
        let selectors = Selectors::from(&line.list.selectors);
        let mut listing = Listing::new(line.list.json, &mut output);
        for message in messages() {
            if selectors.fit(&message, Timestamp::now()) {
                listing.show(&message).unwrap();
            }
        }
        listing.finish(false).unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn the_table_names_messages_and_recipients_and_nothing_reaches_the_terminal_raw() {
        let table = listed(&[]);
        let columns: Vec<usize> = table.lines().filter_map(|line| line.find('<')).collect();
        assert_eq!(columns, [61; 5], "{table}");
        assert!(
            table.contains(" <a@one.example>\n") && table.contains(" <>\n"),
            "{table}"
        );
        let told = "  (mx1.xs4all.nl: 451 4.7.5 Fail (No matching TLSA RRs): no \\x1B[2Jmatch)\n";
        let state = "  deferred, attempts=1, next=2026-11-22T10:00:00Z  ";
        assert!(table.contains(&format!("{told}{state}")), "{table}");
        // The two recipients of the second message have the same result.
        assert_eq!(table.matches("no \\x1B[2Jmatch").count(), 2, "{table}");
        assert!(table.ends_with("\n\n-- 2048 octets in 2 messages.\n"), "{table}");
        assert!(!table.contains('\u{1b}'));
    }

    #[test]
    fn an_empty_queue_is_said_to_be_empty() {
        for (json, all, text) in [
            (false, true, "Mail queue is empty\n"),
            (false, false, "-- 0 octets in 0 messages.\n"),
            (true, true, ""),
        ] {
            let mut output = Vec::new();
            Listing::new(json, &mut output).finish(all).unwrap();
            assert_eq!(String::from_utf8(output).unwrap(), text);
        }
    }

    #[test]
    fn json_has_one_object_a_line() {
        let json = listed(&["--json"]);
        let objects: Vec<serde_json::Value> = json
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(objects.len(), 2);
        let recipient = objects
            .first()
            .and_then(|object| object.pointer("/recipients/0"))
            .unwrap();
        assert_eq!(recipient.get("state").unwrap(), "deferred");
        assert_eq!(recipient.get("next_attempt").unwrap(), "2026-11-22T10:00:00.000Z");
        assert_eq!(recipient.get("reply_code").unwrap(), 451);
    }

    #[test]
    fn every_selector_must_fit() {
        let count = |options: &[&str]| listed(&[&["--json"], options].concat()).lines().count();
        assert_eq!(count(&["--recipient-domain", "TWO.example."]), 1);
        assert_eq!(count(&["--sender", "a@one.example"]), 1);
        assert_eq!(count(&["--sender", "<>"]), 1);
        assert_eq!(count(&["--older-than", "1h"]), 1);
        assert_eq!(
            count(&["--older-than", "1h", "--recipient-domain", "two.example"]),
            0
        );
        for text in ["MATCH", "4.7.5", "tlsa rrs", "451 4.7.5 fail (no"] {
            assert_eq!(count(&["--reason", text]), 2, "{text}");
        }
        assert_eq!(count(&["--reason", "4.7.4"]), 0);
        assert_eq!(count(&["--id", &QueueId::generate().to_string()]), 0);
        assert_eq!(count(&["--all"]), 2);
        assert!(Line::try_parse_from(["list", "--older-than", "soon"]).is_err());
        assert!(Line::try_parse_from(["list", "--id", "17"]).is_err());
        assert!(Line::try_parse_from(["list", "--all", "--sender", "a@b.example"]).is_err());
    }
}
