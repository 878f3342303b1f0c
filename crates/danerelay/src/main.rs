//! danerelay: an SMTP relay that delivers under DANE.
//!
//! This crate is the shell around the others: it knows all of them, and none of them knows it. A tour:
//!
//! * [`cli`]: the command line and its help; [`commands`]: what the commands do; [`exit`]: the exit status.
//! * [`config`] reads `danerelay.toml`.
//! * [`serve`]: the daemon: opens what is needed, puts it together, and keeps it running until it is told to end.
//! * [`wiring`]: what the settings name, built from them for the daemon and the commands alike.
//! * [`admin`]: the daemon's door for commands.
//! * [`logging`]: the one log that everything writes to.
//! * [`json`]: JSON that any reader can be shown.
//! * [`explain`]: what the relay would do for a destination, asked on the command line or through the door;
//!   [`lookup_report`] and [`tlsa_records`]: what was found, for people and for programs.
//! * [`demo`]: the relay in a world of its own.
//! * [`access`]: whose files are in the way; [`accounts`]: the names of users and groups; [`surroundings`]: where the configuration and the machine do not fit.
//! * [`failure`]: why a command failed, and the exit status for it.

mod access;
mod accounts;
mod admin;
mod cli;
mod commands;
mod config;
mod demo;
mod exit;
mod explain;
mod failure;
mod json;
mod logging;
mod lookup_report;
mod ownership;
mod serve;
mod surroundings;
mod tlsa_records;
mod wiring;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use mail::printable::PrintableLines;

use cli::{Cli, Command};
use exit::Verdict;
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
        Command::Explain(arguments) => commands::explain::run(arguments, named),
        Command::Dns(arguments) => commands::dns::run(arguments, named),
        Command::Tlsa(command) => commands::tlsa::run(command, named),
        Command::Queue(command) => commands::queue::run(command, named),
        Command::Reload => commands::reload::run(named),
        Command::Flush(arguments) => commands::flush::run(arguments, named),
        Command::User(command) => commands::user::run(command, named),
        Command::Config(command) => commands::config::run(command, named),
    }
}
