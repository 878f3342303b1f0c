//! From policy file and DNS facts to what a connection must achieve.

pub mod cause;
mod compile;
mod compile_lists;
pub mod conclude;
pub mod decision;
pub mod duration;
mod exceptions;
pub mod facts;
pub mod file_error;
pub mod list;
mod mistake;
pub mod pattern;
mod policy;
mod rules;
pub mod schema;
pub mod settings;
pub mod toml_file;
pub mod warning;
pub mod word;

pub use compile::{Sources, Text};
pub use exceptions::NegativeTrustAnchor;
pub use mistake::PolicyError;
pub use policy::{LoadedList, Policy};
pub use warning::{Remark, Warning};
