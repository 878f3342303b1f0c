//! TLS reports in the hands of others: what we write is read, checked and verified by programs that are not ours, and goes
//! through a proxy that is none of ours.
//!
//! * `cases`: reports with everything in them; `judge`: how Python's programs are asked.
//! * `schema`: the form of RFC 8460 §4.4, written down in `report.schema.json`.
//! * `readers`: what parsedmarc finds in a report, in each of its forms.
//! * `signatures`: DKIM signatures, verified by dkimpy with keys that OpenSSL made.
//! * `collected`: results given to a tlsrpt-collectd.
//! * `proxied`: a report handed over through tinyproxy.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod cases;
mod collected;
mod judge;
mod proxied;
mod readers;
mod schema;
mod signatures;
