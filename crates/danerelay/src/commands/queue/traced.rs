//! `danerelay queue retry --trace`: what happens in each delivery of a message, while it happens.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mail::event::Event;
use mail::event::trace::{StepKind, TraceStep, Traced};

use crate::admin::protocol::{Acts, Line, Request, TracedRetry};
use crate::admin::selectors::Selectors;
use crate::commands::client::Client;
use crate::commands::output::{notice, printable, write};
use crate::config::Config;
use crate::failure::Failure;

/// Has the daemon try the message now, shows what happens, and returns for how many recipients that was; if it is broken off,
/// `sofar` has that.
pub(super) fn retry(
    config: &Config,
    selectors: Selectors,
    is_json: bool,
    sofar: &mut Acts,
) -> Result<Acts, Failure> {
    let mut client = Client::connect(config)?;
    client.ask(&Request::RetryTrace { selectors })?;
    let mut pages = Pages::default();
    loop {
        let line = match client.next::<Traced, TracedRetry>() {
            Ok(line) => line,
            Err(error) => {
                // What was told of other deliveries until then.
                write(&pages.rest())?;
                return Err(error.into());
            }
        };
        let traced = match line {
            Line::Result(traced) => traced,
            Line::Progress(acts) => {
                *sofar = acts;
                continue;
            }
            Line::Error(_) => continue,
            Line::End(end) => {
                write(&pages.rest())?;
                tell_waiting(&end.waiting);
                return Ok(end.acts);
            }
        };
        match (traced, is_json) {
            (Traced::Step(step), true) => write(&json(step))?,
            (Traced::Ended { .. }, true) => {}
            (traced, false) => write(&pages.add(traced))?,
        }
    }
}

/// The object that the log has, at the present time.
fn json(step: TraceStep) -> String {
    Event::Trace(step).to_json(&Timestamp::now().to_string()) + "\n"
}

fn tell_waiting(waiting: &[String]) {
    if !waiting.is_empty() {
        notice(&format!(
            "no delivery to {} has ended in ten minutes; the log will have its outcome",
            waiting.join(", ")
        ));
    }
}

/// The steps of several deliveries at the same time, one delivery after the other.
#[derive(Default)]
struct Pages {
    /// The next hop whose steps are shown as they come.
    open: Option<String>,
    /// What is shown later, by next hop.
    later: BTreeMap<String, Vec<Traced>>,
    /// What became of each recipient, which is shown at the end.
    outcomes: String,
}

impl Pages {
    /// What can be shown now.
    fn add(&mut self, traced: Traced) -> String {
        let next_hop = match &traced {
            Traced::Step(step) => &step.next_hop,
            Traced::Ended { next_hop, .. } => next_hop,
        };
        if self.open.as_ref().is_some_and(|open| open != next_hop) {
            self.later.entry(next_hop.clone()).or_default().push(traced);
            return String::new();
        }
        let mut text = String::new();
        self.show(traced, &mut text);
        // What has waited follows, up to a delivery that has not ended.
        while self.open.is_none()
            && let Some((_, waited)) = self.later.pop_first()
        {
            for traced in waited {
                self.show(traced, &mut text);
            }
        }
        text
    }

    /// What was not shown yet.
    fn rest(&mut self) -> String {
        let mut text = String::new();
        for traced in std::mem::take(&mut self.later).into_values().flatten() {
            self.show(traced, &mut text);
        }
        text + &std::mem::take(&mut self.outcomes)
    }

    fn show(&mut self, traced: Traced, text: &mut String) {
        match traced {
            Traced::Step(step) => {
                if self.open.as_ref() != Some(&step.next_hop) {
                    let id = step.id.map(|id| id.to_string()).unwrap_or_default();
                    text.push_str(&line(&format!("trace of {id} to {}", step.next_hop)));
                    self.open = Some(step.next_hop.clone());
                }
                match step.step {
                    StepKind::Outcome => self.outcomes.push_str(&line(&step.text)),
                    _ => text.push_str(&line(&step.to_string())),
                }
            }
            Traced::Ended { .. } => {
                text.push_str(&std::mem::take(&mut self.outcomes));
                text.push('\n');
                self.open = None;
            }
        }
    }
}

fn line(text: &str) -> String {
    printable(text) + "\n"
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn step(next_hop: &str, text: &str) -> Traced {
        Traced::Step(TraceStep {
            id: None,
            next_hop: next_hop.to_owned(),
            host: None,
            at: Duration::ZERO,
            step: StepKind::Server,
            text: text.to_owned(),
        })
    }

    fn outcome(next_hop: &str, text: &str) -> Traced {
        match step(next_hop, text) {
            Traced::Step(step) => Traced::Step(TraceStep {
                step: StepKind::Outcome,
                ..step
            }),
            ended @ Traced::Ended { .. } => ended,
        }
    }

    fn ended(next_hop: &str) -> Traced {
        Traced::Ended {
            next_hop: next_hop.to_owned(),
            settled: true,
        }
    }

    #[test]
    fn deliveries_at_the_same_time_are_shown_one_after_the_other() {
        let mut pages = Pages::default();
        let mut shown = String::new();
        let (a, b, c) = ("a.example", "b.example", "c.example");
        for traced in [
            step(b, "one"),
            step(a, "two"),
            step(c, "three"),
            outcome(b, "status=sent"),
            step(b, "four\u{1b}[2J\nx"),
            ended(a),
            ended(b),
            step(c, "five"),
        ] {
            shown.push_str(&pages.add(traced));
        }
        shown.push_str(&pages.rest());
        assert_eq!(
            shown,
            "trace of  to b.example\n\
             \u{20}  0.000  server       one\n\
             \u{20}  0.000  server       four\\x1B[2J\\x0Ax\n\
             status=sent\n\
             \n\
             trace of  to a.example\n\
             \u{20}  0.000  server       two\n\
             \n\
             trace of  to c.example\n\
             \u{20}  0.000  server       three\n\
             \u{20}  0.000  server       five\n"
        );
    }
}
