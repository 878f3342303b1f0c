//! One transaction: MAIL, RCPT, DATA and the content, and what it made of each recipient.
//!
//! [`exchange`]: the whole; `envelope` and `content`: its parts; `original`: what goes with RCPT; [`verdict`]: what came of it.

mod content;
mod envelope;
pub mod exchange;
mod original;
pub mod verdict;

pub(crate) use self::exchange::RECIPIENTS;
pub use self::exchange::send;
pub use self::verdict::{Ended, Judged, Verdict};
