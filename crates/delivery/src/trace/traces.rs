//! Who has asked for traces.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use mail::event::trace::Traced;
use mail::{Domain, EventLog, NextHop, QueueId};
use parking_lot::Mutex;
use policy::pattern::Pattern;
use tokio::sync::mpsc;

use super::allowance::Allowance;
use super::handle::Trace;
use super::run::{Listener, OCTETS, Run};
use super::step::Step;

/// How much of all traces goes into the log: so many octets at once, and so many each second.
const LOGGED: (usize, usize) = (256 << 10, 1 << 10);
/// How many octets are told about one message, whatever the number of its next hops and attempts.
const WATCHED: usize = 1 << 20;

/// Who has asked for traces.
#[derive(Default)]
pub struct Traces {
    /// Whether anybody has: if not, nothing else is looked at.
    is_wanted: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    watchers: HashMap<QueueId, Watcher>,
    /// From the first domain on.
    logged: Option<Logged>,
}

struct Watcher {
    told: mpsc::UnboundedSender<Traced>,
    allowance: Arc<Allowance>,
}

/// What is traced in the log.
struct Logged {
    domains: Vec<Pattern>,
    allowance: Arc<Allowance>,
    /// Deliveries that were not traced, because there was no room left.
    untraced: AtomicU64,
}

/// What a watcher is told about a message, until it is dropped.
pub struct Watch {
    traces: Arc<Traces>,
    id: QueueId,
    told: mpsc::UnboundedReceiver<Traced>,
}

impl Traces {
    /// From now on, the log has the traces of deliveries to the domains that match one of these.
    pub fn log(&self, domains: &[Pattern]) {
        let mut state = self.state.lock();
        // A reload gives nobody more room.
        state.logged.get_or_insert_with(Logged::default).domains = domains.to_vec();
        self.note(&state);
    }

    /// From now on, watches the deliveries of a message; each of them makes connections of its own, so that all of the
    /// dialogue is seen. `None` if somebody watches it already.
    pub fn watch(self: &Arc<Self>, id: QueueId) -> Option<Watch> {
        let mut state = self.state.lock();
        if state.watchers.contains_key(&id) {
            return None;
        }
        let (told, steps) = mpsc::unbounded_channel();
        let allowance = Arc::new(Allowance::once(WATCHED));
        state.watchers.insert(id, Watcher { told, allowance });
        self.note(&state);
        Some(Watch {
            traces: Arc::clone(self),
            id,
            told: steps,
        })
    }

    fn note(&self, state: &State) {
        let logged = state.logged.as_ref();
        let is_logged = logged.is_some_and(|logged| !logged.domains.is_empty());
        let is_wanted = is_logged || !state.watchers.is_empty();
        self.is_wanted.store(is_wanted, Ordering::Relaxed);
    }

    /// The trace of a delivery that begins.
    pub(crate) fn of(&self, id: QueueId, next_hop: &NextHop, log: &Arc<dyn EventLog>) -> Trace {
        let mut trace = self.watched(id, next_hop);
        self.log_rest(&mut trace, id, next_hop, log);
        trace
    }

    /// The log has the rest of a delivery's trace, if it is about the destination and there is room.
    pub(crate) fn log_rest(
        &self,
        trace: &mut Trace,
        id: QueueId,
        next_hop: &NextHop,
        log: &Arc<dyn EventLog>,
    ) {
        if !self.is_wanted.load(Ordering::Relaxed) {
            return;
        }
        let (logger, untraced) = match &self.state.lock().logged {
            Some(logged) if logged.is_about(next_hop) => logged.listener(log),
            Some(_) | None => (None, 0),
        };
        let Some(logger) = logger else { return };
        trace.heard_by(logger, || Run::new(Some(id), next_hop.to_string(), Vec::new()));
        if untraced > 0 {
            trace.tell(|| Step::Untraced(untraced));
        }
    }

