//! User input that cannot be used.

use std::path::PathBuf;

use dane::{InvalidName, TlsaSyntaxError, UnsupportedKey};
use rustls::pki_types::pem;

use crate::access::explain_pem;

/// Input that cannot be used: the user has to fix it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    /// The certificates cannot be read.
    #[error("{}: {}", path.display(), explain_pem(path, cause))]
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
    /// A certificate in DER, without PEM around it.
    #[error(
        "{0}: no certificate in PEM form; this looks like DER: \"openssl x509 -inform DER -in {0} -out cert.pem\" \
         rewrites it",
        path.display()
    )]
    Der {
        /// The file.
        path: PathBuf,
    },
    /// A certificate in OpenSSL's format that includes the purposes for which it is trusted.
    #[error(
        "{0}: a TRUSTED CERTIFICATE block, which only OpenSSL reads; \"openssl x509 -in {0} -out cert.pem\" rewrites it",
        path.display()
    )]
    Trusted {
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
    /// No handshake can be signed with the key of a server's certificate.
    #[error("{}: {cause}; senders that verify DANE would refuse it whatever is published", path.display())]
    Key {
        /// The file of the certificate.
        path: PathBuf,
        /// What is wrong with its key.
        cause: UnsupportedKey,
    },
    /// A record is not a TLSA record.
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
    /// A name cannot occur in a certificate.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// A trust anchor's record needs a name to look for, and none is given.
    #[error("where a record has usage 2, the certificate must bear a name: --name NAME (the MX host first)")]
    NoName,
    /// The first certificate is that of an issuer.
    #[error(
        "{}: certificate 1 issued certificate {number} of {}; the server's own certificate must come first",
        path.display(),
        issued.display()
    )]
    Order {
        /// The file of the first certificate.
        path: PathBuf,
        /// The file of the one that it issued.
        issued: PathBuf,
        /// The position of that one in its file, from 1.
        number: usize,
    },
    /// A certificate is unrelated to the server's.
    #[error(
        "{}: certificate {number} issued neither the server's own nor any certificate in between, so that no record of \
         it can match; if issuers in between are missing, add their certificates",
        path.display()
    )]
    NoPath {
        /// Its file.
        path: PathBuf,
        /// Its place there, from 1.
        number: usize,
    },
    /// What was remembered is not in the form in which it is written.
    #[error("{}: {cause}; it is written by `tlsa guard --memory`, and can be removed: then nothing is known about how long records have been published", path.display())]
    Memory {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: serde_json::Error,
    },
    /// Records of issuers are requested, but there are no issuers.
    #[error("{}: only the server's own certificate; name the issuer's file with --issuer", path.display())]
    NoIssuer {
        /// The file.
        path: PathBuf,
    },
}
