//! `danerelay flush`: forgets what was learned about a name.

use std::path::Path;

use clap::{ArgGroup, Args};
use mail::Domain;

use super::client::Client;
use super::output::write;
use super::values::formed;
use crate::admin::protocol::{Flushed, Nothing, Request};
use crate::config::{self, units::DomainName};
use crate::exit::Verdict;
use crate::failure::Failure;

/// What is to be forgotten.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").args(["name", "all"]).required(true)))]
pub(crate) struct FlushArguments {
    /// The name: what was learnt of it, of all names below it, and of the mail exchangers that its MX records name.
    /// DNS answers, MTA-STS policies, hosts that do not answer or broke their handshakes, destinations that fail; kept
    /// connections are closed.
    #[arg(value_parser = formed::<DomainName>)]
    name: Option<Domain>,

    /// Everything that was learnt of any name or host.
    #[arg(long)]
    all: bool,
}

/// Makes the daemon forget.
pub(crate) fn run(arguments: &FlushArguments, named: Option<&Path>) -> Result<Verdict, Failure> {
    let loaded = config::load(named)?;
    let mut client = Client::connect(&loaded.config)?;
    let (what, said) = match &arguments.name {
        Some(name) => (Flushed::Name(name.clone()), format!("flushed {name}\n")),
        None => (Flushed::All, "flushed everything\n".to_owned()),
    };
    client.ask(&Request::Flush { what })?;
    let Nothing {} = client.end()?;
    write(&said)?;
    Ok(Verdict::Good)
}
