//! From a file to settings that are consistent.

use std::io;
use std::path::{Path, PathBuf};

use settings_file::{Document, Fault, FileError, fault};

use super::loaded::Loaded;
use super::schema::Config;
use super::{key, remarks, review, validate};
use crate::access::{self, Use};

/// Where the configuration is looked for if no file is named.
pub(crate) const DEFAULT_PATH: &str = "/etc/danerelay/danerelay.toml";

/// Why the configuration cannot be loaded. The administrator always has to fix it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A file that was named, or that exists, cannot be read.
    #[error("{}: {}", path.display(), access::explain(path, Use::Read, cause))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The file has these faults; never empty.
    #[error("{}", lines(.0))]
    Faults(Vec<FileError>),
}

fn lines(faults: &[FileError]) -> String {
    let lines: Vec<String> = faults.iter().map(FileError::to_string).collect();
    lines.join("\n")
}

/// Reads the named file, or the default one, which may be missing.
pub(crate) fn load(named: Option<&Path>) -> Result<Loaded, ConfigError> {
    let path = named.unwrap_or(Path::new(DEFAULT_PATH));
    let unreadable = |cause| ConfigError::Unreadable {
        path: path.to_owned(),
        cause,
    };
    let octets = match std::fs::read(path) {
        Ok(octets) => Some(octets),
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(unreadable(error)),
    };
    let path = std::path::absolute(path).map_err(unreadable)?;
    let text = octets.map(|octets| fault::text(&path.to_string_lossy(), octets));
    let text = text
        .transpose()
        .map_err(|fault| ConfigError::Faults(vec![fault]))?;
    parse(&path, text)
}

/// Reads a configuration from the text of the file at `path`, which is absolute; `None`: there is no such file.
pub(super) fn parse(path: &Path, text: Option<String>) -> Result<Loaded, ConfigError> {
    let found = text.is_some();
    let text = text.unwrap_or_default();
    let (mut config, warnings) = interpret(path, &text).map_err(ConfigError::Faults)?;
    key::make_absolute(&mut config, path.parent().unwrap_or(Path::new("/")));
    Ok(Loaded {
        config,
        warnings,
        path: path.to_owned(),
        found,
        text,
    })
}

fn interpret(path: &Path, text: &str) -> Result<(Config, Vec<FileError>), Vec<FileError>> {
    let reading = settings_file::read::<Config>(&path.to_string_lossy(), text);
    let mut faults: Vec<FileError> = reading.faults.into_iter().map(with_demand).collect();
    let Some(config) = reading.value else {
        return Err(faults);
    };
    let document = Document::new(path, text);
    let findings = review::review(&document, &config);
    faults.extend(findings.errors);
    faults.extend(validate::errors(&document, &config));
    let mut warnings = findings.warnings;
    warnings.extend(remarks::remarks(&document, &config));
    faults.sort_by_key(|fault| (fault.line, fault.column));
    warnings.sort_by_key(|warning| (warning.line, warning.column));
    if faults.is_empty() {
        Ok((config, warnings))
    } else {
        Err(faults)
    }
}

/// Of a value of another form, says also what its key demands beyond the form.
fn with_demand(mut error: FileError) -> FileError {
    if let Fault::Form { key, allowed, .. } = &mut error.fault
        && let Some(row) = Config::default().rows().iter().find(|row| row.dotted() == *key)
    {
        *allowed = row.key.rule.allowed(allowed);
    }
    error
}
