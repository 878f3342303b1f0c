//! Decides when to test the resolver, and notices when the system's name servers change, or the names that are exempt from
//! validation.

use std::sync::Arc;
use std::time::Duration;

use dns::{Expected, Mode, Resolver};
use mail::Domain;
use mail::event::{Event, EventLog, resolver as event};
use mail::words::list;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

use super::announce;
use super::notify::Status;
use super::self_test::{News, Tester};
use crate::config::schema::{Dns, DnsMode};
use crate::wiring::resolv_conf::System;
use crate::wiring::resolver::{self, Plan, mode_word};

/// The time between tests while all is well.
const WELL: Duration = Duration::from_mins(5);
/// The time between tests while it is not.
const FAILING: Duration = Duration::from_secs(10);
/// How often the system's list of servers is checked. Tests are not made more often either, except after a new list.
const LOOK: Duration = Duration::from_secs(5);

/// Monitors the resolver.
pub(super) struct Watch {
    tester: Tester,
    mode: DnsMode,
    /// Where the servers come from, if the configuration does not name them.
    system: Option<System>,
    /// Makes look-ups wait for the first test of these servers. The wait ends with the test, or when this is dropped.
    expected: Option<Expected>,
    /// Notified when the system's list is to be read again, whether it has changed or not.
    reread: Arc<Notify>,
    /// The names that are exempt from validation; with `mode = "auto"` they decide about who validates, too.
    unvalidated: watch::Receiver<Vec<Domain>>,
}

impl Watch {
    /// The plan is that of `resolver`. If a test decides whether its servers are trusted, its first look-ups wait for
    /// that.
    pub(super) fn new(
        resolver: Resolver,
        plan: Plan,
        (settings, unvalidated): (&Dns, watch::Receiver<Vec<Domain>>),
        events: Arc<dyn EventLog>,
        status: Arc<Status>,
    ) -> Self {
        let mut watch = Self {
            tester: Tester {
                resolver,
                names: resolver::names(settings),
                servers: plan.config.servers,
                choice: plan.choice,
                events,
                status,
            },
            mode: settings.mode,
            system: plan.system,
            expected: None,
            reread: Arc::default(),
            unvalidated,
        };
        watch.expect_test();
        watch
    }

    /// Triggers another reading of the system's list of servers.
    pub(super) fn rereading(&self) -> Arc<Notify> {
        Arc::clone(&self.reread)
    }

