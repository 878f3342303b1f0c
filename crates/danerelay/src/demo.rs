//! The relay in a world of its own.

use std::io;

use crate::cli::{DemoArguments, Verdict};
use crate::failure::Failure;

/// Placeholder until the demonstration exists.
pub(crate) fn run(arguments: &DemoArguments) -> Result<Verdict, Failure> {
    let keep = arguments.keep;
    Err(Failure::Output(io::Error::other(format!(
        "the demonstration is not available (keep: {keep})"
    ))))
}
