//! The resolver against a world of zones, name servers that lie, and Unbound and BIND as judges. One program, because each that is
//! linked takes seconds; `bounds` is another, because it measures its own process.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod anchors;
mod attacks;
mod bind;
mod changes;
#[path = "../common/mod.rs"]
mod common;
mod costs;
mod denials;
mod discovery;
mod evidence;
mod extended;
mod judge;
mod keysets;
mod noise;
mod outages;
mod over_tls;
mod reasons;
mod self_test;
mod statuses;
mod trusting;
mod unbound;
mod wire;
