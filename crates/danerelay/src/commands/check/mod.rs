//! `danerelay check`: whether domains can be reached securely.
//!
//! [`arguments`]: the command line; [`sources`]: the lists of domains and earlier runs that are read; [`sink`]: where each
//! report goes, and what is said at the end.

mod arguments;
mod sink;
mod sources;

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dns::self_test::Fault;
use dns::{Resolver, self_test};
use tokio::time::timeout;

use super::look_up::block_on_all;
use super::output;
use crate::check::{Connecting, Ended, Examiner, Examiners, Setup, Terms, check_all, nagios_unknown};
use crate::config::{self, Config};
use crate::exit::Verdict;
use crate::failure::Failure;
use crate::wiring::{WiringError, resolver};
pub(crate) use arguments::CheckArguments;
use sink::Sink;
use sources::Sources;

/// How often our resolver is tested while many domains are checked, and for how long at most results wait for that.
const TEST_EVERY: Duration = Duration::from_secs(10);

/// After this time without a resolver the run ends.
const PATIENCE: Duration = Duration::from_mins(10);

/// Checks each domain and prints what was found.
pub(crate) fn run(arguments: &CheckArguments, named: Option<&Path>) -> Result<Verdict, Failure> {
    match check(arguments, named) {
        // A monitor reads one line, and takes anything else for the worst.
        Err(failure) if arguments.nagios => {
            output::write(&nagios_unknown(&failure.to_string()))?;
            Ok(Verdict::Undecided)
        }
        checked => checked,
    }
}

/// Whether a command line that could not be parsed is meant for a monitor.
pub(crate) fn is_for_nagios(mut line: impl Iterator<Item = OsString>) -> bool {
    line.any(|word| word == "check") && line.any(|word| word == "--nagios")
}

/// Says in a monitor's way what is wrong with the command line.
pub(crate) fn refuse_for_nagios(error: &clap::Error) -> Verdict {
    let words = error.to_string();
    // The usage follows after a blank line.
    let words: Vec<&str> = words
        .lines()
        .take_while(|line| !line.is_empty())
        .map(str::trim)
        .collect();
    let line = nagios_unknown(words.join(" ").trim_start_matches("error: "));
    output::write(&line).map_or_else(|failure| failure.verdict(), |()| Verdict::Undecided)
}

fn check(arguments: &CheckArguments, named: Option<&Path>) -> Result<Verdict, Failure> {
    let mut loaded = config::load(named)?;
    arguments.dns.apply(&mut loaded.config.dns);
    let mut sources = Sources::read(arguments, loaded.config.delivery.port.get())?;
    let mut sink = Sink::open(arguments, &mut sources)?;
    let looking = look(arguments, &loaded.config, sources, &mut sink);
    let looked = block_on_all(async {
        match arguments.limit_of_run() {
            Some(limit) => timeout(limit, looking)
                .await
                .unwrap_or_else(|_| Ok(Ok(Ended::late(limit)))),
            None => looking.await,
        }
    })?;
    match looked? {
        Ok(ended) => sink.close(&ended),
        Err(fault) => {
            let words = format!("our own resolver fails, and nothing is checked by it: {fault}");
            if arguments.nagios {
                output::write(&nagios_unknown(&words))?;
            } else {
                output::notice(&words);
            }
            Ok(Verdict::Undecided)
        }
    }
}

/// Looks at all domains, unless our own resolver fails: then nobody else is blamed.
async fn look(
    arguments: &CheckArguments,
    config: &Config,
    sources: Sources,
    sink: &mut Sink<'_>,
) -> Result<Result<Ended, Fault>, Failure> {
    let plan = resolver::plan(config, &config.dns.domain_insecure).map_err(WiringError::from)?;
    let resolver = Resolver::new(plan.config).map_err(WiringError::from)?;
    let names = resolver::names(&config.dns);
    if let Err(fault) = self_test::run(&resolver, &names).await {
        return Ok(Err(fault));
    }
    let manner = sources.manner;
    let setup = Setup {
        connecting: if manner.connected {
            Connecting::Yes
        } else {
            Connecting::No
        },
        depth: manner.depth,
        days: manner.days,
        port: Some(manner.port),
        timeout: arguments.timeout,
        limit: arguments.limit(),
    };
    let examiners = Examiners {
        first: Arc::new(Examiner::new(config, resolver.clone(), setup)?),
        again: Arc::new(Examiner::new(config, resolver, setup)?),
    };
    let terms = Terms {
        rate: arguments.rate,
        names,
        test_every: TEST_EVERY,
        patience: PATIENCE,
    };
    Ok(Ok(check_all(&examiners, sources.domains(), &terms, sink).await?))
}
