//! The queue in the operator's hand: the commands that go through the admin socket, and the socket itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

#[path = "../common/mod.rs"]
mod common;
mod daemon;
mod damaged;
mod delivery;
mod explaining;
mod hostile;
mod incidents;
mod many;
mod places;
mod policies;
mod policy;
mod queue;
mod reasons;
mod reloading;
mod report;
mod socket;
mod tlsrpt;
mod traces;
mod watching;
