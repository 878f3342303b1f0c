//! The ends of dated exceptions: the log says once of each that it ends within a week, that it ends by tomorrow, and that it
//! has ended, however often the daemon is started and wherever in its file the exception has moved.

use std::fs;
use std::path::PathBuf;

use jiff::civil::Date;
use mail::event::settings::ExceptionEnds;
use policy::pattern::Pattern;
use policy::{End, ExceptedKind, ListedException, Meaning};
use serde::{Deserialize, Serialize};

use crate::replace_file::write_state;
use crate::wiring::standing::Ending;

/// What has been said about the ends of exceptions, also before the start.
#[derive(Debug)]
pub(super) struct Ends {
    said: Vec<Said>,
    file: PathBuf,
}

/// The last that was said of an exception.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    exception: Name,
    end: End,
}

/// An exception, wherever in its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Name {
    file: String,
    kind: ExceptedKind,
    names: Pattern,
    meaning: Meaning,
    until: Date,
}

impl Ends {
    /// What this file says; nothing if it cannot be read: then it is said again.
    pub(super) fn read(file: PathBuf) -> Self {
        let octets = fs::read(&file).unwrap_or_default();
        Self {
            said: serde_json::from_slice(&octets).unwrap_or_default(),
            file,
        }
    }

    /// What there is to say of these. It counts as said.
    pub(super) fn news<'a>(
        &mut self,
        near: impl IntoIterator<Item = (&'a ListedException, End)>,
    ) -> Vec<(&'a ListedException, End)> {
        let (mut news, mut said) = (Vec::new(), Vec::new());
        for (exception, end) in near {
            let exception_name = Name::of(exception);
            let before = self.said.iter().find(|one| one.exception == exception_name);
            let is_news = match (before, end) {
                (Some(before), end) => before.end != end,
                (None, End::ThisWeek | End::Tomorrow) => true,
                // What had ended before is a warning about the file, each time that it is read.
                (None, End::Over) => false,
            };
            if is_news {
                news.push((exception, end));
            }
            if is_news || before.is_some() {
                let exception = exception_name;
                said.push(Said { exception, end });
            }
        }
        if said != self.said {
            self.said = said;
            if let Ok(octets) = serde_json::to_vec(&self.said) {
                // Without the file it is said again after the next start.
                let _ = write_state(&self.file, &octets);
            }
        }
        news
    }
}

impl Name {
    fn of(exception: &ListedException) -> Self {
        Self {
            file: exception.entry.file.to_string(),
            kind: exception.kind,
            names: exception.names.clone(),
            meaning: exception.meaning(),
            until: exception.entry.until,
        }
    }
}

/// The line of the log.
pub(super) fn event(exception: &ListedException, end: End) -> ExceptionEnds {
    ExceptionEnds {
        kind: exception.kind.as_str(),
        names: exception.names.to_string(),
        until: exception.entry.until.to_string(),
        is_over: end == End::Over,
        place: format!("{}:{}", exception.entry.file, exception.entry.line),
        reason: exception.entry.reason.to_string(),
    }
}

/// What commands show of it; nothing once it has ended.
pub(super) fn ending((exception, end): &(&ListedException, End)) -> Option<Ending> {
    match end {
        End::Over => None,
        End::ThisWeek | End::Tomorrow => Some(Ending {
            exception: exception.to_string(),
            until: exception.entry.until,
            file: exception.entry.file.to_string(),
            line: exception.entry.line,
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use jiff::ToSpan;
    use jiff::civil::date;
    use policy::settings::{DaneMode, ExceptionEntry};

    use super::*;

    fn exception(file: &str, line: usize) -> ListedException {
        ListedException {
            names: "a.example".parse().unwrap(),
            kind: ExceptedKind::Domain,
            dane: Some(DaneMode::Off),
            without_dnssec: false,
            override_strict: false,
            entry: ExceptionEntry {
                file: file.into(),
                line,
                until: date(2026, 12, 20),
                reason: "r".into(),
            },
        }
    }

    /// What is said from day to day, of each file, when the daemon is started anew each day and looks twice.
    fn said(directory: &Path, first: i32) -> Vec<(i8, String, End)> {
        let mut said = Vec::new();
        for day in first..=24 {
            let today = date(2026, 12, 1).saturating_add((day - 1).days());
            // Others were added before it or removed.
            let line = usize::try_from(day).unwrap();
            let all = [
                exception("policy.toml", line),
                exception("exceptions.toml", 30 - line),
            ];
            let mut ends = Ends::read(directory.join("announced"));
            for _ in 0..2 {
                let near = all.iter().filter_map(|one| Some((one, one.end(today)?)));
                let news = ends.news(near).into_iter();
                said.extend(news.map(|(one, end)| (today.day(), one.entry.file.to_string(), end)));
            }
        }
        said
    }

    #[test]
    fn each_step_is_said_once_of_both_files_over_restarts() {
        let directory = tempfile::tempdir().unwrap();
        let of_both = |day, end| ["policy.toml", "exceptions.toml"].map(|file| (day, file.to_owned(), end));
        let expected = [
            of_both(13, End::ThisWeek),
            of_both(19, End::Tomorrow),
            of_both(21, End::Over),
        ];
        assert_eq!(said(directory.path(), 1), expected.concat());
        // What had ended before anybody heard of it is not said.
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(said(directory.path(), 22), []);
    }
}
