//! The command line of `check`.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use mail::Domain;

use crate::commands::look_up::DnsOptions;
use crate::commands::values::{MOST_DAYS, days, formed, port};
use crate::config::units::DomainName;

/// Which domains, how closely to look, and how to say it.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "options of the command line")]
pub(crate) struct CheckArguments {
    /// The domains, as in recipients' addresses. For more than eight, those of --file included, one line each is printed: the
    /// verdict and the finding that matters most. With more than a hundred, each server is connected to only once, and name
    /// servers are not asked one by one.
    #[arg(value_name = "DOMAIN", required_unless_present = "file", value_parser = formed::<DomainName>)]
    pub(super) domains: Vec<Domain>,

    /// Also check the domains of this file, one a line; # starts a comment. `-` is standard input. A line that is no domain is
    /// reported and skipped; the exit status is then 2, or 1 if a domain has failed.
    #[arg(long, value_name = "LIST")]
    pub(super) file: Option<PathBuf>,

    /// Append the results to this file as lines of JSON, and skip the domains that it has results for, if they were made with
    /// the same port, --no-connect and --days: after an interruption the same command continues where it stopped.
    #[arg(long, value_name = "FILE")]
    pub(super) resume: Option<PathBuf>,

    /// Say what has changed since an earlier run, from the lines of JSON that it wrote to this file. May be given more than
    /// once, the oldest first: the last run is compared, and --html shows all of them.
    #[arg(long, value_name = "OLD.json")]
    pub(super) compare: Vec<PathBuf>,

    /// Also write the results as one HTML page.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,

    /// Also write metrics for the textfile collector of Prometheus' node exporter.
    #[arg(long, value_name = "FILE")]
    pub(super) openmetrics: Option<PathBuf>,

    /// Print one line for Nagios and compatible programs, and exit with its statuses: 0 ok, 1 warning, 2 critical (broken),
    /// 3 unknown.
    #[arg(long, conflicts_with_all = ["json", "quiet"])]
    pub(super) nagios: bool,

    /// Look at DNS only, and connect to no mail server.
    #[arg(long)]
    pub(super) no_connect: bool,

    /// The port of the MX hosts, and of their TLSA records, instead of `delivery.port`. On port 465 TLS begins with the first
    /// octet, on others with STARTTLS.
    #[arg(long, value_name = "PORT", value_parser = port)]
    pub(super) port: Option<NonZeroU16>,

    /// How many seconds each step of a session may take, at most 30.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(super) timeout: Duration,

    /// How many seconds one domain may take with all its hosts, at most 3600; without it ten times --timeout. What cannot be
    /// examined in time is named, and hosts or MX records that are missing for this reason count as unreachable. With --nagios
    /// it is the limit of the whole run; without it 50.
    #[arg(long, value_name = "SECONDS", value_parser = deadline)]
    deadline: Option<Duration>,

    /// Warn of certificates and signatures that expire within this many days; of signatures only when less than a quarter of
    /// their lifetime is left.
    #[arg(long, value_name = "N", default_value = "14", value_parser = days(0..=MOST_DAYS))]
    pub(super) days: u16,

    /// How many domains are started in a second, at most 1000, when there are more than eight: each takes about ten DNS queries.
    #[arg(long, value_name = "N", default_value = "100", value_parser = rate)]
    pub(super) rate: NonZeroU16,

    /// Exit with 0 even if domains are insecure.
    #[arg(long)]
    pub(super) allow_insecure: bool,

    /// Print one line for each domain that is not secure, or has errors or warnings; with --compare also what has changed.
    #[arg(long, short)]
    pub(super) quiet: bool,

    /// Print one JSON object for each domain, on a line of its own.
    #[arg(long, conflicts_with = "quiet")]
    pub(super) json: bool,

    // Last: its heading holds for whatever follows.
    #[command(flatten)]
    pub(super) dns: DnsOptions,
}

/// The time for a run with `--nagios`: Nagios ends plugins after 60 seconds (`service_check_timeout`).
const RUN: Duration = Duration::from_secs(50);

impl CheckArguments {
    /// How long the run as a whole may take.
    pub(super) fn limit_of_run(&self) -> Option<Duration> {
        self.nagios.then(|| self.deadline.unwrap_or(RUN))
    }

    /// How long one domain may take. A session has four steps, each of which may take the whole of `--timeout`; then there is time for
    /// the further handshakes with a server that answers within seconds. A slower one may need `--deadline`.
    pub(super) fn limit(&self) -> Duration {
        match self.limit_of_run() {
            // The rest is for reporting what was found.
            Some(limit) => limit * 9 / 10,
            None => self.deadline.unwrap_or(self.timeout.saturating_mul(10)),
        }
    }
}

/// A number of seconds, with or without the unit that durations have in the configuration.
fn number(text: &str) -> Option<u64> {
    text.strip_suffix('s').unwrap_or(text).parse().ok()
}

/// Parses `--deadline`.
fn deadline(text: &str) -> Result<Duration, &'static str> {
    let seconds = number(text).filter(|seconds| (1..=3600).contains(seconds));
    let seconds = seconds.map(Duration::from_secs);
    seconds.ok_or("allowed: a whole number of seconds from 1 to 3600")
}

/// Parses `--timeout`.
fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = number(text).filter(|seconds| (1..=30).contains(seconds));
    let seconds = seconds.map(Duration::from_secs);
    seconds.ok_or("allowed: a whole number of seconds from 1 to 30")
}

/// Parses `--rate`.
fn rate(text: &str) -> Result<NonZeroU16, &'static str> {
    let rate = text.parse().ok().filter(|rate: &NonZeroU16| rate.get() <= 1000);
    rate.ok_or("allowed: a whole number from 1 to 1000")
}
