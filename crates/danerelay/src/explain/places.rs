//! Where the keys of the policy are written.

use std::collections::BTreeMap;

use policy::Policy;
use policy::settings::{Key, Lines};
use serde::{Deserialize, Serialize};

/// Where keys are written that are not built in.
pub(crate) type Places = BTreeMap<Key, Place>;

/// A line of a file, from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) file: String,
    pub(crate) line: usize,
}

/// The places of these lines of the policy file.
pub(super) fn places(policy: &Policy, lines: Lines) -> Places {
    let place = |line| {
        let file = policy.file()?.to_owned();
        Some(Place { file, line })
    };
    let places = lines
        .into_iter()
        .filter_map(|(key, line)| Some((key, place(line)?)));
    places.collect()
}
