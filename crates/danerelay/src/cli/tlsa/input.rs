//! What the user gave that cannot be worked with.

use std::path::PathBuf;

use dane::{InvalidName, TlsaSyntaxError};
use rustls::pki_types::pem;

/// Input that cannot be worked with: the user's to mend.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    /// The certificates cannot be read.
    #[error("{}: {}", path.display(), pem_words(cause))]
    Pem {
        /// Their file.
        path: PathBuf,
        /// What is wrong with it.
        cause: pem::Error,
    },
    /// There is no certificate.
    #[error("{}: no certificate; a PEM file with at least one CERTIFICATE block is expected", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A certificate has no public key that could be found.
    #[error("{}: certificate {number} is malformed", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Its place in the file, from 1.
        number: usize,
    },
    /// A record is no TLSA record.
    #[error(
        "record {number}, {text:?}: {cause}; allowed: USAGE SELECTOR MATCHING-TYPE HEX, for example \"3 1 1 29c8601c…\" \
         with all digits of the digest; the hex may have blanks"
    )]
    Record {
        /// Its place among the records, from 1.
        number: usize,
        /// The record as given.
        text: String,
        /// What is wrong with it.
        cause: TlsaSyntaxError,
    },
    /// A name cannot stand in a certificate.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// Records of issuers are wanted, and there are none.
    #[error("{}: only the server's own certificate; name the issuer's file with --issuer", path.display())]
    NoIssuer {
        /// The file.
        path: PathBuf,
    },
}

/// The system's words where the system refuses, and ours where the PEM form is broken.
fn pem_words(cause: &pem::Error) -> String {
    match cause {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::MissingSectionEnd { .. } => "a PEM block has a beginning and no end".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a PEM block begins with a malformed line".to_owned(),
        pem::Error::Base64Decode(_) => "a PEM block is not base64".to_owned(),
        other => other.to_string(),
    }
}
