//! Once a day the daemon tests what there is an exception for. What is well again is no exception any more if a command
//! added it, and is named in any case: with `dane = "off"` nobody else would notice.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use delivery::{DeliveryConfig, TlsClient};
use dns::{Resolver, self_test};
use jiff::Zoned;
use mail::event::settings::{Rechecked, Refused, Subject as About};
use mail::event::{Event, EventLog};
use policy::{ListedException, Policy};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

use crate::config::Config;
use crate::exceptions;
use crate::explain::impatient;
use crate::recheck::{Finding, State, Subject, Tester, subjects, test_all};
use crate::wiring::{WiringError, resolver};

/// How long after the start at the earliest: look-ups and mail come first.
const SETTLED: Duration = Duration::from_mins(5);
/// How often.
const DAY: Duration = Duration::from_hours(24);
/// When to look again whether it is time, and after a failure.
const AGAIN: Duration = Duration::from_hours(1);

/// Tests what is excepted.
pub(super) struct Daily {
    pub(super) config: Config,
    pub(super) delivery: DeliveryConfig,
    pub(super) tls: TlsClient,
    pub(super) policy: Arc<ArcSwap<Policy>>,
    pub(super) log: Arc<dyn EventLog>,
    /// Has the policy read again.
    pub(super) changed: Arc<Notify>,
}

impl Daily {
    /// Runs until the daemon stops.
    pub(super) async fn run(self, mut stopped: watch::Receiver<bool>) {
        tokio::select! {
            () = self.again_and_again() => {}
            // An error means that the sender is gone, and nobody can send the signal.
            _ = stopped.wait_for(|stop| *stop) => {}
        }
    }

    async fn again_and_again(&self) {
        sleep(SETTLED).await;
        let mut last: Option<Instant> = None;
        loop {
            let is_due = last.is_none_or(|last| last.elapsed() >= DAY) && self.is_due();
            if is_due && self.round().await.is_ok_and(|is_tested| is_tested) {
                // Without the file the next start tests earlier than it need.
                let _ = fs::write(self.stamp(), "");
                last = Some(Instant::now());
            }
            sleep(AGAIN).await;
        }
    }

    /// Also across restarts, by the time of a file.
    fn is_due(&self) -> bool {
        let last = fs::metadata(self.stamp()).and_then(|stamp| stamp.modified());
        let age = last.ok().and_then(|last| last.elapsed().ok());
        age.is_none_or(|age| age >= DAY)
    }

    fn stamp(&self) -> std::path::PathBuf {
        self.config.state_directory.join("rechecked")
    }

    /// Tests all exceptions; returns whether it could. The lists are for `danefail recheck`: they may have a million
    /// entries.
    pub(super) async fn round(&self) -> Result<bool, WiringError> {
        let policy = self.policy.load_full();
        let mut subjects = subjects(&policy, Zoned::now().date());
        subjects.retain(|subject| subject.exception.is_some());
        if subjects.is_empty() {
            return Ok(true);
        }
        // Without the exceptions from DNSSEC, which are tested, too.
        let plan = resolver::plan(&self.config, &self.config.dns.domain_insecure)?;
        let resolver = Resolver::new(plan.config)?;
        let names = resolver::names(&self.config.dns);
        if self_test::run(&resolver, &names).await.is_err() {
            return Ok(false);
        }
        let tester = Tester::new(resolver, impatient(&self.delivery), &self.tls, &policy);
        let tester = Arc::new(tester.map_err(WiringError::Ehlo)?);
        let mut healed = Vec::new();
        test_all(tester, subjects, |subject, finding| {
            if finding.state == State::Healed {
                healed.push((subject, finding));
            }
        })
        .await;
        self.close(healed);
        Ok(true)
    }

    /// Removes what commands have added, unless names below were not tested, and names all of it.
    fn close(&self, healed: Vec<(Subject, Finding)>) {
        let excepted: Vec<&ListedException> = healed
            .iter()
            .filter_map(|(subject, _)| subject.closable())
            .collect();
        let removed = exceptions::change(&self.config, |all| {
            let (removed, kept) = all.drain(..).partition(|one| excepted.contains(&one));
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
        for (subject, finding) in healed {
            let is_closed = subject
                .exception
                .as_ref()
                .is_some_and(|one| removed.contains(one));
            self.log.write(&Event::Rechecked(Rechecked {
                kind: subject.tested.kind(),
                name: subject.tested.name(),
                place: subject.place,
                is_closed,
                reason: finding.reason,
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use parking_lot::Mutex;
    use policy::Missing;
    use testworld::dns::World;
    use testworld::mail::{Ca, Receiver};

    use super::*;
    use crate::config;
    use crate::wiring::{policy as policy_files, settings, tls};

    #[derive(Default)]
    struct Kept(Mutex<Vec<Event>>);

    impl EventLog for Kept {
        fn write(&self, event: &Event) {
            self.0.lock().push(event.clone());
        }
    }

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

        // Without TLSA records: what is strict still waits.
        let zone = world.domain("strict.test").signed();
        zone.mx(10, "mx.strict.test", receiver.address()).add().unwrap();

        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
        file("anchor", &world.trust_anchor_ds().unwrap());
        let text = format!(
            "hostname = \"relay.test\"\nstate_directory = \"state\"\n[dns]\nmode = \"validate\"\nservers = [\"{}\"]\n\
             trust_anchor = \"anchor\"\n[delivery]\nport = {}\nignore_addresses = []\n",
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
        file("policy.toml", &(exception("mx = \"mx.good.test\"") + rule));
        let loaded = config::load(Some(&directory.path().join("danerelay.toml"))).unwrap();
        let policy = policy_files::load(&loaded, Missing::Refused).unwrap().policy;
        let config = loaded.config;
        let hostname = settings::hostname(&config).unwrap();
        let log = Arc::new(Kept::default());
        let daily = Daily {
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
                ("good.test".to_owned(), false),
                ("good.test".to_owned(), true),
                ("mx.good.test".to_owned(), false)
            ]
        );
        // The policy is to be read again.
        daily.changed.notified().await;
    }
}
