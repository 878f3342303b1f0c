//! Why a verifier refused a server.

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
