//! `danerelay tlsrpt show`: what is counted.

use std::fmt::Write as _;
use std::path::Path;

use clap::Args;
use mail::{Domain, TlsDetail, TlsPolicy, TlsTally, count};
use spool::{TlsDay, TlsTallies};

use crate::admin::protocol::{Line, Request};
use crate::commands::client::Client;
use crate::commands::output::{notice, printable, write, write_json};
use crate::commands::source::{self, Source, wait};
use crate::commands::values::formed;
use crate::config::{self, Config, units::DomainName};
use crate::exit::Verdict;
use crate::failure::Failure;
use crate::tlsrpt::{Collected, PAGE, page};

/// What to show.
#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// A next-hop domain or a TLSA base domain: its policies, and what failed. Without one, all domains with their sums.
    #[arg(value_parser = formed::<DomainName>)]
    domain: Option<Domain>,

    /// Print one JSON object a line: for each day and domain.
    #[arg(long)]
    json: bool,
}

/// Shows what is counted.
pub(super) fn run(arguments: &ShowArguments, named: Option<&Path>) -> Result<Verdict, Failure> {
    let config = config::load(named)?.config;
    let (found, days) = collected(&config, arguments.domain.as_ref())?;
    for day in days.iter().filter(|day| day.left_out > 0) {
        let (day, many) = (day.day, day.left_out);
        notice(&format!(
            "{day}: {many} results of sessions are not counted, because there were too many domains and policies"
        ));
    }
    if arguments.json {
        for one in &found {
            write_json(one)?;
        }
        return Ok(Verdict::Good);
    }
    if found.is_empty() {
        write("nothing is collected\n")?;
        return Ok(Verdict::Good);
    }
    write(&if arguments.domain.is_some() {
        in_full(&found)
    } else {
        table(&found)
    })?;
    Ok(Verdict::Good)
}

/// What is counted: from the daemon, or from the spool of a stopped one.
pub(super) fn collected(
    config: &Config,
    domain: Option<&Domain>,
) -> Result<(Vec<Collected>, Vec<TlsDay>), Failure> {
    match source::open(config)? {
        Source::Daemon(client) => ask(client, domain),
        Source::Spool(spool) => wait(read(&spool, domain)),
    }
}

fn ask(mut client: Client, domain: Option<&Domain>) -> Result<(Vec<Collected>, Vec<TlsDay>), Failure> {
    let domain = domain.cloned();
    client.ask(&Request::Tlsrpt { domain })?;
    let mut found = Vec::new();
    loop {
        match client.next::<Collected, Vec<TlsDay>>()? {
            Line::Result(one) => found.push(one),
            Line::Progress(_) | Line::Error(_) => {}
            Line::End(days) => return Ok((found, days)),
        }
    }
}

async fn read<S: TlsTallies>(
    spool: &S,
    domain: Option<&Domain>,
) -> Result<(Vec<Collected>, Vec<TlsDay>), Failure> {
    let days = spool.tls_days().await?;
    let mut found: Vec<Collected> = Vec::new();
    for day in &days {
        let mut after = None;
        loop {
            let page = page(spool, day.day, domain, after.take()).await?;
            let is_last = page.len() < PAGE || domain.is_some();
            after = page.last().map(|last| last.domain.clone());
            found.extend(page);
            if is_last {
                break;
            }
        }
    }
    Ok((found, days))
}

fn table(found: &[Collected]) -> String {
    let mut text = format!(
        "{:<10} {:>10} {:>10}  {}\n",
        "day (UTC)", "met", "failed", "report for"
    );
    for one in found {
        let _ = writeln!(
            text,
            "{:<10} {:>10} {:>10}  {}",
            one.day.to_string(),
            one.successes,
            one.failures,
            one.domain
        );
    }
    text
}

fn in_full(found: &[Collected]) -> String {
    let mut text = String::new();
    for one in found {
        let _ = writeln!(text, "{} on {} (UTC)", one.domain, one.day);
        for tally in &one.policies {
            add_tally(&mut text, tally);
        }
    }
    text
}

fn add_tally(text: &mut String, tally: &TlsTally) {
    let (kind, strings): (&str, &[String]) = match &tally.policy {
        TlsPolicy::Tlsa { records, .. } => ("TLSA records at", records),
        TlsPolicy::Sts { lines, .. } => ("MTA-STS policy of", lines),
        TlsPolicy::None { .. } => ("no policy of", &[]),
    };
    let domain = tally.policy.domain();
    let _ = writeln!(
        text,
        "  {kind} {domain}: {} met it, {} failed",
        count(tally.successes, "session"),
        tally.failures
    );
    for string in strings {
        let _ = writeln!(text, "    {}", printable(string));
    }
    for detail in &tally.details {
        let _ = writeln!(text, "    {:>6}  {}", detail.count, words(detail));
    }
    let told: u64 = tally.details.iter().map(|detail| detail.count).sum();
    if told < tally.failures {
        let _ = writeln!(
            text,
            "    {:>6}  of further kinds, which are not kept",
            tally.failures - told
        );
    }
}

fn words(detail: &TlsDetail) -> String {
    let failure = &detail.failure;
    let mut words = failure.result.to_string();
    if let Some(host) = &failure.mx_host {
        let _ = write!(words, " at {host}");
    }
    if let Some(address) = failure.receiving_ip {
        let _ = write!(words, " [{address}]");
    }
    if let Some(address) = failure.sending_ip {
        let _ = write!(words, " from {address}");
    }
    if let Some(reason) = &failure.reason {
        let _ = write!(words, ": {}", printable(reason));
    }
    words
}