    /// The trace of a delivery only for those who watch the message.
    pub(crate) fn watched(&self, id: QueueId, next_hop: &NextHop) -> Trace {
        if !self.is_wanted.load(Ordering::Relaxed) {
            return Trace::off();
        }
        let state = self.state.lock();
        state.watchers.get(&id).map_or_else(Trace::off, |watcher| {
            Trace::of(Run::new(Some(id), next_hop.to_string(), vec![watcher.listener()]))
        })
    }
}

impl Watcher {
    fn listener(&self) -> Listener {
        Listener::watching(self.told.clone(), self.allowance.at_most(OCTETS))
    }
}

impl Default for Logged {
    fn default() -> Self {
        Self {
            domains: Vec::new(),
            allowance: Arc::new(Allowance::new(LOGGED.0, LOGGED.1)),
            untraced: AtomicU64::new(0),
        }
    }
}

impl Logged {
    fn is_about(&self, next_hop: &NextHop) -> bool {
        let matches = |name: &Domain| self.domains.iter().any(|pattern| pattern.matches(name));
        match next_hop {
            NextHop::Domain { domain: name, .. } | NextHop::Host { host: name, .. } => matches(name),
            NextHop::Address { .. } => false,
        }
    }

    /// The log, if there is room for a whole trace; and how many deliveries before this one it has no trace of.
    fn listener(&self, log: &Arc<dyn EventLog>) -> (Option<Listener>, u64) {
        let Some(room) = self.allowance.whole(OCTETS) else {
            self.untraced.fetch_add(1, Ordering::Relaxed);
            return (None, 0);
        };
        let untraced = self.untraced.swap(0, Ordering::Relaxed);
        (Some(Listener::logging(Arc::clone(log), room)), untraced)
    }
}

impl Watch {
    /// The message.
    pub fn id(&self) -> QueueId {
        self.id
    }

    /// What happens next; it is waited for.
    pub async fn next(&mut self) -> Option<Traced> {
        self.told.recv().await
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut state = self.traces.state.lock();
        state.watchers.remove(&self.id);
        self.traces.note(&state);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mail::Event;
    use mail::event::trace::StepKind;

    use super::*;

    /// Counts the octets of the texts, and keeps what was left out.
    #[derive(Default)]
    struct Log(Mutex<(usize, Vec<String>)>);

    impl EventLog for Log {
        fn write(&self, event: &Event) {
            let Event::Trace(step) = event else { return };
            let mut log = self.0.lock();
            log.0 += step.text.len();
            if step.step == StepKind::LeftOut {
                log.1.push(step.text.clone());
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_log_has_whole_traces_or_none_and_says_how_many_it_has_not() {
        let log = Arc::new(Log::default());
        let events: Arc<dyn EventLog> = Arc::<Log>::clone(&log);
        let traces = Traces::default();
        let next_hop: NextHop = "a.example".parse().unwrap();
        let begin = || traces.of(QueueId::generate(), &next_hop, &events);
        assert!(!begin().is_on());
        traces.log(&["a.example".parse().unwrap()]);
        let talk = |octets: usize| {
            let (trace, text) = (begin(), "x".repeat(1000));
            for _ in 0..octets / 1000 {
                trace.tell(|| Step::Server(&text));
            }
            trace.is_on()
        };
        // Each has its share, and what is more than that is left out.
        let told = (0..100).filter(|_| talk(200_000)).count();
        assert!((4..=8).contains(&told), "{told}");
        {
            let log = log.0.lock();
            assert!(log.0 < LOGGED.0, "{}", log.0);
            assert_eq!(log.1.len(), told);
        }
        // A reload gives no more; time does.
        traces.log(&["a.example".parse().unwrap(), ".b.example".parse().unwrap()]);
        assert!(!talk(1_000));
        tokio::time::advance(std::time::Duration::from_secs(100)).await;
        assert!(talk(1_000) && talk(1_000));
        let last = log.0.lock().1.pop().unwrap();
        let untraced = 100 - told + 1;
        assert_eq!(
            last,
            format!("{untraced} deliveries before this one were not traced")
        );
        assert!(!traces.watched(QueueId::generate(), &next_hop).is_on());
    }
}
