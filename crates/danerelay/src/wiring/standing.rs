//! What is not as it should be with the policy while the daemon runs, as plain data: for the log once, and for whoever
//! asks later.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use parking_lot::Mutex;
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
    /// Exceptions and entries of danefail lists that were well again when they were tested last.
    #[serde(default)]
    pub(crate) healed: Vec<Healed>,
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
    /// `domain` or `mx`.
    pub(crate) kind: String,
    /// The name.
    pub(crate) name: String,
    /// The file or list.
    pub(crate) source: String,
    /// The same with the line at which it was when it was tested.
    pub(crate) place: String,
    /// When that was found for the first time.
    pub(crate) since: Timestamp,
    /// What was found last.
    pub(crate) reason: String,
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

    /// These exceptions and entries work again.
    pub(crate) fn healed(&self, healed: Vec<Healed>) {
        self.0.lock().healed = healed;
    }

    /// Of what works again, only this is excepted still.
    pub(crate) fn retain_healed(&self, is_excepted: impl Fn(&Healed) -> bool) {
        self.0.lock().healed.retain(is_excepted);
    }

    /// All of it, as it is now.
    pub(crate) fn all(&self) -> PolicyTrouble {
        self.0.lock().clone()
    }
}
