//! What a user gets who has set nothing, or only what is shipped: each set-up whole, from mail in to mail out.
//!
//! 1. [`shipped`]: no configuration at all, the files in `config/`, the unit in `systemd/`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod shipped;
