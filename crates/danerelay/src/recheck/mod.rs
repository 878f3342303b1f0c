//! Whether the destinations for which there is an exception, or an entry on a list, work again.
//!
//! * [`subject`]: what is tested, and where that is written.
//! * [`choice`]: which entries of lists are tested on a day.
//! * [`turns`]: how many tests run at once, and at one provider's hosts. [`tester`]: makes the look-ups and connects as a delivery would that knows of no exception; sends nothing.

mod choice;
mod subject;
mod tester;
mod turns;

pub(crate) use choice::{Chosen, USED, choose};
pub(crate) use subject::{Subject, Tested, danefail_lists, excepted, subjects};
pub(crate) use tester::{Finding, State, Tester, test_all};
