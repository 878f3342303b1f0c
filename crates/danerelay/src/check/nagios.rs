//! One line for Nagios, Icinga and their kin, and its status: `DANE CRITICAL - …|secure=3 …`.

use super::row::Row;
use super::summary::Summary;
use super::verdict::Verdict;

/// The states of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Ok,
    Warning,
    Critical,
    Unknown,
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

/// The line and the state.
pub(crate) fn line(rows: &[Row], insecure: State) -> (String, State) {
    let rank = |state| match state {
        State::Ok => 0,
        State::Unknown => 1,
        State::Warning => 2,
        State::Critical => 3,
    };
    let worst = rows
        .iter()
        .map(|row| (state_of(row, insecure), row))
        .max_by_key(|(state, _)| rank(*state));
    let counts = Summary::of(rows.iter()).counts;
    let (state, words) = match worst {
        None => (State::Unknown, "no domain".to_owned()),
        Some((State::Ok, _)) => (State::Ok, format!("{} domains as they should be", rows.len())),
        Some((state, row)) => {
            let why = row
                .gravest
                .clone()
                .unwrap_or_else(|| row.verdict.words().to_owned());
            (
                state,
                format!("{} is {}: {why}", row.domain, row.verdict.as_str()),
            )
        }
    };
    // What follows the bar is for programs.
    let words = words.replace(['|', '\n'], " ");
    let figures: Vec<String> = Verdict::ALL
        .iter()
        .map(|verdict| format!("{}={}", verdict.as_str(), counts.of(*verdict)))
        .collect();
    (
        format!("DANE {} - {words}|{}\n", state.as_str(), figures.join(" ")),
        state,
    )
}
