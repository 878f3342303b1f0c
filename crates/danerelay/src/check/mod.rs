//! Whether a domain can be reached securely: the receiving side's test.
//!
//! What is seen is kept apart from what follows from it:
//!
//! 1. [`examiner`] looks at a domain, with the code that delivers mail: its look-ups ([`zone`]: and its name servers one by
//!    one), and its sessions with every address of every host ([`contacts`]: each once for all domains; [`offers`]: what else
//!    a server can do; [`ways`]: whether there is a way to it at all). [`setup`]: from the settings to an examiner.
//! 2. [`observation`]: what was seen, as [`plain`] data; [`outcome`]: what became of one connection.
//! 3. [`findings`]: what is wrong or could be better, and how to mend it; [`verdict`]: secure, insecure, broken or
//!    unreachable. Both are pure.
//! 4. [`report`]: all of it, and the JSON; [`text`]: the same for people, coloured by [`paint`].
//! 5. Many domains: [`bulk`] checks them, some at once; of each a [`row`] is remembered, for the [`summary`], the [`page`] and
//!    what it [compares](compare) with an earlier run. [`nagios`] and [`metrics`] are for monitoring.

mod bulk;
mod compare;
mod contacts;
mod examiner;
mod findings;
mod metrics;
mod nagios;
mod observation;
mod offers;
mod outcome;
mod page;
pub(crate) mod paint;
mod plain;
mod report;
mod row;
mod setup;
mod summary;
pub(crate) mod text;
mod verdict;
mod ways;
mod zone;

pub(crate) use bulk::{Examiners, check_all};
pub(crate) use compare::Changes;
pub(crate) use examiner::{Depth, Examiner};
pub(crate) use metrics::{Figures, write as metrics};
pub(crate) use nagios::{State, line as nagios_line};
pub(crate) use page::Page;
pub(crate) use report::Report;
pub(crate) use row::Row;
pub(crate) use setup::{Connecting, Setup};
pub(crate) use summary::Summary;
pub(crate) use verdict::Verdict;
