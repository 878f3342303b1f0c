//! The outcome for each recipient: for the spool, the ledger, the log and the sender.
//!
//! `settler`: the settlement; `line`: the lines of the log; [`reports`]: what the sender is told about failed, delayed
//! or relayed recipients; `uncounted`: sessions that a later settlement counts.

mod line;
pub(crate) mod reports;
mod settler;
mod uncounted;

pub(crate) use self::line::{Began, lines};
pub(crate) use self::settler::{Settled, Settler};
pub(crate) use self::uncounted::Uncounted;
