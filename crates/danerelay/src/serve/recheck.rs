//! Once a day the daemon tests what is excepted: all exceptions, and of the danefail lists the entries to which there was mail
//! and in turn a share of the others. What works again is no exception any more if a command added it, and is named in any
//! case: with `dane = "off"` nobody else would notice. The administrator's files are never written.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use delivery::{DeliveryConfig, TlsClient};
use dns::{Resolver, self_test};
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use mail::event::settings::{Rechecked, Subject as About, Warning};
use mail::event::{Event, EventLog};
use mail::{Domain, DomainPart};
use parking_lot::Mutex;
use policy::schema::ListKind;
use policy::{ListedException, Policy};
use spool::{Ledger, Tally};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use super::healed::Memory;
use crate::config::Config;
use crate::exceptions;
use crate::explain::impatient;
use crate::recheck::{Chosen, Finding, State, Subject, Tester, USED, choose, excepted, test_all};
use crate::wiring::standing::Standing;
use crate::wiring::{WiringError, resolver};

/// How long after the start at the earliest: look-ups and mail come first.
const SETTLED: Duration = Duration::from_mins(5);
/// How often.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// When to look again whether it is time, and after a failure.
const AGAIN: Duration = Duration::from_hours(1);
/// The time between two tests: ten thousand take more than half an hour.
const PACE: Duration = Duration::from_millis(200);
/// Mail of so many days makes an entry one that is tested each day.
const TRAFFIC_DAYS: i64 = 30;
/// How many entries of lists are tested before what was found is told and written down.
const PORTION: usize = 250;
/// The most entries of lists that the log names of such a portion.
const NAMED: usize = 100;

/// Tests what is excepted.
pub(super) struct Daily<S> {
    pub(super) config: Config,
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
}

/// What a round has found.
type Found = Vec<(Subject, Finding)>;

