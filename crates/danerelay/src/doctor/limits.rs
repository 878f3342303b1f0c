//! How many files and sockets may be open.

use rustix::process::{Resource, getrlimit};

use super::finding::{Finding, Level, Subject};
use crate::config::Loaded;
use crate::surroundings;

pub(super) fn examine(loaded: &Loaded) -> Finding {
    let limit = getrlimit(Resource::Nofile);
    // The daemon raises its own limit to the hard one.
    let most = limit.maximum.unwrap_or(u64::MAX);
    match surroundings::descriptors(&loaded.config, most) {
        None => Finding::ok(
            Subject::Limits,
            format!("{most} files and sockets may be open in this session, which is enough"),
        ),
        Some(shortage) => Finding::new(
            Subject::Limits,
            Level::Warn,
            format!("in this session: {shortage}"),
            "under systemd the unit's LimitNOFILE= counts, not the limit of this session",
        ),
    }
}
