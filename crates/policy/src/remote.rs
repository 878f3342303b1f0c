//! Lists with a URL: how often they are fetched, for how long a copy holds, and which new content is not believed.
//!
//! The caller fetches them, and keeps the last good copy of each.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use mail::count;
use thiserror::Error;

use crate::list::{DomainList, NoList, entry_in};
use crate::notes::Text;
use crate::schema::{List, ListKind, PolicyFile};

/// `refresh` where it is not written.
const REFRESH: Duration = Duration::from_hours(1);
/// `max_age` where it is not written.
const MAX_AGE: Duration = Duration::from_hours(24 * 30);
/// New content with so many times as many entries, or so many times fewer, is not believed.
const FACTOR: usize = 10;
/// More entries are not taken: each costs memory that is a multiple of what it costs the server to send it.
const MOST: usize = 2_000_000;

/// A list with a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteList {
    /// Its kind.
    pub kind: ListKind,
    /// Its address as it is written.
    pub url: String,
    /// How often it is fetched.
    pub refresh: Duration,
    /// For how long a copy holds that cannot be refreshed.
    pub max_age: Duration,
}

/// What the caller has of such a list.
#[derive(Debug)]
pub enum Fetched {
    /// This is no address from which a list can be fetched.
    NoUrl(String),
    /// No copy yet.
    Never(Missing),
    /// A copy that cannot be read.
    Unreadable(PathBuf, io::Error),
    /// The last good copy.
    Copy {
        /// Its file.
        path: PathBuf,
        /// Its text.
        text: String,
        /// How long ago the server said that it is current.
        age: Duration,
    },
}

/// What it means if there is no copy of a strict list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Security would be lower without it: the policy is refused.
    Refused,
    /// This policy delivers nothing: a warning will do.
    Warned,
}

/// Why new content does not replace the last good copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Suspicion {
    /// It is no list.
    #[error("what came{}", .0.words())]
    NoList(NoList),
    /// It is empty, and the copy is not.
    #[error("what came has no entry, and the last good copy has {0}")]
    Empty(usize),
    /// It is strict and empty, and there is no copy: nothing would be demanded of anybody.
    #[error("what came has no entry, and a strict list without entries demands nothing")]
    EmptyStrict,
    /// It has more entries than any list.
    #[error("what came has more than {MOST} entries")]
    TooMany,
    /// It has very many more entries than the copy.
    #[error("what came has {}, and the last good copy has {before}", count(*now, "entry"))]
    Grown {
        /// The entries of the copy.
        before: usize,
        /// The entries now.
        now: usize,
    },
    /// It has very many fewer.
    #[error("what came has {}, and the last good copy has {before}", count(*now, "entry"))]
    Shrunk {
        /// The entries of the copy.
        before: usize,
        /// The entries now.
        now: usize,
    },
}

impl RemoteList {
    pub(crate) fn of(list: &List) -> Option<Self> {
        Some(Self {
            kind: list.kind,
            url: list.url.as_ref()?.get_ref().clone(),
            refresh: list.refresh.as_ref().map_or(REFRESH, |time| time.get_ref().0),
            max_age: list.max_age.as_ref().map_or(MAX_AGE, |time| time.get_ref().0),
        })
    }

    /// The lists with a URL that a policy file names, also where the file has faults: to fetch them before it is
    /// compiled for the first time.
    pub fn named_in(file: &Text<'_>) -> Vec<Self> {
        let reading = settings_file::read::<PolicyFile>(&file.file.to_string_lossy(), file.text);
        let lists = reading.value.into_iter().flat_map(|file| file.list);
        lists.filter_map(|list| Self::of(list.get_ref())).collect()
    }
}

/// Whether new content may replace the last good copy, of which there may be none; returns its number of entries.
pub fn examine(kind: ListKind, new: &str, last_good: Option<&str>) -> Result<usize, Suspicion> {
    // Before anything is kept of them.
    if new
        .lines()
        .filter(|line| !entry_in(line).is_empty())
        .nth(MOST)
        .is_some()
    {
        return Err(Suspicion::TooMany);
    }
    let (list, bad) = DomainList::parse("", new);
    if let Some(found) = NoList::of(new, &list, &bad) {
        return Err(Suspicion::NoList(found));
    }
    let now = list.len();
    let Some(last_good) = last_good else {
        return match kind {
            ListKind::Strict if now == 0 => Err(Suspicion::EmptyStrict),
            ListKind::Strict | ListKind::SoftFail | ListKind::Danefail => Ok(now),
        };
    };
    let before = DomainList::parse("", last_good).0.len();
    match before {
        0 => Ok(now),
        _ if now == 0 => Err(Suspicion::Empty(before)),
        _ if now >= before.saturating_mul(FACTOR) => Err(Suspicion::Grown { before, now }),
        _ if now.saturating_mul(FACTOR) <= before => Err(Suspicion::Shrunk { before, now }),
        _ => Ok(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: usize) -> String {
        let lines: Vec<String> = (0..entries)
            .map(|number| format!("d{number}.example\n"))
            .collect();
        lines.concat()
    }

    #[test]
    fn what_is_not_like_the_last_copy_is_not_believed() {
        let examine = |new: &str, last_good: Option<&str>| examine(ListKind::Danefail, new, last_good);
        let of = |before: usize, now: usize| examine(&list(now), Some(&list(before)));
        assert_eq!(of(20, 199), Ok(199));
        assert_eq!(of(20, 3), Ok(3));
        assert_eq!(of(20, 200), Err(Suspicion::Grown { before: 20, now: 200 }));
        assert_eq!(of(20, 2), Err(Suspicion::Shrunk { before: 20, now: 2 }));
        assert_eq!(of(1, 0), Err(Suspicion::Empty(1)));
        assert_eq!(of(0, 1000), Ok(1000));
        assert_eq!(examine(&list(1000), None), Ok(1000));
        assert_eq!(examine("# nobody yet\n", None), Ok(0));
        assert_eq!(
            examine("<!DOCTYPE html>\na.example\n", None),
            Err(Suspicion::NoList(NoList::Page))
        );
    }

    #[test]
    fn a_first_strict_list_that_is_empty_is_not_believed() {
        let nobody = "# nobody yet\n";
        assert_eq!(
            examine(ListKind::Strict, nobody, None),
            Err(Suspicion::EmptyStrict)
        );
        assert_eq!(examine(ListKind::Strict, "a.example\n", None), Ok(1));
    }

    #[test]
    fn more_entries_than_any_list_has_are_not_read() {
        let most = "a\n".repeat(MOST);
        let more = |line: &str| examine(ListKind::Strict, &(most.clone() + line), None);
        assert_eq!(more("b\n"), Err(Suspicion::TooMany));
        assert_eq!(more("# comments are free\n"), Ok(MOST));
    }
}
