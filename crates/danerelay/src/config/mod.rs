//! `danerelay.toml`: from the text to settings that hold together.
//!
//! 1. [`schema`], `schema_log` and `schema_outgoing` name every key, its type and its default; [`units`] reads networks and name
//!    servers.
//! 2. [`validate`] looks at what one key alone cannot show, [`remarks`] at what works, but hardly as meant;
//!    [`networks`] knows where strangers are; [`later`] sorts out keys whose function does not exist yet.
//! 3. [`show`] writes the settings in force, each with its origin.
//!
//! [`load`] does 1 and 2 and makes every path absolute. Nothing here opens a socket or asks the DNS.

mod later;
mod networks;
pub(crate) mod remarks;
pub(crate) mod schema;
mod schema_log;
mod schema_outgoing;
mod show;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_words;
pub(crate) mod units;
mod validate;

use std::io;
use std::path::{Path, PathBuf};

use settings_file::fault;
use settings_file::{Document, FileError};

use crate::access::{self, Use};
pub(crate) use schema::{Config, LogTarget};
pub(crate) use show::show;

/// Where the configuration is looked for when none is named.
pub(crate) const DEFAULT_PATH: &str = "/etc/danerelay/danerelay.toml";

/// The commented configuration file with every key at its default.
pub(crate) const TEMPLATE: &str = include_str!("../../../../config/danerelay.toml");

/// A configuration as loaded.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The settings, with absolute paths.
    pub(crate) config: Config,
    /// What the administrator should know although it is no error.
    pub(crate) warnings: Vec<FileError>,
    /// The file, or where it would have been.
    pub(crate) path: PathBuf,
    /// Whether there is such a file.
    pub(crate) found: bool,
    /// The text of the file; empty where there is none.
    pub(crate) text: String,
}

impl Loaded {
    /// Whether the file has this dotted key.
    pub(crate) fn is_written(&self, dotted: &str) -> bool {
        Document::new(&self.path, &self.text).has(dotted)
    }

    /// A remark on a dotted key, with its place where the file has it.
    pub(crate) fn remark(&self, dotted: &str, message: &str) -> String {
        let document = Document::new(&self.path, &self.text);
        if document.has(dotted) {
            document.remark_at(dotted, message.to_owned()).to_string()
        } else {
            message.to_owned()
        }
    }

    /// All settings as tables, every key present.
    pub(crate) fn as_table(&self) -> toml::Table {
        as_table(&self.config)
    }
}

/// Why there is no configuration. Always the administrator's to mend.
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
    /// The file is wrong in these places; never empty.
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
fn parse(path: &Path, text: Option<String>) -> Result<Loaded, ConfigError> {
    let found = text.is_some();
    let text = text.unwrap_or_default();
    let (mut config, warnings) = interpret(path, &text).map_err(ConfigError::Faults)?;
    make_absolute(&mut config, path.parent().unwrap_or(Path::new("/")));
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
    let mut faults = reading.faults;
    let Some(config) = reading.value else {
        return Err(faults);
    };
    let document = Document::new(path, text);
    let effective = as_table(&config);
    let (mut warnings, refused) = later::review(&document, &config, &effective);
    faults.extend(refused);
    faults.extend(validate::errors(&document, &config, &effective));
    warnings.extend(remarks::remarks(&document, &config));
    faults.sort_by_key(|fault| (fault.line, fault.column));
    warnings.sort_by_key(|warning| (warning.line, warning.column));
    if faults.is_empty() {
        Ok((config, warnings))
    } else {
        Err(faults)
    }
}

/// The settings as tables, every key present.
fn as_table(config: &Config) -> toml::Table {
    // The schema is made of tables, texts, numbers and arrays only, all of which TOML has.
    toml::Table::try_from(config).unwrap_or_default()
}

/// Reads each relative path as beginning at the directory of the file.
fn make_absolute(config: &mut Config, directory: &Path) {
    let paths = [
        &mut config.state_directory,
        &mut config.listen.tls_certificate,
        &mut config.listen.tls_key,
        &mut config.access.users_file,
        &mut config.spool.path,
        &mut config.dns.trust_anchor,
        &mut config.tls.webpki_roots,
        &mut config.policy.file,
        &mut config.tlsrpt.dkim.key,
        &mut config.admin.socket,
    ];
    for path in paths {
        if !path.as_os_str().is_empty() {
            *path = directory.join(&*path);
        }
    }
    if let LogTarget::File(path) = config.log.target() {
        config.log.target = directory.join(path).to_string_lossy().into_owned();
    }
}
