//! DANE for rustls clients: TLSA records (RFC 6698, RFC 7671) as SMTP uses them (RFC 7672).
//!
//! The way of a connection through this crate:
//!
//! 1. The DNS library's records become [`TlsaRecord`]s. Whether they may be believed, that is, whether the
//!    answer was validated by DNSSEC, is for the caller to know; nothing here touches the network.
//! 2. [`TlsaSet`] sorts them: unusable ones aside, each with the reason ([`Unusable`]), and of the usable
//!    ones those that digest agility keeps. If none [is usable](TlsaSet::is_usable), the server is to be
//!    spoken to over TLS without authentication.
//! 3. [`ReferenceIdentifiers`] hold the names that a certificate under DANE-TA(2) may bear.
//! 4. A [`DaneVerifier`] is made for the connection, and [`ClientConfigs`] turns it into a rustls
//!    configuration in which sessions are never resumed.
//! 5. After the handshake [`DaneVerifier::proof`] gives a [`DaneProof`]: the chain satisfied a record
//!    ([`Match`]) *and* the server signed the handshake with the key of that chain. Where it refused,
//!    [`DaneVerifier::refusal`] says why, in words for the log and in OpenSSL's numbers ([`VerifyCode`]).
//!
//! ```
//! # use std::{error::Error, sync::Arc};
//! # use dane::{ClientConfigs, DaneVerifier, Group, TlsVersion, ReferenceIdentifiers, TlsaSet};
//! # fn main() -> Result<(), Box<dyn Error>> {
//! # let hex = "29c8601c".repeat(8);
//! // Once:
//! let provider = dane::provider(&[Group::X25519, Group::P256]);
//! let configs = ClientConfigs::new(Arc::new(provider), TlsVersion::Tls12)?;
//! // For each connection:
//! let set = TlsaSet::new(vec![format!("3 1 1 {hex}").parse()?]);
//! assert!(set.is_usable());
//! let references = ReferenceIdentifiers::new("mx1.example.com")?.and("example.com")?;
//! let verifier = DaneVerifier::new(set, references, configs.provider());
//! let name = dane::server_name("mx1.example.com")?;
//! let connection = rustls::ClientConnection::new(configs.dane(&verifier), name)?;
//! // …the handshake…
//! let proof = verifier.proof(&connection);
//! # assert!(proof.is_none());
//! # Ok(())
//! # }
//! ```
//!
//! [`verify_chain`] is step 5 without a connection, for tools that check published records;
//! an [`Offer`] leaves out most of what a client can do, which shows what a server can;
//! [`supported_key`], [`is_issued_by`] and [`path_of`] tell those that make records which ones can never match, and a
//! [`CertificateSummary`] what a certificate says of itself.
//!
//! Two further verifiers complete a mail client's needs: [`PkixVerifier`] (the WebPKI, for MTA-STS) with
//! its [`PkixProof`], and [`RecordingVerifier`] (no authentication, hence no proof).
//!
//! What this crate never does: look anything up, consult the system's roots for DANE, complete a chain from
//! a local store, look at names or dates under DANE-EE(3), or resume a session.
//!
//! Where it is stricter than other implementations under DANE-TA(2), failing closed:
//!
//! - X.509 version 1 leaves, leaves marked as CA, critical policy extensions;
//! - trust anchors that are out of date or lack basic constraints, self-signed or not;
//! - more than 16 certificates sent, more than six intermediates on a path, and for the path length
//!   constraint of an intermediate self-issued certificates below it are counted, too;
//! - extensions that are understood and malformed, critical or not, above a bare key as well;
//! - issuer names that are equal only after normalisation, a CN under name constraints or in another string
//!   type than those of today, wildcards for names with an underscore or for an excluded name;
//! - keys of issuers that would not do for a server.
//!
//! In every usage the server's own key must be of a kind that a handshake can be signed with
//! ([`UnsupportedKey`]).
//!
//! Where a server sends several paths, of which one is valid, that one is found, whatever the order. A
//! certificate's key identifiers decide nothing: they are hints for the search (RFC 5280 §4.2.1.1).

mod chain;
mod code;
mod config;
mod constraints;
mod der;
mod failure;
mod handshake;
mod issuer;
mod key;
mod names;
mod narrow;
mod presented;
mod summary;
mod text;
mod tlsa;
mod trust_anchor;
mod usability;
mod verifier;
mod verify;
mod version;

pub use chain::Match;
pub use code::{VerifyCode, openssl_cipher_name};
pub use config::{
    ClientConfigs, Group, SetupError, UnknownGroup, provider, server_name, server_name_or_address,
};
pub use failure::{PkixFailure, Untrusted, VerifyFailure};
pub use issuer::{is_issued_by, path_of};
pub use key::{UnsupportedKey, supported_key};
pub use names::{InvalidName, ReferenceIdentifiers};
pub use narrow::{KeyKind, Offer};
pub use summary::CertificateSummary;
pub use text::Fingerprint;
pub use tlsa::{MatchingType, Selector, TlsaField, TlsaRecord, TlsaSyntaxError, Usage};
pub use usability::{Digest, DigestOrder, TlsaSet, Unusable, usability};
pub use verifier::{
    Check, DaneCheck, DaneProof, DaneVerifier, HostCheck, Observed, PkixProof, PkixVerifier,
    RecordingVerifier, Refusal, Verifier, WebPki, WebPkiSetupError, WebPkiVerdict,
};
pub use verify::verify_chain;
pub use version::TlsVersion;