impl<S: Ledger> Daily<S> {
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
        memory.retain(&self.policy.load());
        self.standing.healed(memory.healed);
        sleep(SETTLED).await;
        let mut last = memory.tested;
        loop {
            let is_due = last.is_none_or(|last| Timestamp::now().duration_since(last) >= DAY);
            if is_due && self.round().await.is_ok_and(|is_tested| is_tested) {
                last = Some(Timestamp::now());
            }
            sleep(AGAIN).await;
        }
    }

    /// Tests all exceptions, and then today's entries of the lists, some hundreds at a time, so that nothing is lost that has
    /// been found; returns whether it could.
    pub(super) async fn round(&self) -> Result<bool, WiringError> {
        let policy = self.policy.load_full();
        let mut memory = Memory::read(&self.config);
        let exceptions = excepted(&policy, Zoned::now().date());
        if !self.portion(&policy, exceptions, &mut memory).await? {
            return Ok(false);
        }
        let used = self.used(&policy).await;
        let mut chosen = choose(&policy, &used, memory.next).into_iter().peekable();
        while chosen.peek().is_some() {
            let some: Vec<Chosen> = chosen.by_ref().take(PORTION).collect();
            let next = some.last().map_or(memory.next, |last| last.next);
            let subjects = some.into_iter().map(|one| one.subject).collect();
            if !self.portion(&policy, subjects, &mut memory).await? {
                return Ok(false);
            }
            memory.next = next;
            let _ = memory.write(&self.config);
        }
        memory.tested = Some(Timestamp::now());
        // Without the file the next start tests earlier than it need.
        let _ = memory.write(&self.config);
        Ok(true)
    }

    /// Tests these, and says what was found; returns whether it could.
    async fn portion(
        &self,
        policy: &Policy,
        subjects: Vec<Subject>,
        memory: &mut Memory,
    ) -> Result<bool, WiringError> {
        if subjects.is_empty() {
            return Ok(true);
        }
        let Some(found) = self.test(policy, subjects).await? else {
            return Ok(false);
        };
        self.tell(memory, found);
        memory.retain(&self.policy.load());
        self.standing.healed(memory.healed.clone());
        let _ = memory.write(&self.config);
        Ok(true)
    }

    /// The names on danefail lists to which there was mail. Without the ledger, none.
    async fn used(&self, policy: &Arc<Policy>) -> HashSet<Domain> {
        let mut lists = policy.lists().iter();
        if !lists.any(|list| list.kind == ListKind::Danefail) {
            return HashSet::new();
        }
        let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let from = today.saturating_sub(TRAFFIC_DAYS.days());
        let found: Arc<Mutex<HashSet<Domain>>> = Arc::default();
        let (names, asked) = (Arc::clone(&found), Arc::clone(policy));
        let visit = move |tally: Tally| {
            let Some(DomainPart::Name(name)) = tally.key.domain else {
                return ControlFlow::Continue(());
            };
            let mut lists = asked.lists().iter();
            let mut names = names.lock();
            if lists.any(|list| list.kind == ListKind::Danefail && list.names.line_of(&name).is_some()) {
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
            Err(_) => HashSet::new(),
        }
    }

    /// `None` if our own resolver fails.
    async fn test(&self, policy: &Policy, subjects: Vec<Subject>) -> Result<Option<Found>, WiringError> {
        // Without the exceptions from DNSSEC, which are tested, too.
        let plan = resolver::plan(&self.config, &self.config.dns.domain_insecure)?;
        let resolver = Resolver::new(plan.config)?;
        let names = resolver::names(&self.config.dns);
        if self_test::run(&resolver, &names).await.is_err() {
            return Ok(None);
        }
        let tester = Tester::new(resolver, impatient(&self.delivery), &self.tls, policy);
        let tester = Arc::new(tester.map_err(WiringError::Ehlo)?);
        let mut found = Vec::new();
        test_all(tester, subjects, PACE, |subject, finding| {
            found.push((subject, finding));
        })
        .await;
        Ok(Some(found))
    }

    /// Removes what commands have added, unless names below were not tested. Names every exception that works again, and
    /// the entries of lists that were not before.
    fn tell(&self, memory: &mut Memory, found: Found) {
        let removed = self.close(&found);
        let now = Timestamp::now();
        let mut entries = 0_usize;
        for (subject, finding) in found {
            let is_closed = subject
                .exception
                .as_ref()
                .is_some_and(|one| removed.contains(one));
            // What is closed is no exception any more.
            let is_news = is_closed || memory.note(&subject, &finding, now);
            if finding.state != State::Healed || (subject.exception.is_none() && !is_news) {
                continue;
            }
            if subject.exception.is_none() {
                entries = entries.saturating_add(1);
                if entries > NAMED {
                    continue;
                }
            }
            self.log.write(&Event::Rechecked(Rechecked {
                kind: subject.tested.kind(),
                name: subject.tested.name(),
                place: subject.place,
                is_closed,
                reason: finding.reason,
            }));
        }
        if let Some(more @ 1..) = entries.checked_sub(NAMED) {
            let about = About::Policy;
            let reason =
                format!("{more} further entries of danefail lists work again: `danerelay danefail list`");
            self.log.write(&Event::Warning(Warning { about, reason }));
        }
    }

    /// Removes the exceptions that commands have added and that are not needed any more; returns them.
    fn close(&self, found: &Found) -> Vec<ListedException> {
        let healed = found.iter().filter(|(_, finding)| finding.state == State::Healed);
        let healed: Vec<&ListedException> = healed.filter_map(|(subject, _)| subject.closable()).collect();
        if healed.is_empty() {
            return Vec::new();
        }
        let removed = exceptions::change(&self.config, |all| {
            let (removed, kept) = all.drain(..).partition(|one| healed.contains(&one));
            *all = kept;
            removed
        });
        let removed: Vec<ListedException> = removed.unwrap_or_else(|error| {
            let reason = error.to_string();
            let about = About::Policy;
            self.log.write(&Event::Warning(Warning { about, reason }));
            Vec::new()
        });
        if !removed.is_empty() {
            self.changed.notify_one();
        }
        removed
    }
}

#[cfg(test)]
mod tests;