    /// Runs tests until the daemon stops.
    pub(super) async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        tokio::select! {
            () = self.test_again_and_again() => {}
            // An error means that the sender is gone, and nobody can send the signal.
            _ = stopped.wait_for(|stop| *stop) => {}
        }
    }

    async fn test_again_and_again(&mut self) {
        let mut news = News::default();
        self.tell_what_was_passed_over();
        loop {
            let finding = self.tester.test(self.no_servers()).await;
            self.expected = None;
            if news.is(&finding, Instant::now()) {
                self.tester.tell(&finding);
            }
            self.tell_unvalidated();
            self.rest(if finding.is_fine() { WELL } else { FAILING }).await;
        }
    }

    /// Waits for the next test: for this time, or less if there is a reason.
    async fn rest(&mut self, time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time {
            let reread = Arc::clone(&self.reread);
            let is_ordered = tokio::select! {
                () = sleep(LOOK) => false,
                () = reread.notified() => true,
                Ok(()) = self.unvalidated.changed() => {
                    self.unvalidated.mark_changed();
                    return;
                }
                () = self.tester.resolver.doubted(), if start.elapsed() >= LOOK => return,
            };
            if self.look_at_system(is_ordered).await {
                return;
            }
        }
    }

    /// Whether the system names other servers, which are used from now on.
    async fn look_at_system(&mut self, is_ordered: bool) -> bool {
        let Some(before) = self.system.clone() else {
            return false;
        };
        let read = move || {
            if is_ordered {
                Some(before.again())
            } else {
                before.changed()
            }
        };
        let Ok(Some(now)) = tokio::task::spawn_blocking(read).await else {
            return false;
        };
        let Some(before) = self.system.replace(now) else {
            return false;
        };
        let is_told = self.system.as_ref().and_then(System::passed_over) == before.passed_over();
        if !is_told {
            self.tell_what_was_passed_over();
        }
        let is_like = self.system.as_ref().is_some_and(|now| now.is_like(&before));
        !is_like && self.follow_system()
    }

    /// Whether the resolver uses other servers now.
    fn follow_system(&mut self) -> bool {
        let Some(system) = &self.system else {
            return false;
        };
        let (choice, servers) = (resolver::choose(self.mode, Some(system.conf())), system.servers());
        let file = system.path().display().to_string();
        // No look-up starts before it is known whether these are trusted.
        let expected = self.tester.resolver.expect_self_test();
        if let Err(error) = self.tester.resolver.set_servers(choice.mode, servers.clone()) {
            let error = error.to_string();
            self.tester
                .events
                .write(&Event::Resolver(event::Resolver::ServersRefused { file, error }));
            return false;
        }
        self.tester
            .events
            .write(&Event::Resolver(event::Resolver::Servers {
                dns: mode_word(choice.mode),
                file,
                servers: list(&servers),
            }));
        (self.tester.choice, self.tester.servers) = (choice, servers);
        self.expect_test();
        drop(expected);
        true
    }

    /// If other names are exempt from validation by now, and the test has shown who validates.
    fn tell_unvalidated(&mut self) {
        if self
            .unvalidated
            .has_changed()
            .is_ok_and(|has_changed| has_changed)
        {
            let names = self.unvalidated.borrow_and_update();
            let mode = self.tester.resolver.mode();
            self.tester.events.write(&announce::unvalidated(&names, mode));
        }
    }

    /// Only if a test decides which servers are trusted.
    fn expect_test(&mut self) {
        let decides = self.tester.choice.is_vouched_for || self.tester.choice.mode == Mode::TrustAd;
        self.expected = decides.then(|| self.tester.resolver.expect_self_test());
    }

    /// Why there are no servers, if there are none.
    fn no_servers(&self) -> Option<String> {
        self.system.as_ref().and_then(System::trouble)
    }

    fn tell_what_was_passed_over(&self) {
        let Some(system) = &self.system else { return };
        let Some(passed_over) = system.passed_over() else {
            return;
        };
        self.tester
            .events
            .write(&Event::Resolver(event::Resolver::PassedOver {
                file: system.path().display().to_string(),
                reason: passed_over.to_string(),
            }));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use testworld::dns::{Role, World};

    use super::*;
    use crate::fixtures::{Lines, resolver_config};
    use crate::wiring::resolver::Choice;

    /// As `auto` sets it up if resolv.conf vouches for the server of the test world.
    fn vouched_for(world: &World) -> Plan {
        Plan {
            config: resolver_config(world),
            choice: Choice {
                mode: Mode::Validate,
                reason: "vouched for".to_owned(),
                is_vouched_for: true,
            },
            system: None,
        }
    }

    #[tokio::test]
    async fn names_without_validation_are_told_with_the_mode_that_comes_of_them() {
        let world = World::start().await.unwrap();
        world.set_role(Role::Validator);
        let plan = vouched_for(&world);
        let resolver = Resolver::new(plan.config.clone()).unwrap();
        let (names, lines) = (watch::Sender::new(Vec::new()), Arc::new(Lines::default()));
        let settings = crate::config::Config::default().dns;
        let watching = Watch::new(
            resolver.clone(),
            plan,
            (&settings, names.subscribe()),
            Arc::<Lines>::clone(&lines),
            Arc::new(Status::new("listening".to_owned(), "not tested yet")),
        );
        let (_stop, stopped) = watch::channel(false);
        tokio::spawn(watching.run(stopped));
        lines.wait_for("status=fine, dns=trust-ad").await;
        for (excepted, then) in [
            (vec![Domain::parse("broken.test").unwrap()], "dns=validate"),
            (Vec::new(), "dns=trust-ad"),
        ] {
            lines.0.lock().clear();
            resolver.set_domain_insecure(&excepted);
            names.send_replace(excepted);
            lines.wait_for("status=unvalidated").await;
            let lines = lines.0.lock();
            let [tested, told] = lines.as_slice() else {
                unreachable!("{lines:?}")
            };
            assert!(tested.contains(then), "{lines:?}");
            assert!(
                told.contains("reason=\"dns.domain_insecure and exceptions"),
                "{lines:?}"
            );
        }
    }
}
