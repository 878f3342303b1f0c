//! The table `log`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What is logged, and where to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    pub(crate) target: String,
    pub(crate) facility: LogFacility,
    pub(crate) level: LogLevel,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            target: "stderr".to_owned(),
            facility: LogFacility::Mail,
            level: LogLevel::Info,
        }
    }
}

impl Log {
    /// The meaning of `target`.
    pub(crate) fn target(&self) -> LogTarget {
        match self.target.as_str() {
            "stderr" => LogTarget::Stderr,
            "syslog" => LogTarget::Syslog,
            "journald" => LogTarget::Journald,
            path => LogTarget::File(path.into()),
        }
    }
}

/// Where the log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LogTarget {
    /// Standard error.
    Stderr,
    /// The system's syslog daemon.
    Syslog,
    /// The systemd journal, field by field.
    Journald,
    /// A file.
    File(PathBuf),
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// `key=value, key=value`.
    Text,
    /// One object a line.
    Json,
}

/// The quietest events that are still written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogLevel {
    /// Everything.
    Debug,
    /// The ordinary course of things, and what is louder.
    Info,
    /// What the administrator should see.
    Warning,
    /// What the administrator must mend.
    Error,
}

impl From<LogLevel> for mail::event::Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Debug => Self::Debug,
            LogLevel::Info => Self::Info,
            LogLevel::Warning => Self::Warning,
            LogLevel::Error => Self::Error,
        }
    }
}

/// The facility of a message to syslog, with its number (RFC 5424 §6.2.1). `kern` is the kernel's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFacility {
    User = 1,
    Mail = 2,
    Daemon = 3,
    Auth = 4,
    Syslog = 5,
    Lpr = 6,
    News = 7,
    Uucp = 8,
    Cron = 9,
    AuthPriv = 10,
    Ftp = 11,
    Local0 = 16,
    Local1 = 17,
    Local2 = 18,
    Local3 = 19,
    Local4 = 20,
    Local5 = 21,
    Local6 = 22,
    Local7 = 23,
}

impl LogFacility {
    /// The number of RFC 5424 §6.2.1, below 24.
    pub(crate) fn number(self) -> u8 {
        self as u8
    }
}
