//! Colours, on terminals only.

use std::env;
use std::io::{self, IsTerminal as _};

use super::verdict::Verdict;

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    Colours,
    Plain,
}

/// A colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tint {
    Red,
    Green,
    Yellow,
    Plain,
}

impl Paint {
    /// What standard output shows: no colours in files and pipes, and none where `NO_COLOR` is set (<https://no-color.org>).
    pub(crate) fn of_output() -> Self {
        let is_unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_some_and(|value| value == "dumb");
        if io::stdout().is_terminal() && !is_unwanted && !is_dumb {
            Self::Colours
        } else {
            Self::Plain
        }
    }

    pub(super) fn tint(self, tint: Tint, text: &str) -> String {
        let code = match (self, tint) {
            (Self::Plain, _) | (_, Tint::Plain) => return text.to_owned(),
            (Self::Colours, Tint::Red) => "31",
            (Self::Colours, Tint::Green) => "32",
            (Self::Colours, Tint::Yellow) => "33",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    pub(super) fn bold(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colours => format!("\x1b[1m{text}\x1b[0m"),
        }
    }

    pub(super) fn verdict(self, verdict: Verdict) -> String {
        let tint = match verdict {
            Verdict::Secure => Tint::Green,
            Verdict::Broken => Tint::Red,
            Verdict::Insecure | Verdict::Unreachable => Tint::Yellow,
            Verdict::NoMail => Tint::Plain,
        };
        self.tint(tint, verdict.as_str())
    }
}
