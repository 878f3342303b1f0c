//! The policy as a command reads it that asks: by a user who may not be able to read all of it.

use policy::{Missing, Policy};

use super::output;
use crate::config::Loaded;
use crate::wiring;
use crate::wiring::policy::PolicyFileError;

/// What a user can read of the policy.
pub(super) struct Readable {
    pub(super) policy: Policy,
    /// What cannot be read, and so does not count here although it may for the relay.
    pub(super) unread: Vec<String>,
}

/// Reads the policy. Standard error says what of it cannot be read: the answer is then not what the relay would say.
pub(super) fn policy(loaded: &Loaded) -> Result<Readable, PolicyFileError> {
    let read = wiring::policy::load(loaded, Missing::Warned)?;
    let lost = read
        .warnings
        .iter()
        .filter(|warning| warning.remark.loses_a_list());
    let unread: Vec<String> = lost.map(ToString::to_string).collect();
    for one in &unread {
        output::notice(one);
    }
    Ok(Readable {
        policy: read.policy,
        unread,
    })
}
