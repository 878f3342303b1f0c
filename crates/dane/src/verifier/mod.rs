//! Three verifiers for rustls, of three different types, so that the one that checks nothing cannot be used in place of one
//! that authenticates.
//!
//! Each is made for one connection. [`DaneVerifier`] and [`PkixVerifier`] hand out a proof once the
//! handshake is complete; [`RecordingVerifier`] hands out what it saw and has no proof to give.

mod dane;
mod evidence;
mod pkix;
mod recording;
mod refusal;
mod shell;

pub use dane::{DaneCheck, DaneProof, DaneVerifier};
pub use pkix::{HostCheck, PkixProof, PkixVerifier, WebPki, WebPkiSetupError};
pub use recording::{Observed, RecordingVerifier, WebPkiVerdict};
pub use refusal::Refusal;
pub use shell::{Check, Verifier};
