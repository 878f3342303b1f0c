//! `danerelay queue summary`.

use std::fmt::Write as _;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use spool::{Inspect as _, Summary};

use super::list::complain;
use super::source::{self, Source, wait};
use super::table;
use crate::admin::protocol::Request;
use crate::admin::{DESTINATIONS, aged};
use crate::commands::output::{printable, write, write_json};
use crate::config::Config;
use crate::exit::Verdict;
use crate::failure::Failure;

/// How to count.
#[derive(Debug, Args)]
pub(crate) struct SummaryArguments {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Counts what is in the queue.
pub(super) fn run(config: &Config, arguments: &SummaryArguments) -> Result<Verdict, Failure> {
    let summary = match source::open(config)? {
        Source::Daemon(mut client) => {
            client.ask(&Request::Summary)?;
            client.end()?
        }
        Source::Spool(spool) => aged(
            wait(async { Ok(spool.summary(DESTINATIONS).await?) })?,
            Timestamp::now(),
        ),
    };
    if arguments.json {
        write_json(&summary)?;
    } else {
        write(&text(&summary))?;
    }
    Ok(complain(&summary.unreadable))
}

fn text(summary: &Summary) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "messages    {}", summary.messages);
    let _ = writeln!(text, "octets      {}", summary.bytes);
    if let Some(oldest) = summary.oldest {
        let age = i64::try_from(summary.oldest_age.unwrap_or(0)).unwrap_or(i64::MAX);
        let age = table::span(SignedDuration::from_secs(age));
        let _ = writeln!(text, "oldest      {oldest:.0} ({age} ago)");
    }
    let by_state = summary.recipients;
    let _ = writeln!(
        text,
        "recipients  queued {}, leased {}, deferred {}, held {}, sent {}, failed {}",
        by_state.queued, by_state.leased, by_state.deferred, by_state.held, by_state.sent, by_state.failed
    );
    if !summary.destinations.is_empty() {
        let _ = writeln!(text, "\nmessages  recipients  oldest                next hop");
    }
    for destination in &summary.destinations {
        let _ = writeln!(
            text,
            "{:>8}  {:>10}  {:.0}  {}",
            destination.messages,
            destination.recipients,
            destination.oldest,
            printable(&destination.next_hop)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use spool::{DestinationCount, StateCounts, Unreadable};

    use super::*;

    #[test]
    fn an_empty_queue_has_no_destinations() {
        let text = text(&Summary::default());
        assert!(
            text.starts_with("messages    0\noctets      0\nrecipients  queued 0,"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 3);
    }

    #[test]
    fn the_counts_stand_beside_their_names() {
        let oldest = Timestamp::UNIX_EPOCH;
        let summary = Summary {
            messages: 2,
            bytes: 300,
            oldest: Some(oldest),
            oldest_age: Some(7200),
            recipients: StateCounts {
                held: 3,
                ..StateCounts::default()
            },
            unreadable: Unreadable::default(),
            destinations: vec![DestinationCount {
                next_hop: "a.example".to_owned(),
                messages: 2,
                recipients: 3,
                oldest,
            }],
        };
        let text = text(&summary);
        assert!(
            text.contains("oldest      1970-01-01T00:00:00Z (2h ago)"),
            "{text}"
        );
        assert!(text.contains(" held 3, "), "{text}");
        assert!(
            text.ends_with("       2           3  1970-01-01T00:00:00Z  a.example\n"),
            "{text}"
        );
    }
}
