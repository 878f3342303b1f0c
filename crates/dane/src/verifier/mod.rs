//! Three verifiers for rustls, three types, so that the one that checks nothing cannot take the place of
//! one that authenticates.
//!
//! Each is made for one connection. [`DaneVerifier`] and [`PkixVerifier`] hand out a proof once the
//! handshake is complete; [`RecordingVerifier`] hands out what it saw and has no proof to give.

mod dane;
mod evidence;
mod pkix;
mod recording;

pub use dane::{DaneProof, DaneVerifier};
pub use pkix::{PkixProof, PkixVerifier, WebPki, WebPkiSetupError};
pub use recording::{Observed, RecordingVerifier};

use crate::failure::{PkixFailure, VerifyFailure};

/// What made a verifier refuse the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The chain does not satisfy the TLSA records.
    #[error(transparent)]
    Dane(#[from] VerifyFailure),
    /// The chain does not satisfy the WebPKI.
    #[error(transparent)]
    Pkix(#[from] PkixFailure),
    /// The chain is right, but the server did not prove that it holds the private key.
    #[error("the handshake is not signed by the certificate's key")]
    Signature,
}
