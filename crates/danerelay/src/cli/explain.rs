//! `danerelay explain`: what this relay would do for a destination, and why.
//!
//! [`delivery::route::find`] looks everything up and decides, as it does for a message; this only tells what it found.
//! The status of the MX look-up comes from the resolver's cache, which has just answered the same question.

mod findings;
mod hosts;
mod report;
mod table;

use std::path::Path;

use clap::Args;
use delivery::probe::{HostProbe, probe};
use delivery::route::{self, Route};
use dns::Resolver;
use jiff::Zoned;
use mail::{AddressError, DomainPart, Mailbox, NextHop};

use self::findings::Findings;
use self::report::Report;
use super::look_up::{DnsOptions, block_on, resolver};
use super::{Verdict, output};
use crate::config::{self, Config};
use crate::failure::Failure;
use crate::policy_file::{self, LoadedPolicy};
use crate::serve::{self, StartError};

/// Which destination, and how closely to look.
#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// A recipient's address, a domain, or an address literal in brackets.
    #[arg(value_name = "ADDRESS-OR-DOMAIN", value_parser = next_hop)]
    destination: NextHop,

    /// Also connect to each host as a delivery would, up to the EHLO after TLS, say what came of it, and send nothing.
    #[arg(long)]
    connect: bool,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,

    // Last: its heading holds for whatever follows.
    #[command(flatten)]
    dns: DnsOptions,
}

fn next_hop(text: &str) -> Result<NextHop, AddressError> {
    if text.contains('@') {
        return Ok(NextHop::of(&Mailbox::parse(text)?));
    }
    Ok(match DomainPart::parse(text)? {
        DomainPart::Name(domain) => NextHop::Domain { domain, port: None },
        DomainPart::Literal(address) => NextHop::Address { address, port: None },
    })
}

/// Looks, and prints.
pub(crate) fn run(arguments: &ExplainArguments, named: Option<&Path>) -> Result<Verdict, Failure> {
    let mut loaded = config::load(named)?;
    arguments.dns.apply(&mut loaded.config.dns);
    let policy = policy_file::load(&loaded)?;
    let resolver = resolver(&loaded.config, &policy.policy)?;
    let report = block_on(explain(arguments, &loaded.config, &policy, &resolver))??;
    if arguments.json {
        output::write_json(&report)?;
    } else {
        output::write(&table::write(&report))?;
    }
    Ok(report.verdict())
}

async fn explain(
    arguments: &ExplainArguments,
    config: &Config,
    policy: &LoadedPolicy,
    resolver: &Resolver,
) -> Result<Report, StartError> {
    let hostname = serve::hostname(config)?;
    let delivery = serve::delivery(config, &hostname, config.listen.smtp.clone());
    let (destination, today) = (&arguments.destination, Zoned::now().date());
    let route = route::find(destination, &policy.policy, resolver, &delivery, today).await;
    let probes = if arguments.connect {
        let tls = serve::tls::client(&config.tls)?;
        Some(probe(&route, &delivery, &tls).await.map_err(StartError::Ehlo)?)
    } else {
        None
    };
    let findings = Findings::gather(destination, &route, resolver).await;
    let mut report = Report::new(destination, &route, &findings, probes.as_deref());
    report.notes.extend(findings.obstacle);
    report.policy_file = policy.file.as_ref().map(|file| file.display().to_string());
    Ok(report)
}

/// What became of each host of the route where it was tried.
type Probes<'a> = Option<&'a [HostProbe]>;

/// The next hop after the policy's own routes.
fn target<'a>(destination: &'a NextHop, route: &'a Route) -> &'a NextHop {
    route.policy.route.as_ref().unwrap_or(destination)
}
