//! `danerelay tlsrpt`: TLS reports (RFC 8460), our own and those of others.

mod read;
mod words;

use clap::Subcommand;

use crate::exit::Verdict;
use crate::failure::Failure;

/// What can be done about TLS reports.
#[derive(Debug, Subcommand)]
pub(crate) enum TlsrptCommand {
    /// Say in words what a report of another relay about your domains means.
    ///
    /// Takes a report as it arrives: the mail (a message, or one of an mbox), the attachment compressed by gzip, or its
    /// JSON. Prints for each policy how many sessions met it and how many did not, and for each kind of failure what the
    /// reporter met, at which of your hosts, what that means, and what to do.
    ///
    /// Nothing in a report is verified: who sent it is what the mail says. A mail without a DKIM signature is pointed out
    /// (RFC 8460 section 3). At most 32 MiB are read, and 16 MiB of what unpacks from them.
    ///
    /// Exit status: 0 no failure is reported; 1 failures are reported; 2 it is no report.
    Read(read::ReadArguments),
}

/// Runs the command.
pub(crate) fn run(command: &TlsrptCommand) -> Result<Verdict, Failure> {
    match command {
        TlsrptCommand::Read(arguments) => read::run(arguments),
    }
}
