//! Once a day the daemon tests what is excepted: all exceptions, and of the danefail lists the entries to which there was mail
//! and in turn a share of the others. What is well again is no exception any more if a command added it, and is named in any
//! case: with `dane = "off"` nobody else would notice. The administrator's files are never written.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use delivery::{DeliveryConfig, TlsClient};
use dns::{Resolver, self_test};
use jiff::{Timestamp, ToSpan, Zoned};
use mail::event::settings::{Rechecked, Refused, Subject as About, Warning};
use mail::event::{Event, EventLog};
use mail::{Domain, DomainPart};
use parking_lot::Mutex;
use policy::schema::ListKind;
use policy::{ListedException, Policy};
use spool::{Ledger, Tally};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

use super::healed::{self, Memory};
use crate::config::Config;
use crate::exceptions;
use crate::explain::impatient;
use crate::recheck::{Finding, State, Subject, Tester, USED, choose, excepted, test_all};
use crate::wiring::standing::Standing;
use crate::wiring::{WiringError, resolver};

/// How long after the start at the earliest: look-ups and mail come first.
const SETTLED: Duration = Duration::from_mins(5);
/// How often.
const DAY: Duration = Duration::from_hours(24);
/// When to look again whether it is time, and after a failure.
const AGAIN: Duration = Duration::from_hours(1);
/// The time between two tests: ten thousand take more than half an hour.
const PACE: Duration = Duration::from_millis(200);
/// Mail of so many days makes an entry one that is tested each day.
const TRAFFIC_DAYS: i64 = 30;
/// The most entries of lists that the log names on a day.
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
    /// Is told what is well again.
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
        self.standing.healed(Memory::read(&self.config).healed);
        sleep(SETTLED).await;
        let mut last: Option<Instant> = None;
        loop {
            let is_due = last.is_none_or(|last| last.elapsed() >= DAY)
                && healed::age(&self.config).is_none_or(|age| age >= DAY);
            if is_due && self.round().await.is_ok_and(|is_tested| is_tested) {
                last = Some(Instant::now());
            }
            sleep(AGAIN).await;
        }
    }

    /// Tests all exceptions, and today's entries of the lists; returns whether it could.
    pub(super) async fn round(&self) -> Result<bool, WiringError> {
        let policy = self.policy.load_full();
        let mut memory = Memory::read(&self.config);
        let used = self.used(&policy).await;
        let choice = choose(&policy, &used, memory.next);
        let mut subjects = excepted(&policy, Zoned::now().date());
        subjects.extend(choice.subjects);
        let found = if subjects.is_empty() {
            Vec::new()
        } else {
            match self.test(&policy, subjects).await? {
                Some(found) => found,
                None => return Ok(false),
            }
        };
        memory.next = choice.next;
        self.tell(&mut memory, found);
        memory.retain(&self.policy.load());
        self.standing.healed(memory.healed.clone());
        // Without the file the next start tests earlier than it need.
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

    /// Removes what commands have added, unless names below were not tested. Names every exception that is well again, and
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
                format!("{more} further entries of danefail lists are well again: `danerelay danefail list`");
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
            self.log.write(&Event::Refused(Refused { about, reason }));
            Vec::new()
        });
        if !removed.is_empty() {
            self.changed.notify_one();
        }
        removed
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::fs;

    use policy::Missing;
    use testworld::dns::World;
    use testworld::mail::{Ca, Receiver};

    use super::*;
    use crate::config;
    use crate::wiring::{policy as policy_files, settings, store, tls};

    #[derive(Default)]
    struct Kept(Mutex<Vec<Event>>);

    impl EventLog for Kept {
        fn write(&self, event: &Event) {
            self.0.lock().push(event.clone());
        }
    }

    #[allow(clippy::too_many_lines, reason = "one day after the other")]
    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_well_again_is_closed_and_what_is_not_stays() {
        let world = World::start().await.unwrap();
        world.domain("test").signed().add().unwrap();
        let identity = Ca::new("Test CA").unwrap().issue(&["mx.good.test"]).unwrap();
        let receiver = Receiver::builder("mx.good.test").identity(&identity);
        let receiver = receiver.start().await.unwrap();
        let zone = world.domain("good.test").signed();
        let zone = zone.mx(10, "mx.good.test", receiver.address());
        zone.tlsa(identity.tlsa_3_1_1()).add().unwrap();
        let zone = world.domain("stale.test").signed();
        let zone = zone.mx(10, "mx.stale.test", receiver.address());
        let other = Ca::new("Other CA").unwrap().issue(&["mx.stale.test"]).unwrap();
        zone.tlsa(other.tlsa_3_1_1()).add().unwrap();

        let zone = world.domain("listed.test").signed();
        let zone = zone.mx(10, "mx.listed.test", receiver.address());
        zone.tlsa(identity.tlsa_3_1_1()).add().unwrap();

        // Without TLSA records: what is strict still waits.
        let zone = world.domain("strict.test").signed();
        zone.mx(10, "mx.strict.test", receiver.address()).add().unwrap();

        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
        file("anchor", &world.trust_anchor_ds().unwrap());
        let text = format!(
            "hostname = \"relay.test\"\nstate_directory = \"state\"\n[dns]\nmode = \"validate\"\nservers = [\"{}\"]\n\
             trust_anchor = \"anchor\"\n[spool]\npath = \"spool\"\n[limits]\nspool_free = \"1 MiB\"\n\
             [delivery]\nport = {}\nignore_addresses = []\n",
            world.address(),
            receiver.address().port()
        );
        file("danerelay.toml", &text);
        let exception =
            |key: &str| format!("[[exception]]\n{key}\ndane = \"off\"\nuntil = 2999-01-01\nreason = \"r\"\n");
        fs::create_dir(directory.path().join("state")).unwrap();
        let overriding = |key: &str| exception(&format!("{key}\noverride_strict = true"));
        let added = [
            exception("domain = \"good.test\""),
            exception("domain = \"stale.test\""),
            overriding("domain = \"strict.test\""),
            overriding("mx = \"mx.strict.test\""),
            // More may be broken below it.
            "[[exception]]\ndomain = \"test\"\ndnssec = \"off\"\nuntil = 2999-01-01\nreason = \"r\"\n"
                .to_owned(),
            exception("domain = \"good.test\"\ndnssec = \"off\""),
        ];
        file("state/exceptions.toml", &added.concat());
        let rule = "[[domain]]\nmatch = \"strict.test\"\ndane = \"strict\"\n";
        let lists = "[[list]]\nkind = \"danefail\"\nfile = \"off.list\"\n\
                     [[list]]\nkind = \"danefail\"\nfile = \"soft.list\"\ndane = \"soft-fail\"\n";
        file("off.list", "# broken\ngood.test\nstale.test\n");
        file("soft.list", "good.test\nlisted.test\n");
        file(
            "policy.toml",
            &(exception("mx = \"mx.good.test\"") + rule + lists),
        );
        let loaded = config::load(Some(&directory.path().join("danerelay.toml"))).unwrap();
        let policy = policy_files::load(&loaded, Missing::Refused).unwrap().policy;
        let config = loaded.config;
        let hostname = settings::hostname(&config).unwrap();
        let log = Arc::new(Kept::default());
        let spool = store::open(&config, Arc::new(())).await.unwrap();
        let daily = Daily {
            spool,
            standing: Standing::default(),
            delivery: settings::delivery(&config, &hostname, Vec::new()),
            tls: tls::client(&config.tls).unwrap(),
            policy: Arc::new(ArcSwap::from_pointee(policy)),
            log: Arc::<Kept>::clone(&log),
            changed: Arc::default(),
            config,
        };
        assert!(daily.round().await.unwrap());
        let left = exceptions::read(&daily.config).unwrap();
        let left: Vec<String> = left.iter().map(ToString::to_string).collect();
        assert_eq!(
            left,
            [
                "domain stale.test",
                "domain strict.test",
                "mx mx.strict.test",
                "domain test",
                "domain good.test"
            ]
        );
        let mut told: Vec<(String, bool)> = log
            .0
            .lock()
            .iter()
            .map(|event| match event {
                Event::Rechecked(told) => (told.name.clone(), told.is_closed),
                other => panic!("{other:?}"),
            })
            .collect();
        told.sort();
        assert_eq!(
            told,
            [
                // As an exception from DNSSEC, and on each list.
                ("good.test".to_owned(), false),
                ("good.test".to_owned(), false),
                ("good.test".to_owned(), false),
                ("good.test".to_owned(), true),
                ("listed.test".to_owned(), false),
                ("mx.good.test".to_owned(), false)
            ]
        );
        let healed = |daily: &Daily<_>| {
            let healed = daily.standing.all().healed;
            let mut short: Vec<String> = healed
                .iter()
                .map(|one| format!("{} {}", one.name, one.place))
                .collect();
            short.retain(|one| one.contains(".list:"));
            short.sort();
            short
        };
        let on_lists = [
            "good.test off.list:2",
            "good.test soft.list:1",
            "listed.test soft.list:2",
        ];
        assert_eq!(healed(&daily), on_lists);
        // The lists are as they were.
        let list = fs::read_to_string(directory.path().join("off.list")).unwrap();
        assert_eq!(list, "# broken\ngood.test\nstale.test\n");
        // On the next day the entries are no news, and what is broken again is not named any more.
        log.0.lock().clear();
        assert!(daily.round().await.unwrap());
        let again = log.0.lock().iter().any(|event| match event {
            Event::Rechecked(told) => told.place.contains(".list:"),
            _ => false,
        });
        assert!(!again);
        assert_eq!(healed(&daily), on_lists);
        // Now what was fine is broken, and the other way round.
        receiver.set_identity(&other);
        assert!(daily.round().await.unwrap());
        assert_eq!(healed(&daily), ["stale.test off.list:3"]);
        // The policy is to be read again.
        daily.changed.notified().await;
    }
}
