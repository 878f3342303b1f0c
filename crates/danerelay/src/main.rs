//! danerelay: an SMTP relay that delivers mail with DANE.
//!
//! This crate is the shell around the others: it knows all of them, and none of them knows it. An overview:
//!
//! * [`cli`]: the command line and its help; [`commands`]: what the commands do; [`exit`]: the exit status.
//! * [`config`] reads `danerelay.toml`.
//! * [`serve`]: the daemon: opens what it needs, connects the parts, and runs until it is told to stop.
//! * [`wiring`]: sets up what the settings ask for, for the daemon and the commands alike.
//! * [`admin`]: the daemon's socket for commands.
//! * [`logging`]: the one log that everything writes to.
//! * [`lists`]: lists of domains that are fetched over HTTPS; [`exceptions`]: what commands add to the policy;
//!   [`recheck`]: whether what there is an exception for works again.
//! * [`json`]: JSON that is safe to show on any terminal.
//! * [`incidents`]: what holds mail up, watched and told. [`daily`]: the daily mail. [`own_mail`]:
//!   how the relay writes to those who run it.
//! * [`monitor`]: metrics, health and a status page over HTTP. [`pages`]: what pages for people are made of.
//! * [`explain`]: what the relay would do for a destination, asked on the command line or through the socket;
//!   [`lookup_report`] and [`tlsa_records`]: what was found, for people and for programs.
//! * [`check`]: whether others can be reached securely, and what they can do about it.
//! * [`doctor`]: what is wrong with this machine.
//! * [`demo`]: the relay in a private world of its own.
//! * [`access`]: which files' owners and modes are in the way; [`accounts`]: the names of users and groups;
//!   [`surroundings`]: where the configuration does not fit the machine.
//! * [`failure`]: why a command failed, and the exit status for it.

mod access;
mod accounts;
mod admin;
mod check;
mod cli;
mod commands;
mod config;
mod daily;
mod demo;
mod doctor;
mod exceptions;
mod exit;
mod explain;
mod failure;
#[cfg(test)]
mod fixtures;
mod incidents;
mod json;
mod lists;
mod logging;
mod lookup_report;
mod monitor;
mod own_mail;
mod ownership;
mod pages;
mod rate_limit;
mod recheck;
mod replace_file;
mod serve;
mod surroundings;
mod terminal;
mod tlsa_records;
mod tlsrpt;
mod wiring;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use mail::printable::PrintableLines;

use cli::{Cli, Command};
use exit::Verdict;
use failure::Failure;

/// How long the daemon waits for standard error to accept its last message.
const LAST_WORDS: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    // A daemon must end, whether or not anybody reads its last message.
    let patience = matches!(cli.command, Command::Serve).then_some(LAST_WORDS);
    let verdict = run(&cli).unwrap_or_else(|failure| {
        let words = failure.to_string();
        // If standard error is closed, there is still the exit status.
        logging::say(&format!("danerelay: {}\n", PrintableLines(&words)), patience);
        failure.verdict()
    });
    verdict.into()
}

/// Says why the command line is wrong, or gives the help that it asks for.
fn refuse(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && commands::check::is_for_nagios(env::args_os()) {
        return commands::check::refuse_for_nagios(error).into();
    }
    error.exit()
}

fn run(cli: &Cli) -> Result<Verdict, Failure> {
    let named = cli.config.as_deref();
    match &cli.command {
        Command::Serve => serve::run(named),
        Command::Demo(arguments) => demo::run(arguments, named),
        Command::Explain(arguments) => commands::explain::run(arguments, named),
        Command::Check(arguments) => commands::check::run(arguments, named),
        Command::Dns(arguments) => commands::dns::run(arguments, named),
        Command::Doctor(arguments) => commands::doctor::run(arguments, named),
        Command::Tlsa(command) => commands::tlsa::run(command, named),
        Command::Tlsrpt(command) => commands::tlsrpt::run(command, named),
        Command::Queue(command) => commands::queue::run(command, named),
        Command::Danefail(command) => commands::danefail::run(command, named),
        Command::Report(arguments) => commands::report::run(arguments, named),
        Command::Incidents(arguments) => commands::incidents::run(arguments, named),
        Command::Reload => commands::reload::run(named),
        Command::Flush(arguments) => commands::flush::run(arguments, named),
        Command::User(command) => commands::user::run(command, named),
        Command::Config(command) => commands::config::run(command, named),
        Command::Man(arguments) => commands::man::write(arguments, Cli::command()),
        Command::Completions(arguments) => commands::man::completions(arguments, Cli::command()),
    }
}
