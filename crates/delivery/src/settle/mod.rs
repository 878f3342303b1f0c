//! The outcome for each recipient: for the spool, the ledger, the log and the sender.
//!
//! `settler`: the settlement; `line`: the line of the log; [`reports`]: what the sender is told about failed, delayed
//! or relayed recipients.

mod line;
pub(crate) mod reports;
mod settler;

pub(crate) use self::line::{Delays, DeliveryLine};
pub(crate) use self::settler::{Settled, Settler};
