//! What is not as it should be with the policy while the daemon runs, as plain data: for the log once, and for whoever
//! asks later.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use mail::count;
use parking_lot::Mutex;
use policy::pattern::Pattern;
use policy::{ExceptedKind, Meaning};
use serde::{Deserialize, Serialize};

/// What is not as it should be, shared by those who find it and those who show it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing(Arc<Mutex<PolicyTrouble>>);

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PolicyTrouble {
    /// The files on disk are wrong, and an older policy is in force.
    pub(crate) refused: Option<Refused>,
    /// By URL: lists that cannot be fetched, or of which what came is held back.
    pub(crate) lists: BTreeMap<String, ListTrouble>,
    /// Exceptions that end within a week.
    pub(crate) ending: Vec<Ending>,
    /// What the daily test has found.
    #[serde(flatten)]
    pub(crate) tests: Tests,
}

/// What the daily test of exceptions and entries of danefail lists has found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tests {
    /// What worked again when it was tested last, and is excepted still.
    #[serde(default)]
    pub(crate) healed: Vec<Healed>,
    /// Exceptions that were removed within the last days because they worked again.
    #[serde(default)]
    pub(crate) closed: Vec<Healed>,
    /// When all that was due on a day had been tested.
    #[serde(default)]
    pub(crate) tested: Option<Timestamp>,
}

/// Why the policy on disk is not the one in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refused {
    /// Since when.
    pub(crate) since: Timestamp,
    /// What is wrong, a line each.
    pub(crate) faults: Vec<String>,
}

/// Why a list is not fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ListTrouble {
    /// Since when.
    pub(crate) since: Timestamp,
    /// What is wrong.
    pub(crate) reason: String,
    /// Whether something came that is not believed.
    pub(crate) is_held_back: bool,
}

/// An exception that ends soon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ending {
    /// `domain example.dk`.
    pub(crate) exception: String,
    /// Its last day.
    pub(crate) until: Date,
    /// The file in which it is written.
    pub(crate) file: String,
    /// Its line there.
    pub(crate) line: usize,
}

/// Something that is excepted and need not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Healed {
    /// What the name is.
    pub(crate) kind: ExceptedKind,
    /// The name.
    pub(crate) name: Pattern,
    /// What weakens it.
    pub(crate) meaning: Meaning,
    /// The last day of an exception: with another one it is another exception. Entries of lists have none.
    #[serde(default)]
    pub(crate) until: Option<Date>,
    /// Its reason, likewise.
    #[serde(default)]
    pub(crate) exception_reason: Option<String>,
    /// The file or list.
    pub(crate) source: String,
    /// The same with the line at which it was when it was tested.
    pub(crate) place: String,
    /// When that was found for the first time.
    pub(crate) since: Timestamp,
    /// What was found last.
    pub(crate) reason: String,
}

/// `2 exceptions and 40 entries of danefail lists are not needed any more`; nothing if there are none.
pub(crate) fn not_needed<'a>(healed: impl Iterator<Item = &'a Healed>) -> Option<String> {
    let (mut exceptions, mut entries) = (0, 0);
    for one in healed {
        // Entries of lists have no last day.
        match one.until {
            Some(_) => exceptions += 1,
            None => entries += 1,
        }
    }
    let parts = [
        (exceptions > 0).then(|| count(exceptions, "exception")),
        (entries > 0).then(|| format!("{} of danefail lists", count(entries, "entry"))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let are = if exceptions + entries == 1 { "is" } else { "are" };
    (!parts.is_empty()).then(|| format!("{} {are} not needed any more", parts.join(" and ")))
}

impl Standing {
    /// The policy on disk is in force.
    pub(crate) fn accepted(&self) {
        self.0.lock().refused = None;
    }

    /// The policy on disk is refused; what is wrong with it may have changed meanwhile.
    pub(crate) fn refused(&self, faults: &str) {
        let mut trouble = self.0.lock();
        let since = trouble.refused.as_ref().map(|refused| refused.since);
        trouble.refused = Some(Refused {
            since: since.unwrap_or_else(Timestamp::now),
            faults: faults.lines().map(str::to_owned).collect(),
        });
    }

    /// A list is as it should be.
    pub(crate) fn fetched(&self, url: &str) {
        self.0.lock().lists.remove(url);
    }

    /// A list is not.
    pub(crate) fn not_fetched(&self, url: &str, reason: String, is_held_back: bool) {
        let mut trouble = self.0.lock();
        let since = trouble.lists.get(url).map(|list| list.since);
        let list = ListTrouble {
            since: since.unwrap_or_else(Timestamp::now),
            reason,
            is_held_back,
        };
        trouble.lists.insert(url.to_owned(), list);
    }

    /// Only these lists are named by the policy.
    pub(crate) fn retain_lists(&self, is_named: impl Fn(&str) -> bool) {
        self.0.lock().lists.retain(|url, _| is_named(url));
    }

    /// These exceptions end within a week.
    pub(crate) fn ending(&self, ending: Vec<Ending>) {
        self.0.lock().ending = ending;
    }

    /// The daily test has found this.
    pub(crate) fn tested(&self, tests: Tests) {
        self.0.lock().tests = tests;
    }

    /// What it has found.
    pub(crate) fn tests(&self) -> Tests {
        self.0.lock().tests.clone()
    }

    /// Of what works again, only this is excepted still.
    pub(crate) fn retain_healed(&self, is_excepted: impl Fn(&Healed) -> bool) {
        self.0.lock().tests.healed.retain(is_excepted);
    }

    /// All of it, as it is now.
    pub(crate) fn all(&self) -> PolicyTrouble {
        self.0.lock().clone()
    }
}
