//! Delivery status notifications (RFC 3464): what the sender is told of mail that failed, waits or was relayed.
//!
//! A tour, in the order in which a report comes about:
//!
//! * [`report`]: [`Report`] and [`RecipientReport`]: what there is to tell, as plain data. A report is addressed to a
//!   [`mail::Mailbox`]; for a message from the null reverse-path there is nothing that could be put there, so that a
//!   bounce of a bounce cannot be written down.
//! * [`diagnostic`]: [`Diagnostic`]: the words that decided, a server's or our own, made harmless on the way in.
//! * `status`: the part for machines, `message/delivery-status`.
//! * `letter`: the part for people; [`explain`] has a sentence for each security rule and says who can mend it.
//! * `original`: what is returned of the original: its header and nothing else.
//! * `message`: the three parts in their `multipart/report` (RFC 6522), under a header of our own.
//! * `text`: printable ASCII, folded and wrapped; everything that others wrote passes through it.
//!
//! The result has 7-bit lines of at most 998 octets with CRLF ends, so that it passes every server. This crate does
//! no I/O, knows no clock and draws no random numbers: the time and the report's own id are arguments.

pub mod diagnostic;
pub mod explain;
mod letter;
mod message;
mod original;
pub mod report;
mod status;
mod text;

pub use diagnostic::{Diagnostic, ReplyLines};
pub use report::{Action, RecipientReport, Report};
