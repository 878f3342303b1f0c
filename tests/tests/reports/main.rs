//! Every kind of delivery status notification, judged by a parser that is not ours: the `email` package of Python's
//! standard library, with the rules of RFC 3464, RFC 6522 and RFC 6533 on top of it in `check.py`.
//!
//! * `judge`: what `check.py` says, and that it tells wrong reports from right ones.
//! * `cases`: the reports.
//! * `kinds`: one test for each kind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod cases;
mod judge;
mod kinds;
