//! `danerelay tlsrpt`: TLS reports (RFC 8460), our own and those of others.

mod preview;
mod read;
mod send;
mod show;
mod words;

use std::path::Path;

use clap::Subcommand;

use crate::exit::Verdict;
use crate::failure::Failure;

/// What can be done about TLS reports.
#[derive(Debug, Subcommand)]
pub(crate) enum TlsrptCommand {
    /// Show what is collected for reports: sessions that met what receivers publish, and what failed.
    ///
    /// Without a domain: for each day (UTC) and domain, how many sessions met their policy and how many did not. With one: each
    /// policy with its records or lines, and each kind of failure with the host at which it occurred. Asks the running relay;
    /// where none answers, reads the spool itself.
    ///
    /// Exit status: 0 shown, whether anything is collected or not.
    Show(show::ShowArguments),
    /// Print the report for a domain about the running day (UTC), as it would be sent now: one JSON object (RFC 8460).
    ///
    /// Asks the running relay; where none answers, reads the spool itself.
    ///
    /// Exit status: 0 printed; 1 nothing is collected for the domain today.
    Preview(preview::PreviewArguments),
    /// Have the running relay send the report for a domain about the running day (UTC) now.
    ///
    /// It goes where the domain's record at `_smtp._tls` says, by mail through the queue or to a web server. What was sent is
    /// taken from what is collected: the report of the night has the rest of the day. Needs `tlsrpt.organization` and
    /// `tlsrpt.contact`, and `tlsrpt.dkim` for reports by mail, but not `tlsrpt.send`.
    ///
    /// Exit status: 0 it is queued, or a web server took it; 1 nothing is collected, or nobody wants the report; 2 it is not
    /// configured who reports; 3 it could not be sent now, or no relay answers.
    Send(send::SendArguments),
    /// Say in words what a report of another relay about your domains means.
    ///
    /// Takes a report as it arrives: the mail (a message, also in an mbox), the attachment compressed by gzip, or its
    /// JSON. Prints for each policy how many sessions met it and how many did not, and for each kind of failure what the
    /// reporter met, at which of your hosts, what that means, and what to do.
    ///
    /// Nothing in a report is verified: who sent it is what the mail says. A mail without a DKIM signature is pointed out
    /// (RFC 8460 section 3). At most 32 MiB are read, and 16 MiB of what unpacks from them. Of several reports in one file
    /// the first is read, and the number of the others is said.
    ///
    /// Exit status: 0 no failure is reported; 1 failures are reported, or not all of it was read; 2 it is no report.
    Read(read::ReadArguments),
}

/// Runs the command.
pub(crate) fn run(command: &TlsrptCommand, named: Option<&Path>) -> Result<Verdict, Failure> {
    match command {
        TlsrptCommand::Show(arguments) => show::run(arguments, named),
        TlsrptCommand::Preview(arguments) => preview::run(arguments, named),
        TlsrptCommand::Send(arguments) => send::run(arguments, named),
        TlsrptCommand::Read(arguments) => read::run(arguments),
    }
}
