//! The section `[log]`.

use std::fmt;
use std::path::{Path, PathBuf};

use policy::pattern::Pattern;
use serde::{Deserialize, Serialize, Serializer};
use settings_file::forms::{self, Form, Unfit};

use super::key::{Amount, RELOAD, Value, section};
use super::values::something;

section! {
    /// What is logged, and where to.
    pub(crate) struct Log("log") {
        /// text: key=value, key=value. json: one object a line.
        format: LogFormat = LogFormat::Text, "people read it first" => RELOAD;

        /// stderr; syslog, to /dev/log; journald, with each field apart (DANERELAY_TO=...); or the path of a file, which is
        /// opened anew on SIGHUP. Nothing waits for a target that stalls: 1 MiB of lines does, and what is lost beyond that is
        /// counted in the log. Lines are at most 2 KiB long.
        #[serde(deserialize_with = "forms::one::<LogTarget, _>")]
        target: LogTarget = LogTarget::Stderr, "systemd's journal and containers read it" => RELOAD;

        /// For syslog and journald: mail, daemon, user, auth, authpriv, cron, ftp, lpr, news, syslog, uucp, local0 to local7
        facility: LogFacility = LogFacility::Mail, "RFC 5424 §6.2.1" => RELOAD;

        /// debug, info, warning or error
        level: LogLevel = LogLevel::Info, "each delivery is one line" => RELOAD;

        /// Domains of which each delivery is logged step by step, as `event=trace`: what the policy and DNS say, and the dialogue with
        /// the servers, without content and passwords. "example.nl" is this domain alone, ".example.nl" all below it. At most 256 KiB
        /// at once and 1 KiB a second is written.
        #[serde(deserialize_with = "forms::list::<Pattern, _>")]
        trace: Vec<Pattern> = Vec::new(), "none" => RELOAD;
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

impl Form for LogTarget {
    type Value = Self;

    const ALLOWED: &'static str = "\"stderr\", \"syslog\", \"journald\" or the path of a file";

    fn read(text: &str) -> Result<Self, Unfit> {
        match text {
            "" => Err(Unfit::Form),
            "stderr" => Ok(Self::Stderr),
            "syslog" => Ok(Self::Syslog),
            "journald" => Ok(Self::Journald),
            path => Ok(Self::File(path.into())),
        }
    }
}

impl fmt::Display for LogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stderr => f.write_str("stderr"),
            Self::Syslog => f.write_str("syslog"),
            Self::Journald => f.write_str("journald"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl Serialize for LogTarget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Value for LogTarget {
    fn amount(&self) -> Amount {
        Amount::Some
    }

    fn make_absolute(&mut self, directory: &Path) {
        match self {
            Self::File(path) => path.make_absolute(directory),
            Self::Stderr | Self::Syslog | Self::Journald => {}
        }
    }
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

/// The lowest level of events that are still written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogLevel {
    /// Everything.
    Debug,
    /// Normal operation, and all higher levels.
    Info,
    /// What the administrator should see.
    Warning,
    /// What the administrator must fix.
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

something!(LogFormat, LogLevel, LogFacility);
