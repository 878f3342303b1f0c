//! What can be said to the demonstration on the command line.

use clap::{Args, Subcommand};
use mail::Mailbox;

use crate::commands::values;
use crate::config::units::MailAddress;

/// What can be asked of the demonstration.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct DemoArguments {
    /// Leave everything running at the end, and print how to talk to it.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Print one JSON object a scene instead of the tour.
    #[arg(long)]
    pub(crate) json: bool,
    /// Tell a story instead: an operator's month, from soft-fail to enforcing, with a provider's forgotten roll-over of 300 domains,
    /// the letter, the exception and its end, and an attack. The calendar is turned; all else is real.
    #[arg(long, conflicts_with_all = ["keep", "json"])]
    pub(crate) story: bool,
    /// What to do with one that keeps running.
    #[command(subcommand)]
    pub(crate) command: Option<DemoCommand>,
}

/// What can be done with a demonstration that was kept.
#[derive(Debug, Subcommand)]
pub(crate) enum DemoCommand {
    /// Send one more message through a demonstration that `--keep` left running, and print what became of it.
    ///
    /// Takes `--config` with the file that the demonstration printed.
    ///
    /// Exit status: 0 it was delivered; 1 it waits or was returned; 3 no demonstration answers.
    Send(DemoSendArguments),
}

/// What to send.
#[derive(Debug, Args)]
pub(crate) struct DemoSendArguments {
    /// The recipient; any at a domain of the tour, such as good.demo or wrong.demo.
    #[arg(value_parser = values::formed::<MailAddress>)]
    pub(crate) address: Mailbox,
}
