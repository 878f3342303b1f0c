//! `danerelay.toml`: from the text to settings that are consistent.
//!
//! 1. [`schema`], [`incoming`], [`outgoing`] and [`log`] are the table of all keys, section by section. What a key
//!    declares there ([`key`]) is defined nowhere else: its type and default, what its value must satisfy, when a
//!    change takes effect, whether this version supports it, its comment. [`values`] and [`units`] are the types.
//! 2. [`load`] reads the file and makes every path absolute. [`review`] checks each value against what its key
//!    declares; [`validate`] checks what concerns more than one key, [`remarks`] finds what works but is hardly meant;
//!    [`networks`] knows which networks have strangers in them.
//! 3. [`template`] writes the commented file, and the settings in force, each with its origin.
//!
//! Nothing here opens a socket or makes a DNS look-up.

mod incoming;
mod key;
mod load;
mod loaded;
mod log;
mod manual;
mod networks;
mod outgoing;
pub(crate) mod remarks;
mod review;
pub(crate) mod schema;
mod template;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_docs;
#[cfg(test)]
mod tests_words;
pub(crate) mod units;
mod validate;
mod values;

pub(crate) use key::waiting;
pub(crate) use load::{ConfigError, DEFAULT_PATH, load};
pub(crate) use loaded::Loaded;
pub(crate) use manual::{PAGE_SOURCE, manual};
pub(crate) use schema::{Config, LogTarget};
pub(crate) use template::{show, template};
pub(crate) use values::Optional;
