//! `danerelay check`: whether domains can be reached securely.

use std::num::NonZeroU16;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use dns::{Resolver, self_test};
use jiff::Timestamp;
use mail::Domain;

use super::look_up::{DnsOptions, block_on};
use super::output;
use super::values::{formed, port};
use crate::check::Verdict as Of;
use crate::check::paint::Paint;
use crate::check::{Connecting, Depth, Examiner, Report, Setup, Wanted, text};
use crate::config::units::DomainName;
use crate::config::{self, Config};
use crate::exit::Verdict;
use crate::failure::Failure;
use crate::wiring::{WiringError, resolver};

/// Up to so many domains are looked at closely; of more, servers are bothered with one connection each.
const FEW: usize = 8;

/// Which domains, how closely to look, and how to say it.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "options of the command line")]
pub(crate) struct CheckArguments {
    /// The domains, as in recipients' addresses.
    #[arg(value_name = "DOMAIN", required = true, value_parser = formed::<DomainName>)]
    domains: Vec<Domain>,

    /// Look at DNS alone, and connect to no host.
    #[arg(long)]
    no_connect: bool,

    /// The port of the MX hosts, and of their TLSA records, instead of `delivery.port`.
    #[arg(long, value_name = "PORT", value_parser = port)]
    port: Option<NonZeroU16>,

    /// How many seconds each step of a session may take, at most 30.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    timeout: Duration,

    /// Warn of certificates and signatures that expire within so many days.
    #[arg(long, value_name = "N", default_value = "14", value_parser = days)]
    days: u16,

    /// Exit with 0 although domains are insecure.
    #[arg(long)]
    allow_insecure: bool,

    /// Print one line for each domain that is not secure, and nothing else.
    #[arg(long, short)]
    quiet: bool,

    /// Print one JSON object for each domain, on a line of its own.
    #[arg(long, conflicts_with = "quiet")]
    json: bool,

    // Last: its heading holds for whatever follows.
    #[command(flatten)]
    dns: DnsOptions,
}

/// Parses `--timeout`.
fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().filter(|seconds| (1..=30).contains(seconds));
    let seconds = seconds.map(Duration::from_secs);
    seconds.ok_or("allowed: a whole number of seconds from 1 to 30")
}

/// Parses `--days`.
fn days(text: &str) -> Result<u16, &'static str> {
    let days = text.parse().ok().filter(|days| *days <= 3650);
    days.ok_or("allowed: a whole number of days from 0 to 3650")
}

/// Checks each domain and prints what was found.
pub(crate) fn run(arguments: &CheckArguments, named: Option<&Path>) -> Result<Verdict, Failure> {
    let mut loaded = config::load(named)?;
    arguments.dns.apply(&mut loaded.config.dns);
    let reports = block_on(check(arguments, &loaded.config))??;
    let Some(reports) = reports else {
        return Ok(Verdict::Undecided);
    };
    for (place, report) in reports.iter().enumerate() {
        print(arguments, report, place > 0)?;
    }
    Ok(verdict(&reports, arguments.allow_insecure))
}

fn print(arguments: &CheckArguments, report: &Report, is_further: bool) -> Result<(), Failure> {
    let paint = Paint::of_output();
    if arguments.json {
        return output::write_json(report);
    }
    if arguments.quiet {
        return match report.verdict {
            Of::Secure => Ok(()),
            Of::NoMail if !report.is_missing() => Ok(()),
            Of::Insecure | Of::Broken | Of::Unreachable | Of::NoMail => {
                output::write_painted(&text::line(report, paint))
            }
        };
    }
    let gap = if is_further { "\n" } else { "" };
    output::write_painted(&format!("{gap}{}", text::write(report, paint)))
}

/// `None` if our own resolver fails: then nobody else is blamed.
async fn check(arguments: &CheckArguments, config: &Config) -> Result<Option<Vec<Report>>, WiringError> {
    let resolver = Resolver::new(resolver::plan(config, &config.dns.domain_insecure)?.config)?;
    if let Err(fault) = self_test::run(&resolver, &resolver::names(&config.dns)).await {
        output::notice(&format!(
            "our own resolver fails, and nothing is checked by it: {fault}"
        ));
        return Ok(None);
    }
    let setup = Setup {
        connecting: if arguments.no_connect {
            Connecting::No
        } else {
            Connecting::Yes
        },
        depth: if arguments.domains.len() > FEW {
            Depth::Verdict
        } else {
            Depth::Everything
        },
        port: arguments.port.map(NonZeroU16::get),
        timeout: Some(arguments.timeout),
    };
    let examiner = Examiner::new(config, resolver, setup)?;
    let wanted = Wanted {
        days: arguments.days,
        now: Timestamp::now(),
    };
    let mut reports = Vec::new();
    for domain in &arguments.domains {
        reports.push(Report::new(examiner.examine(domain).await, wanted));
    }
    Ok(Some(reports))
}

/// The exit status: what is wrong counts more than what is not known.
fn verdict(reports: &[Report], allow_insecure: bool) -> Verdict {
    let is_bad = |report: &Report| match report.verdict {
        Of::Broken => true,
        Of::Insecure => !allow_insecure,
        Of::NoMail => report.is_missing(),
        Of::Secure | Of::Unreachable => false,
    };
    let is_unknown = |report: &Report| report.verdict == Of::Unreachable;
    if reports.iter().any(is_bad) {
        Verdict::Bad
    } else if reports.iter().any(is_unknown) {
        Verdict::Undecided
    } else {
        Verdict::Good
    }
}
