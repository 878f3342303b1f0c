//! `danerelay queue`: shows what is in the queue, and acts on it.
//!
//! * [`list`], [`show`], [`export`] and [`summary`] read: through the daemon if one answers (`source`), otherwise
//!   from the spool itself. [`table`] formats the queue for people.
//! * [`act`] retries, holds, releases and deletes; that needs the daemon. [`traced`] follows a retry.
//! * [`select`] has the selectors for all of these.

mod act;
mod export;
mod list;
mod select;
mod show;
mod summary;
mod table;
mod traced;

use std::path::Path;

use clap::Subcommand;
use spool::Action;

use crate::config;
use crate::exit::Verdict;
use crate::failure::Failure;

/// What can be done with the queue.
#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// List the messages in the queue, all of them or those that every given selector fits, in the form of mailq.
    ///
    /// A mark behind the id says that something of the message is being delivered (*) or held (!). The host and the result of
    /// the last attempt stand in parentheses above the recipients that share them.
    ///
    /// Asks the running relay; where none answers, reads the spool itself, which must be readable then. Only the relay
    /// knows which recipients are being delivered at this moment.
    ///
    /// Exit status: 0 listed; 1 there are messages that cannot be read, and standard error says how many.
    List(list::ListArguments),
    /// Show all that is known of one message.
    ///
    /// Its header, each recipient with its state, the reply or reason of the last attempt and the time of the next, and
    /// when the message is given up. Works without a running relay, as `queue list` does.
    ///
    /// Exit status: 0 shown; 1 there is no such message, or it cannot be read.
    Show(show::ShowArguments),
    /// Try recipients now instead of at their next attempt.
    ///
    /// What the relay remembers of their destinations' DNS is forgotten first, and their MTA-STS policies are asked for
    /// again, so that repairs there are seen.
    /// Held recipients stay held.
    #[command(after_help = ACTING)]
    Retry(act::RetryArguments),
    /// Keep recipients in the queue, without delivery attempts, until they are released.
    ///
    /// Nothing is sent to them meanwhile, and none of them is given up, however old the message becomes.
    #[command(after_help = ACTING)]
    Hold(act::ActArguments),
    /// Release recipients that are held, and try them now.
    #[command(after_help = ACTING)]
    Release(act::ActArguments),
    /// Delete recipients from the queue; a message is deleted with its last one.
    ///
    /// There is no confirmation, it cannot be undone, and nobody is told: neither sender nor recipient. A message that cannot be
    /// read can be deleted by its id, without any other selector.
    #[command(after_help = ACTING)]
    Delete(act::ActArguments),
    /// Write a message as it would be sent, an RFC 5322 file with CRLF.
    ///
    /// Works without a running relay, as `queue list` does.
    ///
    /// Exit status: 0 written; 1 there is no such message.
    Export(export::ExportArguments),
    /// Count what is in the queue.
    ///
    /// Messages and octets, the age of the oldest, recipients by state, the destinations and the reasons with most messages,
    /// and recipients by destination and by the age of their messages in minutes, as Postfix's qshape shows it. Works without
    /// a running relay, as `queue list` does.
    Summary(summary::SummaryArguments),
}

const ACTING: &str = "\
At least one selector is needed, and all that are given must match: --id, --sender and --older-than mean all recipients of a \
message, --recipient, --recipient-domain and --reason only those that match. Recipients that are being delivered at this moment \
are left alone and counted. The relay must run, and logs who asked.

Exit status:
  0  done, or at least one recipient was selected
  1  no recipient fits, the spool cannot do it, or messages in the queue cannot be read
  2  wrong usage or configuration
  3  no relay answers";

/// Runs the command with the configuration file `named`, or the default one.
pub(crate) fn run(command: &QueueCommand, named: Option<&Path>) -> Result<Verdict, Failure> {
    let config = config::load(named)?.config;
    match command {
        QueueCommand::List(arguments) => list::run(&config, arguments),
        QueueCommand::Show(arguments) => show::run(&config, arguments),
        QueueCommand::Retry(arguments) => act::retry(&config, arguments),
        QueueCommand::Hold(arguments) => act::run(&config, Action::Hold, arguments),
        QueueCommand::Release(arguments) => act::run(&config, Action::Release, arguments),
        QueueCommand::Delete(arguments) => act::run(&config, Action::Delete, arguments),
        QueueCommand::Export(arguments) => export::run(&config, arguments),
        QueueCommand::Summary(arguments) => summary::run(&config, arguments),
    }
}
