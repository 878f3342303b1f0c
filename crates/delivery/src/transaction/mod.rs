//! Transactions: MAIL, RCPT, the content, and the result for each recipient.
//!
//! 1. [`send`]: one message to all its recipients over one session, in as many transactions as the server's limits ask
//!    for.
//! 2. `exchange`: one transaction; `envelope`: MAIL, RCPT and DATA; `content`: the content and its reply; `letter`:
//!    the form in which the server takes it; `original`: the parameters of RCPT; `limits`: the time for all of it, and recipients given twice.
//! 3. [`verdict`]: the results.

mod content;
mod envelope;
mod exchange;
mod letter;
mod limits;
mod original;
mod sending;
pub mod verdict;

pub use self::sending::send;
pub use self::verdict::{Ended, Judged, SuccessReport, Verdict};
