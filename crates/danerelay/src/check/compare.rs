//! What has changed since an earlier run.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use mail::count;

use super::observation::Manner;
use super::row::Row;
use super::verdict::Verdict;

/// What is remembered of a domain of the earlier run.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    pub(crate) verdict: Verdict,
    manner: Option<Manner>,
    grave: BTreeSet<(String, Option<String>)>,
}

impl From<Row> for Past {
    fn from(row: Row) -> Self {
        Self {
            verdict: row.verdict,
            manner: row.manner,
            grave: row.grave,
        }
    }
}

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
    /// How many were looked at in another manner, and are not compared.
    pub(crate) unlike: usize,
}

/// A comparison that is made while the domains come.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// Those of the earlier run that have not come yet.
    before: HashMap<String, Past>,
    changes: Changes,
}

impl Comparison {
    /// With an earlier run. What is not listed now is gone; what the run does not reach is not.
    pub(crate) fn with(before: HashMap<String, Past>, is_listed: impl Fn(&str) -> bool) -> Self {
        let (before, gone): (HashMap<_, _>, HashMap<_, _>) =
            before.into_iter().partition(|(domain, _)| is_listed(domain));
        Self {
            before,
            changes: Changes {
                gone: gone.into_keys().collect(),
                ..Changes::default()
            },
        }
    }

    /// A domain as it is now.
    pub(crate) fn add(&mut self, row: &Row) {
        match self.before.remove(&row.domain) {
            None => self.changes.new.push(row.domain.clone()),
            // What was not looked at is not gone.
            Some(past) if past.manner != row.manner => self.changes.unlike += 1,
            Some(past) => self.changes.changed.extend(Change::between(&past, row)),
        }
    }

    /// There are no more.
    pub(crate) fn end(self) -> Changes {
        let mut changes = self.changes;
        changes
            .changed
            .sort_by(|one, other| one.domain.cmp(&other.domain));
        changes.new.sort();
        changes.gone.sort();
        changes
    }
}

impl Changes {
    /// Whether everything is as it was.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
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
        if self.unlike > 0 {
            let _ = writeln!(table, "{}", self.unlike_words());
        }
        if table.is_empty() {
            table.push_str("nothing has changed\n");
        }
        table
    }

    /// What is said of those that are not compared.
    pub(crate) fn unlike_words(&self) -> String {
        format!(
            "{} not compared: the earlier run had another port or other --days, was without connections, or looked more or less closely",
            count(self.unlike, "domain")
        )
    }
}

impl Change {
    fn between(old: &Past, new: &Row) -> Option<Self> {
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
