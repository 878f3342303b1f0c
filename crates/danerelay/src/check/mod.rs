//! Whether a domain can be reached securely: the receiving side's test.
//!
//! What is seen is kept apart from what follows from it:
//!
//! 1. [`examiner`] looks at a domain, with the code that delivers mail: its look-ups ([`zone`]: and its name servers one by
//!    one), and its sessions with every address of every host ([`contacts`]: each [`once`] for all domains, one at a time by
//!    [`address_locks`]; [`offers`]: what else a server can do; [`ways`]: whether there is a way to it at all), until its
//!    [`deadline`]. [`setup`]: from the settings to an examiner.
//! 2. [`observation`]: what was seen, as [`plain`] data; [`outcome`]: what became of one connection; [`marks`]: which records
//!    fit it.
//! 3. [`findings`]: what is wrong or could be better, and how to mend it; [`verdict`]: secure, insecure, broken or
//!    unreachable. Both are pure.
//! 4. [`report`]: all of it, and the JSON; [`text`]: the same for people, in colours.
//! 5. Many domains: [`bulk`] checks them, some at once; of each a [`row`] is remembered, for the [`summary`], the [`page`] and
//!    what it [compares](compare) with an earlier run. [`nagios`] and [`metrics`] are for monitoring.

mod address_locks;
mod bulk;
mod compare;
mod contacts;
mod deadline;
mod examiner;
mod findings;
mod marks;
mod metrics;
mod nagios;
mod observation;
mod offers;
mod once;
mod outcome;
mod page;
mod plain;
mod report;
mod row;
mod setup;
mod summary;
pub(crate) mod text;
mod verdict;
mod ways;
mod zone;

pub(crate) use bulk::{Audience, Ended, Examiners, Left, Terms, check_all};
pub(crate) use compare::{Comparison, Past};
pub(crate) use examiner::Examiner;
pub(crate) use metrics::{Figures, write as metrics};
pub(crate) use nagios::{State, Worst, unknown as nagios_unknown};
pub(crate) use observation::{Depth, Manner};
pub(crate) use page::{Page, Run};
pub(crate) use report::Report;
pub(crate) use row::Row;
pub(crate) use setup::{Connecting, Setup};
pub(crate) use summary::{Counts, Summary};
pub(crate) use verdict::Verdict;
pub(crate) use ways::has_route;
