//! Reads a TOML settings file into a serde schema and reports all of its faults at once, each with line, column and
//! what is allowed.
//!
//! * [`read`]: from the text to the schema's value. serde stops at the first fault, so the text becomes a tree that
//!   knows the place of every value (`node`) and the schema reads the tree (`reader`). What it refuses is noted
//!   (`refusal`) and removed, and it reads again until it succeeds. `syntax` reports what is not TOML, and keys that
//!   are set twice.
//! * [`fault`]: what is wrong and where, in the words that the administrator sees, with the most similar known key.
//! * [`Document`]: where each key is, for faults found later, when keys are checked together.
//! * [`forms`]: values that are written as one string with a form of their own; [`Interval`], [`Size`] and [`Version`]
//!   are examples.
//!
//! This crate knows no particular key and opens no file.

mod document;
pub mod fault;
pub mod forms;
mod interval;
mod node;
mod reader;
mod reading;
mod refusal;
mod size;
mod syntax;
mod version;

pub use document::Document;
pub use fault::{Fault, FileError};
pub use forms::{Form, Formed, Unfit};
pub use interval::{DurationError, Interval};
pub use reading::{Reading, read};
pub use size::Size;
pub use version::Version;
