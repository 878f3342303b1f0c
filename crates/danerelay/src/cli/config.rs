//! `danerelay config`: check, show, template.

use std::io::{self, Write};
use std::path::Path;

use mail::printable::PrintableLines;

use super::{ConfigCommand, Verdict, output};
use crate::config::schema::Optional;
use crate::config::{self, Loaded};
use crate::failure::Failure;
use crate::policy_file;
use crate::serve;

/// Runs the command on the configuration file `named`, or the default one.
pub(crate) fn run(command: &ConfigCommand, named: Option<&Path>) -> Result<Verdict, Failure> {
    let text = match command {
        ConfigCommand::Check => check(&config::load(named)?)?,
        ConfigCommand::Show => show(config::load(named)?)?,
        ConfigCommand::Template => config::TEMPLATE.to_owned(),
    };
    output::write(&text)?;
    Ok(Verdict::Good)
}

/// The settings in force: where the system's name stands for ours, that.
fn show(mut loaded: Loaded) -> Result<String, Failure> {
    loaded.config.hostname = Optional(Some(serve::hostname(&loaded.config)?));
    Ok(config::show(&loaded))
}

/// Looks at everything that the daemon would read at its start, and says what is good.
fn check(loaded: &Loaded) -> Result<String, Failure> {
    warn(&loaded.warnings);
    let policy = policy_file::load(loaded)?;
    warn(&policy.warnings);
    serve::check(&loaded.config)?;
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
    Ok(config + &policy)
}

/// Warnings are notices: they go to standard error, where nothing can be done if that fails.
pub(crate) fn warn<T: std::fmt::Display>(warnings: &[T]) {
    for warning in warnings {
        let _ = writeln!(io::stderr(), "warning: {}", PrintableLines(&warning.to_string()));
    }
}
