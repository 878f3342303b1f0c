//! The status page: one document with everything in it, without scripts, for a wide screen or a phone, by day or night.
//!
//! [`html`]: markup in which foreign text stays text; [`times`]: times and ages in words. [`summary`]: the state at a glance; [`queue`]: what waits, by state,
//! age and reason; [`incidents`]: what holds mail up; [`month`]: how mail was secured in the last 30 days, and who received
//! it; [`destinations`]: the busiest and the slowest, and how much each may get at once; [`policy`]: exceptions that end,
//! and what is wrong with the policy; [`tls_reports`]: what went out of them.
//!
//! Names of domains and hosts are shown, and what servers said, but no addresses of people: words with an `@` are left out.

mod destinations;
mod html;
mod incidents;
mod month;
mod policy;
mod queue;
mod summary;
mod times;
mod tls_reports;

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64;
use jiff::Timestamp;
use spool::Store;

use self::html::{Escaped, Html};
use super::sources::Monitor;

const STYLE: &str = include_str!("style.css");

/// What a browser may do with the page: use the style that is in it, and nothing else.
static SECURITY_POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = BASE64.encode(digest(&SHA256, STYLE.as_bytes()).as_ref());
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// The value of Content-Security-Policy.
pub(super) fn security_policy() -> &'static str {
    &SECURITY_POLICY
}

/// The page, as things stood when they were last counted.
pub(super) fn page<S: Store>(monitor: &Monitor<S>, now: Timestamp) -> String {
    let (census, month) = (monitor.census.load(), monitor.month.load());
    let mut to = Html::default();
    to.raw(format_args!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><meta http-equiv=\"refresh\" content=\"60\">\
         <title>{} · danerelay</title><style>{STYLE}</style></head><body><main>",
        Escaped(&monitor.sources.hostname)
    ));
    summary::write(&mut to, monitor, &census, now);
    incidents::write(&mut to, &census, now);
    queue::write(&mut to, &census, now);
    month::write(&mut to, &month);
    destinations::write(&mut to, &census);
    policy::write(&mut to, &census, now);
    tls_reports::write(&mut to, &monitor.sources.metrics);
    to.raw("</main></body></html>\n");
    to.into_text()
}
