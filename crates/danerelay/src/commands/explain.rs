//! `danerelay explain`: what this relay would do for a destination, and why.
//!
//! The running daemon is asked, which answers with the resolver and the policy used by its deliveries. If none is
//! running, or DNS options are given, the command [does the same](crate::explain) with its own resolver.

mod table;

use std::io;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use clap::Args;

use super::client::{AdminError, Client};
use super::look_up::{DnsOptions, block_on, resolver};
use super::{output, readable};
use crate::admin::protocol::Request;
use crate::config::{self, Config, Loaded};
use crate::exit::Verdict;
use crate::explain::{Destination, Explainer, Inquiry, Report, Whose, Would};
use crate::failure::Failure;
use crate::wiring::{self, WiringError, settings};

/// Which destination, and how closely to look.
#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// A recipient's address, a domain, or an address literal in brackets.
    #[arg(value_name = "ADDRESS-OR-DOMAIN")]
    destination: Destination,

    /// Also connect to each host as a delivery would, up to the EHLO after TLS, with at most 30 seconds for each step; say
    /// what came of it and what the server showed, and send nothing.
    #[arg(long)]
    connect: bool,

    /// With --connect: also show the dialogue with each address, line by line with the seconds since the start, and the
    /// certificates that the server presented.
    #[arg(long, requires = "connect")]
    trace: bool,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,

    // Last: its heading holds for whatever follows.
    #[command(flatten)]
    dns: DnsOptions,
}

/// Explains, or has the daemon explain, and prints the answer.
pub(crate) fn run(arguments: &ExplainArguments, named: Option<&Path>) -> Result<Verdict, Failure> {
    let loaded = config::load(named)?;
    let inquiry = Inquiry {
        destination: arguments.destination.clone(),
        connect: arguments.connect,
        trace: arguments.trace,
    };
    let report = if arguments.dns.are_given() {
        explain(arguments, loaded, &inquiry, "DNS options are given".to_owned())?
    } else {
        match ask(&loaded.config, &inquiry) {
            Ok(report) => report,
            Err(trouble) => explain(arguments, loaded, &inquiry, because(&trouble))?,
        }
    };
    if arguments.json {
        output::write_json(&report)?;
    } else {
        output::write(&table::write(&report))?;
    }
    Ok(verdict(&report))
}

/// The exit status: an outage is not a finding about the destination.
fn verdict(report: &Report) -> Verdict {
    match (report.would, report.outage) {
        (Would::Deliver, _) => Verdict::Good,
        (Would::Defer | Would::Fail, true) => Verdict::Undecided,
        (Would::Defer | Would::Fail, false) => Verdict::Bad,
    }
}

/// Asks the daemon that uses this configuration.
fn ask(config: &Config, inquiry: &Inquiry) -> Result<Report, AdminError> {
    let mut client = Client::connect(config)?;
    client.ask(&Request::Explain(inquiry.clone()))?;
    client.end()
}

/// Why the daemon does not answer. Anything abnormal is also printed as a notice.
fn because(trouble: &AdminError) -> String {
    match trouble {
        AdminError::NotConfigured => trouble.to_string(),
        AdminError::NoDaemon { cause, .. } if is_absence(cause) => {
            "no relay runs with this configuration".to_owned()
        }
        AdminError::NoDaemon { .. }
        | AdminError::Forbidden(_)
        | AdminError::OtherSpool { .. }
        | AdminError::BrokenOff { .. }
        | AdminError::Garbled { .. }
        | AdminError::Refused(_) => {
            output::notice(&format!(
                "{trouble}; what follows is not what the running relay finds"
            ));
            "the running relay was not asked".to_owned()
        }
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
    )
}

/// The same by this command itself, with the result that a daemon started now would have.
fn explain(
    arguments: &ExplainArguments,
    mut loaded: Loaded,
    inquiry: &Inquiry,
    because: String,
) -> Result<Report, Failure> {
    arguments.dns.apply(&mut loaded.config.dns);
    let policy = readable::policy(&loaded)?.policy;
    let config = &loaded.config;
    let hostname = settings::hostname(config)?;
    let resolver = resolver(config, &policy)?;
    let explainer = Explainer {
        mta_sts: wiring::mta_sts::for_command(config, &resolver).map_err(WiringError::from)?,
        resolver,
        names: wiring::resolver::names(&config.dns),
        delivery: settings::delivery(config, &hostname, config.listen.smtp.clone()),
        policy: Arc::new(ArcSwap::from_pointee(policy)),
        tls: if inquiry.connect {
            Some(wiring::tls::client(&config.tls).map_err(WiringError::from)?)
        } else {
            None
        },
    };
    let report = block_on(explainer.explain(inquiry, Whose::Command(because)))?;
    Ok(report.map_err(WiringError::Ehlo)?)
}
