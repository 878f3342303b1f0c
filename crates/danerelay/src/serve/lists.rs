//! Keeps the copies of lists with a URL current, in the background; those that are missing are fetched before the start.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use dns::Resolver;
use futures_util::future::join_all;
use mail::event::settings::{ListNews, ListState};
use mail::event::{Event, EventLog};
use mail::{Alarm, Pace};
use policy::RemoteList;
use policy::schema::ListKind;
use rand::RngExt as _;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::config::Config;
use crate::lists::{Copies, FetchError, Fetcher, News};
use crate::wiring::standing::Standing;
use crate::wiring::{WiringError, resolver, tls};

/// How long the start waits for a strict list of which there is no copy.
const START: Duration = Duration::from_secs(30);
/// The same for a list without which it goes on.
const START_WITHOUT: Duration = Duration::from_secs(5);
/// After a failure a list is tried again within this time at the latest.
const AGAIN: Duration = Duration::from_mins(5);
/// The log is reminded of a list that cannot be fetched this often.
const TROUBLE: Pace = Pace {
    reminder: Some(Duration::from_hours(1)),
    pause: Duration::ZERO,
};
/// By so much more of its time, at random, a list is fetched later, so that not everybody asks at the same moment.
const JITTER: f64 = 0.1;

/// Fetches lists.
pub(super) struct Lists {
    pub(super) fetcher: Fetcher,
    /// Those that the policy in force names.
    pub(super) named: watch::Receiver<Vec<RemoteList>>,
    /// All are to be fetched now.
    pub(super) now: Arc<Notify>,
    /// Is told that copies have changed, or no longer hold.
    pub(super) changed: Arc<Notify>,
    pub(super) log: Arc<dyn EventLog>,
    pub(super) standing: Standing,
}

/// Those of these lists of which there is no copy.
pub(super) fn missing(config: &Config, lists: Vec<RemoteList>) -> Vec<RemoteList> {
    let copies = Copies::of(config);
    let mut lists = lists;
    lists.retain(|list| copies.is_missing(&list.url));
    lists
}

/// Before the policy that names them is compiled: fetches lists of which there is no copy. Returns what failed.
pub(super) async fn fetch_missing(
    config: &Config,
    missing: &[RemoteList],
) -> Result<Vec<String>, WiringError> {
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let plan = resolver::plan(config, &config.dns.domain_insecure)?;
    let client = tls::https_client(config)?;
    let fetcher = Fetcher::new(client, Resolver::new(plan.config)?, config);
    let fetcher = &fetcher;
    let failures = join_all(missing.iter().map(|list| async move {
        let patience = patience(list.kind);
        match timeout(patience, fetcher.fetch(list)).await {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(format!("{}: {error}", list.url)),
            Err(_) => Some(format!(
                "{}: it did not come within {} seconds",
                list.url,
                patience.as_secs()
            )),
        }
    }));
    Ok(failures.await.into_iter().flatten().collect())
}

/// Without a strict list there is no policy; the others may come later.
fn patience(kind: ListKind) -> Duration {
    match kind {
        ListKind::Strict => START,
        ListKind::SoftFail | ListKind::Danefail => START_WITHOUT,
    }
}

/// What is known about one list.
struct State {
    list: RemoteList,
    due: Instant,
    alarm: Alarm<Kind>,
    /// Its copy does not hold any more.
    is_too_old: bool,
}

/// The kinds of trouble, each of which is told at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    NotFetched,
    HeldBack,
}

impl Lists {
    /// Runs until the daemon stops.
    pub(super) async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        tokio::select! {
            () = self.fetch_again_and_again() => {}
            // An error means that the sender is gone, and nobody can send the signal.
            _ = stopped.wait_for(|stop| *stop) => {}
        }
    }

    async fn fetch_again_and_again(&mut self) {
        let mut states: HashMap<String, State> = HashMap::new();
        loop {
            self.follow(&mut states);
            let due = states.values().map(|state| state.due).min();
            tokio::select! {
                changed = self.named.changed() => if changed.is_err() { return },
                () = self.now.notified() => {
                    for state in states.values_mut() {
                        state.due = Instant::now();
                    }
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    let now = Instant::now();
                    // At the same time: a server that does not answer must not hold up the others.
                    let due = states.values_mut().filter(|state| state.due <= now);
                    join_all(due.map(|state| self.fetch(state))).await;
                }
            }
        }
    }

    /// A list that is named for the first time is fetched at once; what is known about the others stays.
    fn follow(&mut self, states: &mut HashMap<String, State>) {
        let named = self.named.borrow_and_update().clone();
        let is_named = |url: &str| named.iter().any(|list| list.url == url);
        for (url, _) in states.extract_if(|url, _| !is_named(url)) {
            self.tell(&url, ListState::NotNamed);
        }
        self.standing.retain_lists(is_named);
        for list in named {
            if let Some(state) = states.get_mut(&list.url) {
                state.list = list;
                continue;
            }
            let state = State {
                due: Instant::now(),
                alarm: Alarm::new(TROUBLE),
                is_too_old: false,
                list: list.clone(),
            };
            states.insert(list.url, state);
        }
    }

    async fn fetch(&self, state: &mut State) {
        let url = state.list.url.clone();
        let tell = |news| self.tell(&url, news);
        // Then the policy goes without it, even if it has not changed on the server.
        let was_too_old = self.fetcher.is_too_old(&state.list);
        let time = match self.fetcher.fetch(&state.list).await {
            Ok(news) => {
                self.standing.fetched(&url);
                if state.alarm.clear(std_now()).is_some() {
                    tell(ListState::Recovered);
                }
                if let News::Replaced(entries) = news {
                    tell(ListState::Fetched(entries as u64));
                }
                if std::mem::take(&mut state.is_too_old) || was_too_old || news != News::Unchanged {
                    self.changed.notify_one();
                }
                // A copy holds for max_age.
                state.list.refresh.min(state.list.max_age)
            }
            Err(error) => {
                self.note(state, &error, tell);
                state.list.refresh.min(AGAIN)
            }
        };
        let later = rand::rng().random_range(1.0..=1.0 + JITTER);
        state.due = Instant::now() + time.mul_f64(later);
    }

    fn tell(&self, url: &str, news: ListState) {
        let url = url.to_owned();
        self.log.write(&Event::List(ListNews { url, news }));
    }

    fn note(&self, state: &mut State, error: &FetchError, tell: impl Fn(ListState)) {
        let reason = error.to_string();
        let kind = match error {
            FetchError::HeldBack { .. } => Kind::HeldBack,
            FetchError::Url(_)
            | FetchError::Host(_)
            | FetchError::Lookup(..)
            | FetchError::Https(_)
            | FetchError::Disk { .. } => Kind::NotFetched,
        };
        let is_held_back = kind == Kind::HeldBack;
        self.standing
            .not_fetched(&state.list.url, reason.clone(), is_held_back);
        if state.alarm.raise(kind, std_now()) {
            let reason = reason.clone();
            tell(match kind {
                Kind::HeldBack => ListState::HeldBack(reason),
                Kind::NotFetched => ListState::NotFetched(reason),
            });
        }
        let is_too_old = self.fetcher.is_too_old(&state.list);
        if is_too_old && !std::mem::replace(&mut state.is_too_old, true) {
            tell(ListState::TooOld(reason));
            self.changed.notify_one();
        }
    }
}

#[allow(clippy::disallowed_types, reason = "what an alarm asks for")]
fn std_now() -> std::time::Instant {
    Instant::now().into_std()
}
