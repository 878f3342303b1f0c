//! `danerelay danefail`: exceptions for destinations whose DANE is broken, and whether they still are.
//!
//! * [`change`]: adds and removes exceptions; [`import`]: reads them from other forms.
//! * [`list`]: shows what is excepted; [`recheck`]: tests it; [`compare`]: against a list of
//!   others and the relay's own traffic; [`suggest`]: from open incidents.

mod change;
mod compare;
mod import;
mod list;
mod recheck;
mod suggest;

use std::path::Path;

use clap::Subcommand;

use crate::config;
use crate::exit::Verdict;
use crate::failure::Failure;

/// What can be done with exceptions.
#[derive(Debug, Subcommand)]
pub(crate) enum DanefailCommand {
    /// Show the exceptions in force, those of the policy file and those added here, and the danefail lists.
    ///
    /// Exit status: 0 done; 2 the configuration or the policy is wrong.
    List(list::ListArguments),
    /// Add an exception for a domain or a receiving host until a date; the running relay takes it up at once.
    ///
    /// The exception is written to `exceptions.toml` in the state directory, never into the policy file. It expires by
    /// itself after its last day; the log says so a week and a day before. The running relay tests every
    /// exception once a day, and removes those added here once the destination works again. An exception that exists for
    /// the same name is replaced.
    ///
    /// Exit status: 0 done; 2 it cannot be written, the configuration is wrong, or the running relay refuses the policy with
    /// it; 3 the running relay did not answer.
    Add(change::AddArguments),
    /// Remove an exception that was added here, and have the running relay take it up at once.
    ///
    /// Exit status: 0 done; 1 there is none; 2 it cannot be written, the configuration is wrong, or the running relay refuses
    /// the policy without it; 3 the running relay did not answer.
    Remove(change::RemoveArguments),
    /// Add an exception for each domain of a list in the form of danefail.org, or of a Postfix `smtp_tls_policy_maps`.
    ///
    /// Of a list, the comments before a domain, or behind it, become its reason. Of a Postfix table, `none`, `may` and
    /// `encrypt` become exceptions with dane = "off"; what they and the other levels mean beside that is printed as rules
    /// for the policy file. Where an entry of Postfix demands more of a server than its rule does, standard error says what.
    /// At most 5000 entries are imported: a longer list is named in the policy file, as a [[list]]; the lines to paste are
    /// printed.
    ///
    /// Exit status: 0 done; 1 a line is not understood, and the others are added, or a rule demands less than Postfix did;
    /// 2 the file cannot be read or is too long, the exceptions cannot be written, the configuration is wrong, or the running
    /// relay refuses the policy with them; 3 the running relay did not answer.
    Import(import::ImportArguments),
    /// Test every exception, and name those that are no longer needed.
    ///
    /// Looks each name up and connects, as a delivery would without the exception, and sends nothing. Tested are the
    /// exceptions of the policy file, those added here, and every entry of the danefail lists, twenty at a time, at most three
    /// of them at the hosts of one provider; on a terminal, standard error shows the progress.
    ///
    /// Exit status: 0 all are still needed, or those that are not were removed; 1 something works again that is still
    /// excepted; 2 the configuration or the policy is wrong, a NAME is not excepted, or the running relay refuses the policy
    /// without what was removed; 3 nothing works again, but something could not be decided, because DNS or the network
    /// failed; or our own resolver fails, and nothing was tested; or the running relay did not answer.
    Recheck(recheck::RecheckArguments),
    /// Propose exceptions for the failures that hold mail up now, as commands to paste, each after its evidence.
    ///
    /// Failures against which no exception helps are left out; `danerelay incidents` shows them too.
    ///
    /// Exit status: 0 done; 2 the configuration is wrong.
    Suggest(suggest::SuggestArguments),
    /// Compare a list of others with ours, and with what this relay has seen in its own traffic.
    ///
    /// Exit status: 0 done; 2 the list cannot be read, or the configuration is wrong.
    Compare(compare::CompareArguments),
}

/// Runs the command on the configuration file `named`, or the default one.
pub(crate) fn run(command: &DanefailCommand, named: Option<&Path>) -> Result<Verdict, Failure> {
    let loaded = config::load(named)?;
    match command {
        DanefailCommand::List(arguments) => list::run(arguments, &loaded),
        DanefailCommand::Add(arguments) => change::add(arguments, &loaded),
        DanefailCommand::Remove(arguments) => change::remove(arguments, &loaded),
        DanefailCommand::Import(arguments) => import::run(arguments, &loaded),
        DanefailCommand::Recheck(arguments) => recheck::run(arguments, &loaded),
        DanefailCommand::Suggest(arguments) => suggest::run(arguments, &loaded),
        DanefailCommand::Compare(arguments) => compare::run(arguments, &loaded),
    }
}
