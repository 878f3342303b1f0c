//! `danerelay config`: check, show, template.

use std::io::{self, Write};
use std::path::Path;

use mail::printable::PrintableLines;

use super::{ConfigCommand, Verdict, output};
use crate::config::{self, Loaded, Optional};
use crate::failure::Failure;
use crate::policy_file;
use crate::serve;
use crate::surroundings;

/// Runs the command on the configuration file `named`, or the default one.
pub(crate) fn run(command: &ConfigCommand, named: Option<&Path>) -> Result<Verdict, Failure> {
    let (text, verdict) = match command {
        ConfigCommand::Check(arguments) => check(&config::load(named)?, arguments.strict)?,
        ConfigCommand::Show => (show(config::load(named)?)?, Verdict::Good),
        ConfigCommand::Template => (config::template(), Verdict::Good),
    };
    output::write(&text)?;
    Ok(verdict)
}

/// The settings in force: where the system's name stands for ours, that.
fn show(mut loaded: Loaded) -> Result<String, Failure> {
    loaded.config.hostname = Optional(Some(serve::hostname(&loaded.config)?));
    Ok(config::show(&loaded))
}

/// Looks at everything that the daemon would read at its start, and says what is good. Warnings are bad if `strict`.
fn check(loaded: &Loaded, strict: bool) -> Result<(String, Verdict), Failure> {
    warn(&loaded.warnings);
    let policy = policy_file::load(loaded)?;
    warn(&policy.warnings);
    serve::check(&loaded.config)?;
    let remarks = surroundings::remarks(loaded, &policy.policy);
    warn(&remarks);
    let is_clean = loaded.warnings.is_empty() && policy.warnings.is_empty() && remarks.is_empty();
    let verdict = if strict && !is_clean {
        Verdict::Bad
    } else {
        Verdict::Good
    };
    let found = |path: &Path| format!("{}: ok\n", path.display());
    let missing =
        |path: &Path, what| format!("{}: does not exist; the built-in {what} hold\n", path.display());
    let config = if loaded.found {
        found(&loaded.path)
    } else {
        missing(&loaded.path, "defaults")
    };
    let policy = match &policy.file {
        Some(file) => found(file),
        None => missing(&loaded.config.policy.file, "rules"),
    };
    Ok((config + &policy, verdict))
}

/// Warnings are notices: they go to standard error, where nothing can be done if that fails.
pub(crate) fn warn<T: std::fmt::Display>(warnings: &[T]) {
    for warning in warnings {
        let _ = writeln!(io::stderr(), "warning: {}", PrintableLines(&warning.to_string()));
    }
}
