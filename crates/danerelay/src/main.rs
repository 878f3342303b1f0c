//! danerelay: an SMTP relay that delivers under DANE.
//!
//! This crate is the shell around the others: it knows all of them, and none of them knows it. A tour:
//!
//! * [`cli`]: the commands and their help.
//! * [`config`]: `danerelay.toml`; [`policy_file`]: the policy that it names.
//! * [`serve`]: the daemon: opens what is needed, puts it together, and keeps it running until it is told to end.
//! * [`wiring`]: what both of them build from the settings.
//! * [`admin`]: the daemon's door for commands.
//! * [`logging`]: the one log that everything writes to.
//! * [`json`]: JSON that any reader can be shown.
//! * [`explain`]: what the relay would do for a destination, asked on the command line or through the door;
//!   [`lookup_report`] and [`tlsa_records`]: what was found, for people and for programs.
//! * [`demo`]: the relay in a world of its own.
//! * [`access`]: whose files are in the way; [`surroundings`]: where the configuration and the machine do not fit.
//! * [`failure`]: why a command came to no end, and the exit status for it.

mod access;
mod admin;
mod cli;
mod config;
mod demo;
mod explain;
mod failure;
mod json;
mod logging;
mod lookup_report;
mod policy_file;
mod serve;
mod surroundings;
mod tlsa_records;
mod wiring;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use mail::printable::PrintableLines;

use cli::{Cli, Command, Verdict};
use failure::Failure;

/// How long the daemon waits for standard error to take its last words.
const LAST_WORDS: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let cli = Cli::parse();
    // A daemon ends, whether or not somebody reads what it says last.
    let patience = matches!(cli.command, Command::Serve).then_some(LAST_WORDS);
    let verdict = run(&cli).unwrap_or_else(|failure| {
        let words = failure.to_string();
        // Where standard error is closed, the exit status still tells.
        logging::say(&format!("danerelay: {}\n", PrintableLines(&words)), patience);
        failure.verdict()
    });
    verdict.into()
}

fn run(cli: &Cli) -> Result<Verdict, Failure> {
    let named = cli.config.as_deref();
    match &cli.command {
        Command::Serve => serve::run(named),
        Command::Demo(arguments) => demo::run(arguments, named),
        Command::Explain(arguments) => cli::explain::run(arguments, named),
        Command::Dns(arguments) => cli::dns::run(arguments, named),
        Command::Tlsa(command) => cli::tlsa::run(command, named),
        Command::Queue(command) => cli::queue::run(command, named),
        Command::Reload => cli::reload::run(named),
        Command::Flush(arguments) => cli::flush::run(arguments, named),
        Command::Config(command) => cli::config::run(command, named),
    }
}
