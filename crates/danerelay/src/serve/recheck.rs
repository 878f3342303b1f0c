//! Once a day the daemon tests what is excepted: all exceptions, and of the danefail lists the entries to which there was mail
//! and in turn a share of the others. What works again is no exception any more if a command added it, and is named in any
//! case: with `dane = "off"` nobody else would notice. The administrator's files are never written.

use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use delivery::{DeliveryConfig, TlsClient};
use dns::{Resolver, self_test};
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use mail::event::settings::{Rechecked, Subject as About, Warning};
use mail::event::{Event, EventLog};
use mail::{Alarm, Domain, DomainPart, Pace, count};
use parking_lot::Mutex;
use policy::{ListedException, Policy};
use spool::{
    Action, Ledger, Manage, Pending, QueuedMessage, QueuedRecipient, RecipientIndex, RecipientState,
    Selected, SpoolError, Tally,
};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

use super::healed::Memory;
use crate::admin::selectors::Selectors;
use crate::admin::walk::Walk;
use crate::config::Config;
use crate::exceptions;
use crate::explain::impatient;
use crate::recheck::{
    Chosen, Finding, State, Subject, Tested, Tester, USED, choose, danefail_lists, excepted, test_all,
};
use crate::wiring::standing::Standing;
use crate::wiring::{WiringError, resolver};

/// How long after the start at the earliest: look-ups and mail come first.
const SETTLED: Duration = Duration::from_mins(5);
/// How often.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// When to look again whether it is time, and after a failure.
const AGAIN: Duration = Duration::from_hours(1);
/// How often it is told that it cannot be tested.
const FAILING: Pace = Pace {
    reminder: Some(Duration::from_hours(24)),
    pause: Duration::ZERO,
};
/// The time between two tests: ten thousand take more than half an hour.
const PACE: Duration = Duration::from_millis(200);
/// Mail of so many days makes an entry one that is tested each day.
const TRAFFIC_DAYS: i64 = 30;
/// How many entries of lists are tested before what was found is told and written down.
const PORTION: usize = 250;
/// How often the queue is looked through for mail to what works again.
const TRY_AGAIN: Duration = Duration::from_mins(5);
/// The most entries of lists that the log names of such a portion.
const NAMED: usize = 100;

/// Tests what is excepted.
pub(super) struct Daily<S> {
    /// With which the daemon started.
    pub(super) config: Config,
    /// `dns.domain_insecure` of the configuration in force.
    pub(super) domain_insecure: watch::Receiver<Vec<Domain>>,
    pub(super) delivery: DeliveryConfig,
    pub(super) tls: TlsClient,
    pub(super) policy: Arc<ArcSwap<Policy>>,
    /// Knows to which domains there was mail.
    pub(super) spool: Arc<S>,
    pub(super) log: Arc<dyn EventLog>,
    /// Is told what works again.
    pub(super) standing: Standing,
    /// Has the policy read again.
    pub(super) changed: Arc<Notify>,
    /// Is told which names work again, and what is to be delivered there now.
    pub(super) wake: Wake,
}

/// Forgets what was learned about these names, and delivers their mail now.
pub(super) type Wake = Box<dyn Fn(&[Domain], Vec<Pending>) + Send + Sync>;

/// What a round has found.
type Found = Vec<(Subject, Finding)>;

/// Why nothing can be tested now.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotTested {
    /// Our own resolver fails.
    #[error("our own resolver fails: {0}")]
    Resolver(String),
    /// Something that the test needs cannot be made.
    #[error(transparent)]
    Wiring(#[from] WiringError),
}

/// What works again, and whose mail was not tried yet.
#[derive(Default)]
struct News {
    well: Vec<Tested>,
    /// When mail was tried last.
    tried: Option<Instant>,
}

impl News {
    /// Whether it is time to look for their mail: that takes a look at the whole queue.
    fn is_due(&self) -> bool {
        !self.well.is_empty() && self.tried.is_none_or(|tried| tried.elapsed() >= TRY_AGAIN)
    }
}

/// What works again, to find the mail for it.
struct Well {
    /// Destinations and zones.
    domains: HashSet<String>,
    /// Receiving hosts.
    hosts: HashSet<String>,
    names: Vec<Domain>,
}

impl<S: Ledger + Manage> Daily<S> {
    /// Runs until the daemon stops.
    pub(super) async fn run(self, mut stopped: watch::Receiver<bool>) {
        tokio::select! {
            () = self.again_and_again() => {}
            // An error means that the sender is gone, and nobody can send the signal.
            _ = stopped.wait_for(|stop| *stop) => {}
        }
    }

