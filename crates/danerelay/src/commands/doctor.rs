//! `danerelay doctor`: what is wrong with this machine, and what to do about it.

use std::fmt::Write as _;
use std::path::Path;

use clap::Args;
use dns::Resolver;
use mail::{Domain, NextHop, wrap};
use policy::{Missing, Policy};
use serde::Serialize;

use super::look_up::{DnsOptions, block_on};
use super::output;
use crate::config::{self, Config, Loaded};
use crate::doctor::{self, Finding, Level, Patient, USUAL_PROBE, verdict};
use crate::exit::Verdict;
use crate::failure::Failure;
use crate::wiring::{self, WiringError, settings, unvalidated};
use crate::{demo, explain};

/// Where words begin that continue a line.
const INDENT: usize = 24;
/// In front of what is to be done.
const ARROW: &str = "=> ";
/// The width of the text.
const WIDTH: usize = 100;

/// What to look at.
#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// Whose port 25 is tried: a domain, or in brackets a host without MX look-up, with a port if need be. Without this option it
    /// is the route that the policy has for all mail, or gmail.com.
    #[arg(long, value_name = "DOMAIN")]
    probe: Option<NextHop>,

    /// Instead of examining this machine, send three messages through a relay with this configuration and policy, on loopback and
    /// with DNS of its own: to a server that does DANE, to one that does not, and to one whose TLSA record is wrong.
    #[arg(long, conflicts_with = "probe")]
    self_test: bool,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,

    // Last: its heading holds for whatever follows.
    #[command(flatten)]
    dns: DnsOptions,
}

/// The answer as JSON.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    /// The worst of all.
    result: Option<Level>,
    checks: &'a [Finding],
}

/// Looks, and prints what was found.
pub(crate) fn run(arguments: &DoctorArguments, named: Option<&Path>) -> Result<Verdict, Failure> {
    let mut loaded = config::load(named)?;
    arguments.dns.apply(&mut loaded.config.dns);
    let policy = wiring::policy::load(&loaded, Missing::Warned)?;
    let findings = if arguments.self_test {
        demo::trials::run(&loaded, policy.file.as_deref(), &policy.policy)?
    } else {
        look(arguments, &loaded, &policy.policy)?
    };
    if arguments.json {
        output::write_json(&Answer {
            result: findings.iter().map(|finding| finding.result).max(),
            checks: &findings,
        })?;
    } else {
        output::write(&table(&findings))?;
    }
    Ok(verdict(&findings))
}

fn look(arguments: &DoctorArguments, loaded: &Loaded, policy: &Policy) -> Result<Vec<Finding>, Failure> {
    let config = &loaded.config;
    let hostname = settings::hostname(config)?;
    let insecure = unvalidated::today(&config.dns, policy);
    let plan = wiring::resolver::plan(config, &insecure).map_err(WiringError::from)?;
    let resolver = Resolver::new(plan.config).map_err(WiringError::from)?;
    let delivery = explain::impatient(&settings::delivery(config, &hostname, config.listen.smtp.clone()));
    let tls = wiring::tls::client(&config.tls).map_err(WiringError::from)?;
    let patient = Patient {
        loaded,
        policy,
        hostname: &hostname,
        delivery: &delivery,
        resolver: &resolver,
        choice: &plan.choice,
        tls: &tls,
        probe: arguments.probe.clone().or_else(|| usual(config)),
    };
    Ok(block_on(doctor::examine(&patient))??)
}

/// Below a trust anchor of one's own, the public servers do not exist.
fn usual(config: &Config) -> Option<NextHop> {
    let is_public = config.dns.trust_anchor.as_os_str().is_empty();
    let domain = Domain::parse(USUAL_PROBE).ok().filter(|_| is_public)?;
    Some(NextHop::Domain { domain, port: None })
}

fn table(findings: &[Finding]) -> String {
    let indent = " ".repeat(INDENT);
    let mut table = String::new();
    for finding in findings {
        let head = format!("{:<8}{:<16}", finding.result.as_str(), finding.check.as_str());
        let mend = finding.mend.as_ref().map(|mend| format!("{ARROW}{mend}"));
        let lines = wrap(&finding.found, WIDTH, &head, &indent);
        let more = mend.map_or_else(Vec::new, |mend| wrap(&mend, WIDTH, &indent, &indent));
        for line in lines.iter().chain(&more) {
            let _ = writeln!(table, "{line}");
        }
    }
    let count = |level| findings.iter().filter(|finding| finding.result == level).count();
    let _ = writeln!(
        table,
        "\n{} ok, {} to consider, {} unknown, {} bad",
        count(Level::Ok),
        count(Level::Warn),
        count(Level::Unknown),
        count(Level::Bad)
    );
    table
}
