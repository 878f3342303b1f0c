//! The status page, made as [all pages](crate::pages) are.
//!
//! [`summary`]: the state at a glance; [`queue`]: what waits, by state,
//! age and reason; [`incidents`]: what holds mail up; [`month`]: how mail was secured in the last 30 days, and who received
//! it; [`destinations`]: the busiest and the slowest, and how much each may get at once; [`policy`]: exceptions that end,
//! and what is wrong with the policy; [`tls_reports`]: what went out of them.
//!
//! Names of domains and hosts are shown, and what servers said, but no addresses of people: words with an `@` are left out.

mod destinations;
mod incidents;
mod month;
mod policy;
mod queue;
mod summary;
mod tls_reports;

use std::sync::LazyLock;

use jiff::Timestamp;
use spool::Store;

use super::sources::Monitor;
use crate::pages::html::{self, Html, Kind};

static SECURITY_POLICY: LazyLock<String> =
    LazyLock::new(|| format!("{}; frame-ancestors 'none'", html::security_policy()));

/// The value of Content-Security-Policy.
pub(super) fn security_policy() -> &'static str {
    &SECURITY_POLICY
}

/// The page, as things stood when they were last counted.
pub(super) fn page<S: Store>(monitor: &Monitor<S>, now: Timestamp) -> String {
    let (census, month) = (monitor.census.load(), monitor.month.load());
    let mut to = Html::page(&monitor.sources.hostname, Kind::Served);
    summary::write(&mut to, monitor, &census, now);
    incidents::write(&mut to, &census, now);
    queue::write(&mut to, &census, now);
    month::write(&mut to, &month);
    destinations::write(&mut to, &census);
    policy::write(&mut to, &census, now);
    tls_reports::write(&mut to, &monitor.sources.metrics);
    to.end()
}
