//! The manual says what is so.
//!
//! * [`pages`]: the README and everything in `docs/`, and the blocks in them.
//! * [`links`]: every page and every anchor that is linked to exists, and every page can be found.
//! * [`snippets`]: every configuration and policy in it passes `danerelay config check`.
//! * [`samples`]: what commands are shown to print is what they print. [`lines`]: lines of the log are as it writes them.
//! * [`moving`]: a spool can be moved and read as is said.
//! * [`words`]: the page on troubleshooting has every value of `dane=`, every cause and every event.
//!
//! That its command lines are accepted is tested beside the command line itself (`cli/tests_docs.rs`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

#[path = "../common/mod.rs"]
mod common;
mod lines;
mod links;
mod moving;
mod pages;
mod samples;
mod snippets;
mod words;
