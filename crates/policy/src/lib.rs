//! From policy file and DNS facts to what a connection must achieve.
//!
//! The first half makes the policy:
//!
//! * [`schema`]: `policy.toml`, version 1, as it is written; `settings-file` reads it and says what is wrong with it
//!   and where.
//! * [`list`]: lists of domains, up to a million entries; [`pattern`]: which names a rule or an exception is about.
//! * [`Policy::compile`] makes one unchanging [`Policy`] of them, or refuses them whole ([`PolicyError`]);
//!   [`Warning`]s name what the administrator should know all the same.
//! * [`Policy::for_destination`] and [`Policy::for_mx_host`] answer in [`settings`]: the order in which exceptions,
//!   rules, lists and defaults are asked stands there and nowhere else.
//!
//! The second half decides:
//!
//! * [`facts`]: everything that is known about a destination before the first connection.
//! * [`decision`]: from facts to what each connection must achieve ([`requirement`]), or why there is none to make.
//! * [`failure`]: a cause, how far the host had come, and what follows for the message; [`conclude`]: what becomes of a message when every host has failed.
//!
//! This crate opens no socket and no file, and knows no clock and no environment: lists are read through a closure of
//! the caller, and today's date is an argument.

mod compile;
mod compile_exceptions;
mod compile_lists;
pub mod conclude;
pub mod decision;
mod exceptions;
pub mod facts;
pub mod failure;
pub mod list;
mod mistake;
mod notes;
pub mod pattern;
mod policy;
pub mod requirement;
mod rules;
pub mod schema;
pub mod settings;
pub mod warning;

pub use compile::Sources;
pub use exceptions::NegativeTrustAnchor;
pub use mistake::PolicyError;
pub use notes::Text;
pub use policy::{LoadedList, Policy};
pub use warning::{Remark, Warning};
