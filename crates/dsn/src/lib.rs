//! Delivery status notifications (RFC 3464): what the sender is told about mail that failed, is waiting or was relayed.
//!
//! A tour, in the order in which a report comes about:
//!
//! * [`report`]: [`Report`] and [`RecipientReport`]: what there is to tell, as plain data. A report is addressed to a
//!   [`mail::Mailbox`]; for a message from the null reverse-path there is nothing that could be put there, so that a
//!   bounce of a bounce cannot be written down.
//! * [`diagnostic`]: [`Diagnostic`]: the words that decided, a server's or our own, made harmless on the way in.
//! * `status`: the part for machines, `message/delivery-status` or `message/global-delivery-status` (RFC 6533 §4.1).
//! * `letter`: the part for people; [`explain`] has a sentence for each security rule and says who can mend it.
//! * `returned`: what is returned of the original: its header, or the whole of it where that was asked for.
//! * `message`: the three parts in their `multipart/report` (RFC 6522), under a header of our own.
//! * `address`, `text`, `encoding`: the forms of an address (RFC 6533 §3), text that is folded and wrapped, and octets
//!   that fit the way. Everything that others wrote passes through one of them.
//!
//! The result has lines of at most 998 octets with CRLF ends, and 7-bit ones, so that it passes every server. The one
//! exception is a report to an address that is not ASCII: that needs SMTPUTF8 on its way anyhow, and has UTF-8 in it.
//! This crate does no I/O, knows no clock and draws no random numbers: the time and the report's own id are arguments.

mod address;
pub mod diagnostic;
mod encoding;
pub mod explain;
mod letter;
mod message;
pub mod report;
mod returned;
mod status;
mod text;

pub use diagnostic::{Diagnostic, ReplyLines};
pub use mail::Action;
pub use report::{RecipientReport, Report};
