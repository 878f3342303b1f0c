//! What has changed since an earlier run.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::row::Row;
use super::verdict::Verdict;

/// One domain that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) domain: String,
    pub(crate) before: Verdict,
    pub(crate) now: Verdict,
    /// Errors and warnings that were not there, and the host that each is about.
    pub(crate) new: Vec<(String, Option<String>)>,
    /// Those that are gone.
    pub(crate) gone: Vec<(String, Option<String>)>,
}

/// The difference of two runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// By name.
    pub(crate) changed: Vec<Change>,
    /// Domains that only the run now knows.
    pub(crate) new: Vec<String>,
    /// Domains that only the earlier run knew.
    pub(crate) gone: Vec<String>,
}

impl Changes {
    pub(crate) fn between(before: &[Row], now: &[Row]) -> Self {
        let known: HashMap<&str, &Row> = before.iter().map(|row| (row.domain.as_str(), row)).collect();
        let mut changes = Self::default();
        for row in now {
            match known.get(row.domain.as_str()) {
                None => changes.new.push(row.domain.clone()),
                Some(old) => changes.changed.extend(Change::between(old, row)),
            }
        }
        let now: HashMap<&str, &Row> = now.iter().map(|row| (row.domain.as_str(), row)).collect();
        let gone = before.iter().filter(|row| !now.contains_key(row.domain.as_str()));
        changes.gone = gone.map(|row| row.domain.clone()).collect();
        changes
            .changed
            .sort_by(|one, other| one.domain.cmp(&other.domain));
        changes.new.sort();
        changes.gone.sort();
        changes
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let mut table = String::new();
        for change in &self.changed {
            let verdict = if change.before == change.now {
                change.now.as_str().to_owned()
            } else {
                format!("{} -> {}", change.before.as_str(), change.now.as_str())
            };
            let _ = writeln!(table, "{}: {verdict}", change.domain);
            for (sign, all) in [('+', &change.new), ('-', &change.gone)] {
                for (code, host) in all {
                    let host = host
                        .as_ref()
                        .map_or_else(String::new, |host| format!(" at {host}"));
                    let _ = writeln!(table, "  {sign} {code}{host}");
                }
            }
        }
        for (words, domains) in [("new here", &self.new), ("not checked any more", &self.gone)] {
            for domain in domains {
                let _ = writeln!(table, "{domain}: {words}");
            }
        }
        if table.is_empty() {
            table.push_str("nothing has changed\n");
        }
        table
    }
}

impl Change {
    fn between(old: &Row, new: &Row) -> Option<Self> {
        let change = Self {
            domain: new.domain.clone(),
            before: old.verdict,
            now: new.verdict,
            new: new.grave.difference(&old.grave).cloned().collect(),
            gone: old.grave.difference(&new.grave).cloned().collect(),
        };
        let is_one = change.before != change.now || !change.new.is_empty() || !change.gone.is_empty();
        is_one.then_some(change)
    }
}
