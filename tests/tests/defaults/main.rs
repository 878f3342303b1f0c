//! What a user gets who has set nothing, or only what is shipped: each set-up whole, from mail in to mail out.
//!
//! 1. [`shipped`]: no configuration at all, the files in `config/`, the unit in `systemd/`.
//! 2. [`modes`]: each `dns.mode` behind resolvers of every kind, also changing ones.
//! 3. [`resolv_conf`]: `/etc/resolv.conf` as it may be, and as it changes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod modes;
mod resolv_conf;
mod shipped;
