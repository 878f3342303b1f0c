//! The crate's behaviour from the outside: golden vectors, certificates made to be difficult, handshakes,
//! and OpenSSL as an independent judge.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod agility;
mod end_entity;
mod extensions;
mod handshake;
mod hello;
mod keys;
mod openssl;
mod pki;
mod trust_anchor;
