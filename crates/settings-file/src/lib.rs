//! Reads a TOML file of settings into a serde schema and reports every fault of it at once, each with line, column and
//! what is allowed.
//!
//! * [`read`]: from the text to the schema's value. serde stops at the first fault, so the text becomes a tree that
//!   knows the place of each value (`node`), the schema reads the tree (`reader`), what it stumbles over is noted
//!   (`refusal`) and taken out, and it reads again until it succeeds. `syntax` names what is not TOML, and keys that
//!   are set twice.
//! * [`fault`]: what is wrong and where, in the words that an administrator sees, with the nearest known key.
//! * [`Document`]: where each key stands, for what is found wrong later, when keys are looked at together.
//! * [`forms`]: values that are written as one text in a form of their own; [`Interval`], [`Size`] and
//!   [`Version`] are some of them.
//!
//! This crate knows no key and opens no file.

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
pub use interval::Interval;
pub use reading::{Reading, read};
pub use size::Size;
pub use version::Version;
