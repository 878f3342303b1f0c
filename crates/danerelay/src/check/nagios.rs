//! One line for Nagios, Icinga and their kin, and its status: `DANE CRITICAL - …|secure=3 …`.

use mail::count;

use super::row::Row;
use super::summary::Counts;
use super::verdict::Verdict;

/// The states of a service, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Ok,
    Unknown,
    Warning,
    Critical,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// A domain that is broken is critical; one that is insecure, unless that is allowed, or has warnings is a warning.
fn state_of(row: &Row, insecure: State) -> State {
    match row.verdict {
        Verdict::Broken => State::Critical,
        Verdict::Insecure => insecure,
        Verdict::Unreachable => State::Unknown,
        Verdict::NoMail if row.is_missing => State::Warning,
        Verdict::Secure | Verdict::NoMail if row.grave.is_empty() => State::Ok,
        Verdict::Secure | Verdict::NoMail => State::Warning,
    }
}

/// The worst of the domains, found while they come.
#[derive(Debug, Clone)]
pub(crate) struct Worst {
    /// What an insecure domain is.
    insecure: State,
    found: Option<(State, String)>,
}

impl Worst {
    pub(crate) fn new(insecure: State) -> Self {
        Self {
            insecure,
            found: None,
        }
    }

    /// Of equally bad ones the first is named.
    pub(crate) fn add(&mut self, row: &Row) {
        let state = state_of(row, self.insecure);
        if self.found.as_ref().is_some_and(|(worst, _)| *worst >= state) {
            return;
        }
        let why = row.gravest.as_deref().unwrap_or_else(|| row.verdict.words());
        let words = format!("{} is {}: {why}", row.domain, row.verdict.as_str());
        self.found = Some((state, words));
    }

    /// The line and the state.
    pub(crate) fn line(&self, counts: &Counts) -> (String, State) {
        let (state, words) = match &self.found {
            None => (State::Unknown, "no domain".to_owned()),
            Some((State::Ok, _)) => (
                State::Ok,
                format!("{} as it should be", count(counts.all(), "domain")),
            ),
            Some((state, words)) => (*state, words.clone()),
        };
        let figures: Vec<String> = Verdict::ALL
            .iter()
            .map(|verdict| format!("{}={}", verdict.as_str(), counts.of(*verdict)))
            .collect();
        (line_of(state, &words, &figures.join(" ")), state)
    }
}

/// Nothing is known, for this reason.
pub(crate) fn unknown(words: &str) -> String {
    line_of(State::Unknown, words, "")
}

fn line_of(state: State, words: &str, figures: &str) -> String {
    // What follows the bar is for programs.
    let words = words.replace(['|', '\n'], " ");
    let bar = if figures.is_empty() { "" } else { "|" };
    format!("DANE {} - {words}{bar}{figures}\n", state.as_str())
}
