//! `danerelay tlsrpt send`: has the running relay send the report about the running day now.

use std::path::Path;

use clap::Args;
use mail::Domain;

use crate::admin::protocol::{ReportSent, Request};
use crate::commands::client::Client;
use crate::commands::output::write;
use crate::commands::values::formed;
use crate::config::{self, units::DomainName};
use crate::exit::Verdict;
use crate::failure::Failure;

/// Which report.
#[derive(Debug, Args)]
pub(crate) struct SendArguments {
    /// The next-hop domain or TLSA base domain that is to get the report.
    #[arg(value_parser = formed::<DomainName>)]
    domain: Domain,
}

/// Has the report sent.
pub(super) fn run(arguments: &SendArguments, named: Option<&Path>) -> Result<Verdict, Failure> {
    let loaded = config::load(named)?;
    let mut client = Client::connect(&loaded.config)?;
    client.ask(&Request::TlsrptSend {
        domain: arguments.domain.clone(),
    })?;
    let ReportSent { to, id } = client.end()?;
    let domain = &arguments.domain;
    write(&match id {
        Some(id) => format!("the report for {domain} is queued as {id} for {to}\n"),
        None => format!("the report for {domain} was taken by {to}\n"),
    })?;
    Ok(Verdict::Good)
}
