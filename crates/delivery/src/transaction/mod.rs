//! One transaction: MAIL, RCPT, DATA and the content, and the result for each recipient.
//!
//! [`exchange`]: the whole; `envelope` and `content`: its parts; `original`: the parameters of RCPT; [`verdict`]: the
//! result.

mod content;
mod envelope;
pub mod exchange;
mod original;
pub mod verdict;

pub(crate) use self::exchange::RECIPIENTS;
pub use self::exchange::send;
pub use self::verdict::{Ended, Judged, Verdict};
