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

pub use dane::{DaneProof, DaneVerifier};
pub use pkix::{PkixProof, PkixVerifier, WebPki, WebPkiSetupError};
pub use recording::{Observed, RecordingVerifier};
pub use refusal::Refusal;
