//! `danerelay check`: whether domains can be reached securely.
//!
//! [`arguments`]: the command line; [`sources`]: the lists of domains and earlier runs that are read; [`sink`]: where each
//! report goes, and what is said at the end.

mod arguments;
mod sink;
mod sources;

use std::num::NonZeroU16;
use std::path::Path;
use std::sync::Arc;

use dns::{Resolver, self_test};
use mail::Domain;

use super::look_up::block_on_all;
use super::output;
use crate::check::{Connecting, Depth, Examiner, Examiners, Setup, check_all};
use crate::config::{self, Config};
use crate::exit::Verdict;
use crate::failure::Failure;
use crate::wiring::{WiringError, resolver};
pub(crate) use arguments::CheckArguments;
use sink::Sink;
use sources::Sources;

/// Up to so many domains are looked at closely; of more, each server is connected to once.
const FEW: usize = 8;

/// Checks each domain and prints what was found.
pub(crate) fn run(arguments: &CheckArguments, named: Option<&Path>) -> Result<Verdict, Failure> {
    let mut loaded = config::load(named)?;
    arguments.dns.apply(&mut loaded.config.dns);
    let sources = Sources::read(arguments)?;
    let is_many = sources.all() > FEW;
    let mut sink = Sink::open(arguments, &sources, is_many);
    let depth = if is_many {
        Depth::Verdict
    } else {
        Depth::Everything
    };
    match block_on_all(check(arguments, &loaded.config, depth, sources, &mut sink))?? {
        End::Checked(lost) => sink.close(&lost),
        End::Resolver(fault) => {
            let words = format!("our own resolver fails, and nothing is checked by it: {fault}");
            if arguments.nagios {
                output::write(&format!("DANE UNKNOWN - {}\n", words.replace(['|', '\n'], " ")))?;
            } else {
                output::notice(&words);
            }
            Ok(Verdict::Undecided)
        }
    }
}

/// How a run ended.
enum End {
    /// With these domains lost by a fault of this program.
    Checked(Vec<Domain>),
    /// Our own resolver fails: then nobody else is blamed.
    Resolver(String),
}

async fn check(
    arguments: &CheckArguments,
    config: &Config,
    depth: Depth,
    sources: Sources,
    sink: &mut Sink<'_>,
) -> Result<End, Failure> {
    let plan = resolver::plan(config, &config.dns.domain_insecure).map_err(WiringError::from)?;
    let resolver = Resolver::new(plan.config).map_err(WiringError::from)?;
    if let Err(fault) = self_test::run(&resolver, &resolver::names(&config.dns)).await {
        return Ok(End::Resolver(fault.to_string()));
    }
    let setup = Setup {
        connecting: if arguments.no_connect {
            Connecting::No
        } else {
            Connecting::Yes
        },
        depth,
        port: arguments.port.map(NonZeroU16::get),
        timeout: Some(arguments.timeout),
    };
    let examiners = Examiners {
        first: Arc::new(Examiner::new(config, resolver.clone(), setup)?),
        again: Arc::new(Examiner::new(config, resolver, setup)?),
    };
    let lost = check_all(&examiners, sources.domains(), arguments.days, |report| {
        sink.take(&report)
    });
    Ok(End::Checked(lost.await?))
}
