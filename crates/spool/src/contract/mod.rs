//! What every store must do, as a test suite: call [`everything`] with a [`Harness`] for the store.
//!
//! It uses only the traits of this crate. `way`: messages on their way through the queue. `reports`: what their senders are
//! told. `damage`: stored data that is lost. `ledger`: what is counted. `incidents`: security failures. `tls`: what TLS reports count. `managing`: the administrator's side. `running`:
//! from one start to the next. `scene`: the harness, and what all of these share.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test suite"
)]

mod damage;
mod incidents;
mod ledger;
mod managing;
mod reports;
mod running;
mod scene;
mod tls;
mod way;

pub use scene::{
    Harness, close, commit, entry, held_up, listed, message, noticed, now, octets, read, settlement, take,
    whole,
};

/// Runs the whole suite; `fresh` gives a harness with an empty store each time.
pub async fn everything<H: Harness>(fresh: impl Fn() -> H) {
    // In parallel: each has its own stores, and mostly waits for the disk.
    tokio::join!(
        way::everything(&fresh),
        reports::everything(&fresh),
        damage::everything(&fresh),
        ledger::everything(&fresh),
        incidents::everything(&fresh),
        tls::everything(&fresh),
        managing::everything(&fresh),
        running::everything(&fresh),
    );
}
