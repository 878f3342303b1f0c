//! One transaction: MAIL, RCPT, DATA and the content, and what it made of each recipient.
//!
//! [`exchange`]: the commands and replies; `original`: what goes with RCPT.

pub mod exchange;
mod original;

pub(crate) use self::exchange::RECIPIENTS;
pub use self::exchange::{Ended, Judged, Verdict, send};
