//! What both said, and how much of it was the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::known;
use crate::common::{Client, Unbound};

/// One question and what was said.
pub struct Case<'a> {
    /// What somebody on the way makes of it; nothing where all is genuine.
    pub lie: &'a str,
    pub question: &'a str,
    /// Ours, of a failure without its cause.
    pub said: &'a str,
    /// Unbound's.
    pub due: &'a str,
}

#[derive(Default)]
pub struct Tally {
    same: usize,
    /// By their reason, or by what was said where there is none.
    known: BTreeMap<&'static str, usize>,
    unknown: BTreeMap<String, Vec<String>>,
}

impl Tally {
    pub async fn compare(&mut self, ours: &Client, judge: &Unbound, question: &str) {
        self.compare_under("", ours, judge, question).await;
    }

    pub async fn compare_under(&mut self, lie: &str, ours: &Client, judge: &Unbound, question: &str) {
        let (told, due) = (ours.ask(question).await, judge.ask(question).await);
        // Of a failure Unbound does not say whether it is bogus or undecided.
        let said = if told.starts_with("failed ") {
            "failed"
        } else {
            &told
        };
        if said == due {
            self.same += 1;
            return;
        }
        let case = Case {
            lie,
            question,
            said,
            due: &due,
        };
        if let Some(reason) = known(&case) {
            *self.known.entry(reason).or_default() += 1;
        } else {
            let what = format!("{lie}: {told}, Unbound: {due}");
            self.unknown.entry(what).or_default().push(question.to_owned());
        }
    }

    /// Shows what there was, and ends the test where a difference has no reason.
    #[track_caller]
    pub fn close(self, what: &str) {
        let different: usize = self.known.values().sum();
        let mut text = format!("{what}: {} of {} the same\n", self.same, self.same + different);
        for (reason, count) in &self.known {
            writeln!(text, "  {count} not: {reason}").unwrap();
        }
        println!("{text}");
        for (what, questions) in &self.unknown {
            writeln!(text, "  {what} ({}): {}", questions.len(), questions.join(", ")).unwrap();
        }
        assert!(self.unknown.is_empty(), "{text}");
        assert!(self.same > 0, "{what}: nothing was compared");
    }
}
