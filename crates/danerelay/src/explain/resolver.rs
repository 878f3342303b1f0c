//! Which resolver was used, and whether it works as everything else requires.

use std::fmt;

use dns::self_test::{self, Names};
use dns::{Mode, Resolver};
use serde::{Deserialize, Serialize};

/// The resolver used for an explanation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ResolverReport {
    #[serde(flatten)]
    pub(crate) whose: Whose,
    pub(crate) mode: ModeWord,
    pub(crate) servers: Vec<String>,
    /// The fault that its self-test has just found.
    pub(crate) fault: Option<String>,
    /// Why a name server over TLS could not be used. Another one may have answered.
    pub(crate) obstacle: Option<String>,
}

/// Whose resolver and policy it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", content = "because", rename_all = "lowercase")]
pub(crate) enum Whose {
    /// The running daemon's.
    Daemon,
    /// One that the command created for itself, for this reason.
    Command(String),
}

/// Who validates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ModeWord {
    TrustAd,
    Validate,
}

impl From<Mode> for ModeWord {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::TrustAd => Self::TrustAd,
            Mode::Validate => Self::Validate,
        }
    }
}

/// Tests it, bypassing its cache.
pub(super) async fn examine(resolver: &Resolver, names: &Names, whose: Whose) -> ResolverReport {
    let tested = self_test::run(resolver, names).await;
    ResolverReport {
        whose,
        mode: resolver.mode().into(),
        servers: resolver.servers(),
        fault: tested.err().map(|fault| fault.to_string()),
        obstacle: resolver.obstacle(),
    }
}

impl fmt::Display for ModeWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TrustAd => "trust-ad",
            Self::Validate => "validate",
        })
    }
}

/// `the running daemon's: trust-ad, asking 127.0.0.1:53`.
impl fmt::Display for ResolverReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.whose {
            Whose::Daemon => f.write_str("the running daemon's")?,
            Whose::Command(because) => write!(f, "this command's own ({because})")?,
        }
        write!(f, ": {}", self.mode)?;
        match self.servers.as_slice() {
            [] => f.write_str(", without servers"),
            servers => write!(f, ", asking {}", servers.join(", ")),
        }
    }
}
