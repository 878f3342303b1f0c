//! `danerelay tlsa`: TLSA records for a certificate, whether a chain satisfies given or published ones, and what to do when it
//! changes.

mod certificates;
mod deployment;
mod guard;
mod input;
mod issuers;
mod live;
mod make;
mod published;
mod rollover;
mod time;
mod verify;
mod zone;

use std::path::Path;

use clap::Subcommand;

pub(crate) use self::input::InputError;
use crate::exit::Verdict;
use crate::failure::Failure;

/// What can be done about TLSA records.
#[derive(Debug, Subcommand)]
pub(crate) enum TlsaCommand {
    /// Print the TLSA records to publish for a certificate, in zone-file form.
    ///
    /// The first certificate of the file is the server's own and gives a `3 1 1` record: the SHA-256 digest of its
    /// public key, which stays good when the certificate is renewed with the same key (RFC 7671 section 5.1). Each
    /// further certificate is an issuer and gives a `2 0 1` record; for those the server must send that issuer's
    /// certificate in its chain, and its own certificate must name the host and be in date (RFC 7672 section 3.1.2).
    ///
    /// Files from which no record that can match would come are refused: the server's certificate must be the first, and
    /// a path must lead from it to each issuer. With --host the certificates are those that a server shows.
    ///
    /// Exit status: 0 printed; 2 bad input; with --host also 1 the server shows no certificate; 3 an address did not answer.
    Make(make::MakeArguments),
    /// Say whether a certificate chain satisfies TLSA records, by the same code that delivers.
    ///
    /// Prints which record matched at which depth (0 is the server's own certificate), or why none did. Records that
    /// cannot be used with SMTP (RFC 7672 section 3.1) are counted and named, and are no errors. If a record matches but the
    /// server's key cannot sign a TLS handshake, the chain counts as not verified, and both facts are printed.
    ///
    /// With --host it also says whether the chain can be installed there now; and if not, what has to be published first, and
    /// how many seconds to wait after that.
    ///
    /// Exit status: 0 verified; 1 not verified, bogus published records included; 2 bad input; 3 the published records
    /// could not be looked up.
    Verify(verify::VerifyArguments),
    /// Print the steps of a key change and when to take them, for both rollover schemes (RFC 7671 sections 8.1 and 8.4).
    ///
    /// With current and next key, both keys' records are published for two TTLs before the change. With current key and issuer,
    /// the issuer's record stands beside that of the key, and carries the change. Nothing is changed by this command.
    ///
    /// Exit status: 0 printed; 2 bad input; 3 what is published could not be looked up, and --ttl is not given.
    Rollover(rollover::RolloverArguments),
    /// Refuse the deployment of a certificate that senders would refuse: for the hooks of certbot and acme.sh.
    ///
    /// Compares the chain with what is published for each --name at each --port, by the same code that delivers. Where it does not
    /// match, prints what has to be published first and how long to wait. Ports without TLSA records do not matter.
    ///
    /// Exit status: 0 install it; 1 senders would refuse it at one of the hosts at least; 2 bad input; 3 DNS did not say enough
    /// to decide.
    Guard(guard::GuardArguments),
}

/// Runs the command; `named` is the configuration file, which only look-ups read.
pub(crate) fn run(command: &TlsaCommand, named: Option<&Path>) -> Result<Verdict, Failure> {
    match command {
        TlsaCommand::Make(arguments) => make::run(arguments, named),
        TlsaCommand::Verify(arguments) => verify::run(arguments, named),
        TlsaCommand::Rollover(arguments) => rollover::run(arguments, named),
        TlsaCommand::Guard(arguments) => guard::run(arguments, named),
    }
}
