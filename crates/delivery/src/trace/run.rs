//! The trace of one attempt.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use mail::event::trace::{StepKind, TraceStep, Traced};
use mail::render::cut;
use mail::{Event, EventLog, QueueId};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::allowance::Part;
use super::step::Step;

/// How many octets one attempt tells each who listens, besides the outcomes.
pub(super) const OCTETS: usize = 64 * 1024;
/// Of these, for what failed and how connections ended.
const ENDS: usize = 4 * 1024;
/// How long a text may be, in octets.
const TEXT: usize = 1024;
/// The same for a line of the log.
const LINE: usize = 2048;
/// What a line has in front of a step.
const OF_LINE: usize = 48;

/// The trace of one attempt. It ends with the last connection that is part of it.
pub(super) struct Run {
    id: Option<QueueId>,
    next_hop: String,
    began: Instant,
    listeners: Vec<Listener>,
    settled: AtomicBool,
}

/// Somebody who listens.
pub(super) struct Listener {
    to: To,
    room: Part,
    left_out: AtomicU64,
}

enum To {
    /// Who watches; they may have gone.
    Watcher(mpsc::UnboundedSender<Traced>),
    Log(Arc<dyn EventLog>),
}

impl Listener {
    pub(super) fn watching(told: mpsc::UnboundedSender<Traced>, room: Part) -> Self {
        Self::new(To::Watcher(told), room)
    }

    pub(super) fn logging(log: Arc<dyn EventLog>, room: Part) -> Self {
        Self::new(To::Log(log), room)
    }

    fn new(to: To, room: Part) -> Self {
        Self {
            to,
            room,
            left_out: AtomicU64::new(0),
        }
    }

    /// Tells a step if there is room for it.
    fn tell(&self, step: &TraceStep) {
        let (rest, is_end) = match (step.step, &self.to) {
            // The log has that line.
            (StepKind::Outcome, To::Log(_)) => return,
            // They are ours, and few.
            (StepKind::Outcome, To::Watcher(_)) => return self.pass(step.clone()),
            (StepKind::Failed | StepKind::Closed, _) => (0, true),
            _ => (ENDS, false),
        };
        let octets = OF_LINE + Event::Trace(step.clone()).to_text().len();
        // After a gap the dialogue does not go on as if it were whole.
        let has_gap = self.left_out.load(Ordering::Relaxed) > 0;
        if (is_end || !has_gap) && self.room.take(octets, rest) {
            self.pass(step.clone());
        } else {
            self.left_out.fetch_add(octets as u64, Ordering::Relaxed);
        }
    }

    fn pass(&self, step: TraceStep) {
        match &self.to {
            To::Watcher(told) => {
                // Nobody has to watch to the end.
                let _ = told.send(Traced::Step(step));
            }
            To::Log(log) => log.write(&Event::Trace(step)),
        }
    }
}

impl Run {
    pub(super) fn new(id: Option<QueueId>, next_hop: String, listeners: Vec<Listener>) -> Self {
        Self {
            id,
            next_hop,
            began: Instant::now(),
            listeners,
            settled: AtomicBool::new(false),
        }
    }

    pub(super) fn add(&mut self, listener: Listener) {
        self.listeners.push(listener);
    }

    pub(super) fn is_watched(&self) -> bool {
        let mut listeners = self.listeners.iter();
        listeners.any(|one| matches!(one.to, To::Watcher(_)))
    }

    pub(super) fn settled(&self) {
        self.settled.store(true, Ordering::Relaxed);
    }

    pub(super) fn tell(&self, host: Option<&str>, step: &Step<'_>, at: Instant) {
        let step = self.step(host, step, at);
        for listener in &self.listeners {
            listener.tell(&step);
        }
    }

    fn step(&self, host: Option<&str>, step: &Step<'_>, at: Instant) -> TraceStep {
        TraceStep {
            id: self.id,
            next_hop: self.next_hop.clone(),
            host: host.map(str::to_owned),
            at: at.saturating_duration_since(self.began),
            step: step.kind(),
            text: cut(
                &step.to_string(),
                if step.kind() == StepKind::Outcome {
                    LINE
                } else {
                    TEXT
                },
            ),
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        for listener in &self.listeners {
            let octets = listener.left_out.load(Ordering::Relaxed);
            if octets > 0 {
                listener.pass(self.step(None, &Step::LeftOut { octets }, Instant::now()));
            }
            if let To::Watcher(told) = &listener.to {
                let _ = told.send(Traced::Ended {
                    next_hop: self.next_hop.clone(),
                    settled: self.settled.load(Ordering::Relaxed),
                });
            }
        }
    }
}
