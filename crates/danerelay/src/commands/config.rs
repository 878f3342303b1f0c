//! `danerelay config`: check, show, template.

mod names;

use std::io::{self, Write};
use std::path::Path;

use clap::{Args, Subcommand};
use mail::printable::PrintableLines;
use policy::Missing;

use super::output;
use crate::config::{self, Loaded, Optional};
use crate::exit::Verdict;
use crate::failure::Failure;
use crate::surroundings;
use crate::wiring;

/// How the configuration is checked.
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Exit with 1 if there is a warning.
    #[arg(long)]
    pub(crate) strict: bool,

    /// Look nothing up in the DNS.
    #[arg(long)]
    pub(crate) no_dns: bool,
}

/// What can be done with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check the configuration, the policy and its lists, and name each fault with line and column.
    ///
    /// Also warns of settings that are valid but probably not intended: public networks that may relay, a host name that
    /// others will not accept, exceptions that have ended or change nothing, lists that are empty or no lists, addresses
    /// and directories that do not exist on this machine.
    ///
    /// Names in [[domain]] rules, on strict lists and in exceptions are looked up in the DNS, without connecting anywhere,
    /// unless --no-dns is given. It warns of a strict domain without DNSSEC or TLSA records, all of whose mail would wait,
    /// of a domain that does not exist, and of an exception for a host that has no address or needs no exception. The
    /// first 1,000 names are looked up, within 20 seconds; a name that cannot be looked up now is no fault.
    ///
    /// Exit status: 0 the files can be used; 1 with --strict, there are warnings; 2 the files cannot be used.
    Check(CheckArguments),
    /// Print the settings in force, each with its origin.
    Show,
    /// Print the commented configuration file with every key at its default.
    Template,
}

/// Runs the command on the configuration file `named`, or the default one.
pub(crate) fn run(command: &ConfigCommand, named: Option<&Path>) -> Result<Verdict, Failure> {
    let (text, verdict) = match command {
        ConfigCommand::Check(arguments) => check(&config::load(named)?, arguments)?,
        ConfigCommand::Show => (show(config::load(named)?)?, Verdict::Good),
        ConfigCommand::Template => (config::template(), Verdict::Good),
    };
    output::write(&text)?;
    Ok(verdict)
}

/// The settings in force; if the system's host name is used, it is shown.
fn show(mut loaded: Loaded) -> Result<String, Failure> {
    loaded.config.hostname = Optional(Some(wiring::settings::hostname(&loaded.config)?));
    Ok(config::show(&loaded))
}

/// Checks everything that the daemon would read at its start, and reports what is fine. With `--strict`, warnings count
/// as bad.
fn check(loaded: &Loaded, arguments: &CheckArguments) -> Result<(String, Verdict), Failure> {
    warn(&loaded.warnings);
    let policy = wiring::policy::load(loaded, Missing::Warned)?;
    warn(&policy.warnings);
    wiring::check(&loaded.config)?;
    let mut remarks = surroundings::remarks(loaded, &policy.policy);
    if !arguments.no_dns {
        remarks.extend(names::remarks(&loaded.config, &policy.policy)?);
    }
    warn(&remarks);
    let is_clean = loaded.warnings.is_empty() && policy.warnings.is_empty() && remarks.is_empty();
    let verdict = if arguments.strict && !is_clean {
        Verdict::Bad
    } else {
        Verdict::Good
    };
    let found = |path: &Path| format!("{}: ok\n", path.display());
    let missing =
        |path: &Path, what| format!("{}: does not exist; the built-in {what} hold\n", path.display());
    let config = if loaded.found {
        found(&loaded.path)
    } else {
        missing(&loaded.path, "defaults")
    };
    let policy = match &policy.file {
        Some(file) => found(file),
        None => missing(&loaded.config.policy.file, "rules"),
    };
    Ok((config + &policy, verdict))
}

/// Warnings are notices: they go to standard error; if that fails, nothing can be done.
pub(crate) fn warn<T: std::fmt::Display>(warnings: &[T]) {
    for warning in warnings {
        let _ = writeln!(io::stderr(), "warning: {}", PrintableLines(&warning.to_string()));
    }
}
