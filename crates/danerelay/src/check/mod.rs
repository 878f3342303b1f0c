//! Whether a domain can be reached securely: the receiving side's test.
//!
//! What is seen is kept apart from what follows from it:
//!
//! 1. [`examiner`] looks at a domain, with the code that delivers mail: its look-ups ([`zone`]: and its name servers one by
//!    one), and its sessions with every address of every host ([`contacts`]: each once for all domains; [`offers`]: what else
//!    a server can do). [`setup`]: from the settings to an examiner.
//! 2. [`observation`]: what was seen, as plain data; [`outcome`]: what became of one connection.
//! 3. [`findings`]: what is wrong or could be better, and how to mend it; [`verdict`]: secure, insecure, broken or
//!    unreachable. Both are pure.
//! 4. [`report`]: all of it, and the JSON; [`text`]: the same for people, coloured by [`paint`].

mod contacts;
mod examiner;
mod findings;
mod observation;
mod offers;
mod outcome;
pub(crate) mod paint;
mod report;
mod setup;
pub(crate) mod text;
mod verdict;
mod zone;

pub(crate) use examiner::{Depth, Examiner};
pub(crate) use findings::Wanted;
pub(crate) use report::Report;
pub(crate) use setup::{Connecting, Setup};
pub(crate) use verdict::Verdict;