    async fn again_and_again(&self) {
        let mut memory = Memory::read(&self.config);
        memory.retain(&self.policy.load(), Timestamp::now());
        let mut last = memory.tests.tested;
        self.standing.tested(memory.tests);
        sleep(SETTLED).await;
        let mut failing = Alarm::new(FAILING);
        loop {
            // A time that is still to come was written while the clock was ahead: it says nothing.
            let is_fresh =
                |last| (SignedDuration::ZERO..DAY).contains(&Timestamp::now().duration_since(last));
            let is_due = !last.is_some_and(is_fresh);
            if is_due {
                match self.round().await {
                    Ok(()) => {
                        last = Some(Timestamp::now());
                        let _ = failing.clear(Instant::now().into_std());
                    }
                    Err(error) => {
                        if failing.raise((), Instant::now().into_std()) {
                            let reason =
                                format!("the daily test of exceptions and danefail lists waits: {error}");
                            self.warn(reason);
                        }
                    }
                }
            }
            sleep(AGAIN).await;
        }
    }

    fn warn(&self, reason: String) {
        let about = About::Policy;
        self.log.write(&Event::Warning(Warning { about, reason }));
    }

    /// Tests all exceptions, and then today's entries of the lists, some hundreds at a time, so that nothing is lost that has
    /// been found. What was interrupted goes on.
    pub(super) async fn round(&self) -> Result<(), NotTested> {
        let policy = self.policy.load_full();
        let mut memory = Memory::read(&self.config);
        memory.keep_only(&self.standing.tests().healed);
        let used = self.used(&policy).await;
        let mut next = memory.next;
        let exceptions = excepted(&policy, Zoned::now().date());
        let exceptions = exceptions.map(|subject| Chosen { subject, next });
        let chosen: Vec<Chosen> = exceptions.chain(choose(&policy, &used, next)).collect();
        let done = memory.begin(chosen.iter().map(|one| &one.subject), Timestamp::now());
        let mut news = News::default();
        for some in chosen.get(done..).unwrap_or_default().chunks(PORTION) {
            let subjects = some.iter().map(|one| one.subject.clone()).collect();
            let found = self.test(&policy, subjects).await?;
            news.well.extend(self.tell(&mut memory, found));
            if news.is_due() {
                self.try_again(&mut news).await;
            }
            let last = some.last();
            next = last.map_or(next, |last| last.next);
            memory.advance(some.len(), last.map(|last| &last.subject));
            self.keep(&mut memory);
        }
        memory.complete(next, Timestamp::now());
        self.keep(&mut memory);
        self.try_again(&mut news).await;
        Ok(())
    }

    /// Shows what is known, and writes it down.
    fn keep(&self, memory: &mut Memory) {
        memory.retain(&self.policy.load(), Timestamp::now());
        self.standing.tested(memory.tests.clone());
        if let Err(error) = memory.write(&self.config) {
            self.warn(format!(
                "what the daily test has found cannot be written down: {error}"
            ));
        }
    }

