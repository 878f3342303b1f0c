//! From policy file and DNS facts to what a connection must achieve.
//!
//! The first half makes the policy:
//!
//! * [`schema`]: `policy.toml`, version 1, as written; `settings-file` reads it and reports what is wrong and where.
//! * [`login`]: user name and password for a route.
//! * [`list`]: lists of domains, up to a million entries; [`remote`]: those with a URL; [`pattern`]: which names a rule or an exception matches.
//! * [`Policy::compile`] turns them into one immutable [`Policy`], or refuses them as a whole ([`PolicyError`]);
//!   [`Warning`]s are problems that do not prevent this.
//! * [`Policy::for_destination`] and [`Policy::for_mx_host`] answer in [`settings`]: they alone define the order in
//!   which exceptions, rules, lists and defaults are consulted.
//!
//! The second half decides:
//!
//! * [`facts`]: everything that is known about a destination before the first connection.
//! * [`decision`]: from facts to what each connection must achieve ([`requirement`]), or why there must be no
//!   connection.
//! * [`failure`]: a cause, how far the host had got, and what follows for the message; [`conclude`]: what happens to a
//!   message when every host has failed.
//!
//! This crate opens no socket or file, and reads no clock or environment: a closure of the caller reads the lists, and
//! today's date is an argument.

mod compile;
mod compile_exceptions;
mod compile_lists;
mod compile_routes;
pub mod conclude;
pub mod decision;
mod exceptions;
pub mod facts;
pub mod failure;
mod host_decision;
pub mod list;
pub mod login;
mod mistake;
mod notes;
pub mod pattern;
mod policy;
pub mod remote;
pub mod requirement;
mod rules;
pub mod schema;
pub mod settings;
mod sources;
pub mod warning;

pub use exceptions::{End, ExceptedKind, ListedException, Meaning, NegativeTrustAnchor};
pub use mistake::PolicyError;
pub use notes::Text;
pub use policy::{LoadedList, Policy};
pub use remote::{Fetched, Missing, RemoteList};
pub use sources::Sources;
pub use warning::{Remark, Warning};
