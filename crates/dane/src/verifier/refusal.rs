//! Why a verifier refused a server.

use crate::failure::{PkixFailure, VerifyFailure};

/// Why a verifier refused the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The chain does not satisfy the TLSA records.
    #[error(transparent)]
    Dane(#[from] VerifyFailure),
    /// The chain does not satisfy the WebPKI.
    #[error(transparent)]
    Pkix(#[from] PkixFailure),
    /// The chain is valid, but the server did not prove that it has the private key.
    #[error("the handshake is not signed by the certificate's key")]
    Signature,
}
