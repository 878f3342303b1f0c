//! What the steps of a delivery are told to: nothing, if nobody listens.

use std::sync::Arc;

use mail::event::trace::Traced;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::allowance::Allowance;
use super::run::{self, Listener, Run};
use super::step::Step;

/// The trace of one attempt, or of one connection of it; nothing if nobody listens.
#[derive(Clone, Default)]
pub(crate) struct Trace(Option<On>);

#[derive(Clone)]
struct On {
    run: Arc<Run>,
    /// The host that is connected to.
    host: Option<Arc<str>>,
}

impl Trace {
    /// Nobody listens.
    pub(crate) fn off() -> Self {
        Self::default()
    }

    pub(super) fn of(run: Run) -> Self {
        Self(Some(On {
            run: Arc::new(run),
            host: None,
        }))
    }

    /// From now on, this listener hears the rest of the trace too. Only for a trace of which there is no copy yet.
    pub(super) fn heard_by(&mut self, listener: Listener, run: impl FnOnce() -> Run) {
        match self.0.as_mut().map(|on| Arc::get_mut(&mut on.run)) {
            None => {
                let mut run = run();
                run.add(listener);
                *self = Self::of(run);
            }
            Some(Some(run)) => run.add(listener),
            Some(None) => {}
        }
    }

    /// The trace of one connection that is made to examine a server, and what it tells.
    pub(crate) fn examining(
        next_hop: &str,
        allowance: &Arc<Allowance>,
    ) -> (Self, mpsc::UnboundedReceiver<Traced>) {
        let (told, steps) = mpsc::unbounded_channel();
        let listener = Listener::watching(told, allowance.at_most(run::OCTETS));
        let run = Run::new(None, next_hop.to_owned(), vec![listener]);
        (Self::of(run), steps)
    }

    /// The same for a connection to this host.
    pub(crate) fn at(&self, host: impl FnOnce() -> String) -> Self {
        Self(self.0.as_ref().map(|on| On {
            run: Arc::clone(&on.run),
            host: Some(host().into()),
        }))
    }

    /// Whether somebody listens.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Whether somebody watches, who wants to see everything from the beginning of a connection on.
    pub(crate) fn is_watched(&self) -> bool {
        self.0.as_ref().is_some_and(|on| on.run.is_watched())
    }

    /// Tells a step, which is put together only if somebody listens.
    pub(crate) fn tell<'s>(&self, step: impl FnOnce() -> Step<'s>) {
        if let Some(on) = &self.0 {
            on.run.tell(on.host.as_deref(), &step(), Instant::now());
        }
    }

    /// The same for a step that was over at this time.
    pub(super) fn tell_at<'s>(&self, at: Instant, step: impl FnOnce() -> Step<'s>) {
        if let Some(on) = &self.0 {
            on.run.tell(on.host.as_deref(), &step(), at);
        }
    }

    /// Each recipient has its outcome, or there is none left.
    pub(crate) fn settled(&self) {
        if let Some(on) = &self.0 {
            on.run.settled();
        }
    }
}
