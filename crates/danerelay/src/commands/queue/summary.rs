//! `danerelay queue summary`.

use std::fmt::Write as _;

use clap::Args;
use jiff::Timestamp;
use mail::words::span;
use spool::{Ages, Inspect as _, Summary};

use super::list::complain;
use crate::admin::protocol::Request;
use crate::admin::{DESTINATIONS, aged};
use crate::commands::output::{printable, write, write_json};
use crate::commands::source::{self, Source, wait};
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
        Source::Spool(spool) => {
            let now = Timestamp::now();
            aged(wait(async { Ok(spool.summary(DESTINATIONS, now).await?) })?, now)
        }
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
        let age = span(age);
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
    let more = summary
        .next_hops
        .saturating_sub(summary.destinations.len() as u64);
    if more > 0 {
        let _ = writeln!(text, "and {more} more");
    }
    if !summary.reasons.is_empty() {
        let _ = writeln!(text, "\nmessages  recipients  reason");
    }
    for reason in &summary.reasons {
        let cause = reason.cause.map_or_else(String::new, |cause| format!(" {cause}"));
        let enhanced = printable(&reason.enhanced);
        let _ = writeln!(
            text,
            "{:>8}  {:>10}  {enhanced}{cause}",
            reason.messages, reason.recipients
        );
    }
    if !summary.destinations.is_empty() {
        text.push_str(&by_age(summary));
    }
    text
}

/// Recipients by the age of their messages in minutes, in the form of Postfix's qshape.
fn by_age(summary: &Summary) -> String {
    let names: Vec<String> = summary
        .destinations
        .iter()
        .map(|destination| printable(&destination.next_hop))
        .collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let width = width.max("TOTAL".len());
    let mut text = format!("\n{:>width$} {:>7}", "", "T");
    for minutes in Ages::MINUTES {
        let _ = write!(text, " {minutes:>5}");
    }
    let _ = writeln!(text, " {:>5}", "1280+");
    let total = ("TOTAL", &summary.ages);
    let each = summary.destinations.iter().map(|destination| &destination.ages);
    for (name, ages) in [total]
        .into_iter()
        .chain(names.iter().map(String::as_str).zip(each))
    {
        let all: u64 = ages.columns().iter().sum();
        let _ = write!(text, "{name:>width$} {all:>7}");
        for count in ages.columns() {
            let _ = write!(text, " {count:>5}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::SignedDuration;
    use spool::{DestinationCount, ReasonCount, StateCounts, Unreadable};

    use super::*;

    fn of_age(minutes: &[i64]) -> Ages {
        let mut ages = Ages::default();
        for minutes in minutes {
            ages.add(SignedDuration::from_mins(*minutes));
        }
        ages
    }

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
            states: StateCounts::default(),
            recipients: StateCounts {
                held: 3,
                ..StateCounts::default()
            },
            unreadable: Unreadable::default(),
            ages: of_age(&[1, 90, 3000]),
            next_hops: 4,
            destinations: vec![DestinationCount {
                next_hop: "a.example".to_owned(),
                messages: 2,
                recipients: 3,
                oldest,
                ages: of_age(&[1, 90, 3000]),
            }],
            reasons: vec![ReasonCount {
                cause: Some(mail::CauseKind::TlsaNoMatch),
                enhanced: "4.7.5".to_owned(),
                messages: 1,
                recipients: 2,
            }],
        };
        let text = text(&summary);
        assert!(
            text.contains("oldest      1970-01-01T00:00:00Z (2h ago)"),
            "{text}"
        );
        assert!(text.contains(" held 3, "), "{text}");
        let tables = "\
messages  recipients  oldest                next hop
       2           3  1970-01-01T00:00:00Z  a.example
and 3 more

messages  recipients  reason
       1           2  4.7.5 No matching TLSA RRs

                T     5    10    20    40    80   160   320   640  1280 1280+
    TOTAL       3     1     0     0     0     0     1     0     0     0     1
a.example       3     1     0     0     0     0     1     0     0     0     1
";
        assert!(text.ends_with(tables), "{text}");
    }
}
