//! `danerelay tlsa`: TLSA records for a certificate, and whether a chain satisfies given or published ones.

mod certificates;
mod input;
mod issuers;
mod make;
mod time;
mod verify;

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
    /// a path must lead from it to each issuer.
    Make(make::MakeArguments),
    /// Say whether a certificate chain satisfies TLSA records, by the same code that delivers.
    ///
    /// Prints which record matched at which depth (0 is the server's own certificate), or why none did. Records that
    /// cannot be used with SMTP (RFC 7672 section 3.1) are counted and named, and are no errors. Where a record matches
    /// and the server's key is such that no handshake can be signed with it, both are said, and that is not verified.
    ///
    /// Exit status: 0 verified; 1 not verified, bogus published records included; 2 bad input; 3 the published records
    /// could not be looked up.
    Verify(verify::VerifyArguments),
}

/// Runs the command; `named` is the configuration file, which only look-ups read.
pub(crate) fn run(command: &TlsaCommand, named: Option<&Path>) -> Result<Verdict, Failure> {
    match command {
        TlsaCommand::Make(arguments) => make::run(arguments),
        TlsaCommand::Verify(arguments) => verify::run(arguments, named),
    }
}