    /// The names on danefail lists to which there was mail. Without the ledger, none.
    async fn used(&self, policy: &Arc<Policy>) -> BTreeSet<Domain> {
        if danefail_lists(policy).next().is_none() {
            return BTreeSet::new();
        }
        let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let from = today.saturating_sub(TRAFFIC_DAYS.days());
        let found: Arc<Mutex<BTreeSet<Domain>>> = Arc::default();
        let (names, asked) = (Arc::clone(&found), Arc::clone(policy));
        let visit = move |tally: Tally| {
            let Some(DomainPart::Name(name)) = tally.key.domain else {
                return ControlFlow::Continue(());
            };
            let mut names = names.lock();
            if danefail_lists(&asked).any(|list| list.names.line_of(&name).is_some()) {
                names.insert(name);
            }
            if names.len() < USED {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        };
        let read = self.spool.sums(from..=today, visit).await;
        match read {
            Ok(_) => std::mem::take(&mut *found.lock()),
            Err(_) => BTreeSet::new(),
        }
    }

    async fn test(&self, policy: &Policy, subjects: Vec<Subject>) -> Result<Found, NotTested> {
        // Without the exceptions from DNSSEC, which are tested, too.
        let insecure = self.domain_insecure.borrow().clone();
        let plan = resolver::plan(&self.config, &insecure).map_err(WiringError::from)?;
        let resolver = Resolver::new(plan.config).map_err(WiringError::from)?;
        let names = resolver::names(&self.config.dns);
        self_test::run(&resolver, &names)
            .await
            .map_err(|fault| NotTested::Resolver(fault.to_string()))?;
        let tester = Tester::new(resolver, impatient(&self.delivery), &self.tls, policy)
            .map(Arc::new)
            .map_err(WiringError::Ehlo)?;
        let mut found = Vec::new();
        test_all(tester, subjects, PACE, |subject, finding| {
            found.push((subject, finding));
        })
        .await;
        Ok(found)
    }

    /// Removes what commands have added, unless names below were not tested. Names every exception that works again, and
    /// the entries of lists that were not before. Returns what works again and was not before.
    fn tell(&self, memory: &mut Memory, found: Found) -> Vec<Tested> {
        let now = Timestamp::now();
        let removed = self.close(memory, &found, now);
        let (mut entries, mut well) = (0_usize, Vec::new());
        for (subject, finding) in found {
            let is_closed = subject
                .exception
                .as_ref()
                .is_some_and(|exception| removed.iter().any(|one| one.is_same(exception)));
            let is_news = memory.note(&subject, &finding, now);
            if is_closed {
                memory.closed(&subject, &finding, now);
            }
            if finding.state != State::Healed || (subject.exception.is_none() && !is_news) {
                continue;
            }
            if is_news {
                well.push(subject.tested.clone());
            }
            if subject.exception.is_none() {
                entries = entries.saturating_add(1);
                if entries > NAMED {
                    continue;
                }
            }
            self.log.write(&Event::Rechecked(Rechecked {
                kind: subject.tested.kind().as_str(),
                name: subject.tested.names().to_string(),
                place: subject.place(),
                is_closed,
                reason: finding.reason,
            }));
        }
        if let Some(more @ 1..) = entries.checked_sub(NAMED) {
            let entries = count(more, "further entry");
            self.warn(format!(
                "working again on danefail lists: {entries}; see `danerelay danefail list`"
            ));
        }
        well
    }

    /// Has deferred mail for these tried at once: some waits because their signatures were broken.
    async fn try_again(&self, news: &mut News) {
        let well = std::mem::take(&mut news.well);
        if well.is_empty() {
            return;
        }
        news.tried = Some(Instant::now());
        if let Err(error) = self.walk(Well::of(well)).await {
            self.warn(format!(
                "mail for what works again could not be tried at once: {error}"
            ));
        }
    }

    /// Looks through the queue once for all of these.
    async fn walk(&self, well: Well) -> Result<(), SpoolError> {
        let well = Arc::new(well);
        let mut walk = Walk::new(&Selectors {
            all: true,
            ..Selectors::default()
        });
        let wanted = Arc::clone(&well);
        let select = move |message| wanted.select(&message);
        while let Some(page) = walk.next(&*self.spool, select.clone()).await? {
            if !page.is_empty() {
                let acted = self.spool.act(Action::Retry, page, Timestamp::now()).await?;
                (self.wake)(&well.names, acted.pending);
            }
        }
        Ok(())
    }

    /// Removes the exceptions that commands have added and that are not needed any more; returns them.
    fn close(&self, memory: &Memory, found: &Found, now: Timestamp) -> Vec<ListedException> {
        let healed = found.iter().filter(|(subject, finding)| {
            finding.state == State::Healed && memory.may_close(subject, finding, now)
        });
        let healed: Vec<&ListedException> = healed.filter_map(|(subject, _)| subject.closable()).collect();
        if healed.is_empty() {
            return Vec::new();
        }
        let removed = exceptions::change(&self.config, |all| {
            let (removed, kept) = all
                .drain(..)
                .partition(|one| healed.iter().any(|healed| healed.is_same(one)));
            *all = kept;
            removed
        });
        let removed: Vec<ListedException> = removed.unwrap_or_else(|error| {
            self.warn(error.to_string());
            Vec::new()
        });
        if !removed.is_empty() {
            self.changed.notify_one();
        }
        removed
    }
}

impl Well {
    fn of(tested: Vec<Tested>) -> Self {
        let (mut domains, mut hosts, mut names) = (HashSet::new(), HashSet::new(), Vec::new());
        for one in tested {
            match one {
                Tested::Domain(name) | Tested::Zone(name) => {
                    domains.insert(name.to_string());
                    names.push(name);
                }
                Tested::Mx(name) => {
                    hosts.insert(name.to_string());
                    names.push(name);
                }
                Tested::Many(..) => {}
            }
        }
        Self {
            domains,
            hosts,
            names,
        }
    }

    /// The deferred recipients whose mail goes there.
    fn select(&self, message: &QueuedMessage) -> Option<Selected> {
        let is_meant = |one: &&QueuedRecipient| {
            one.state == RecipientState::Deferred
                && (self.domains.contains(&one.next_hop)
                    || one.host.as_ref().is_some_and(|host| self.hosts.contains(host)))
        };
        let recipients = message.recipients.iter().filter(is_meant);
        let recipients: Vec<RecipientIndex> = recipients.map(|one| one.index).collect();
        (!recipients.is_empty()).then_some(Selected {
            id: message.id,
            recipients,
        })
    }
}

#[cfg(test)]
mod tests;
