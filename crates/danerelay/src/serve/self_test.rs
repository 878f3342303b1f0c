//! Tests the resolver while the daemon runs and reports the result; [`watch`](super::watch) decides when.
//!
//! A failing test stops nothing: mail is accepted, and what cannot be looked up is deferred. It raises an alarm that
//! names the fault, is repeated while the fault lasts, and is cleared when it ends. With `mode = "auto"` the test also
//! decides who validates: the resolver used for all look-ups is the one tested, and then trusted.

use std::sync::Arc;
use std::time::Duration;

use dns::self_test::{self, Fault, Names};
use dns::{Mode, Resolver, ResolverError, Server};
use mail::event::{Event, EventLog, resolver as event};
use mail::words::list;
use mail::{Alarm, Pace};
use tokio::time::Instant;

use super::notify::Status;
use crate::wiring::resolver::{Choice, mode_word};

/// How often an alarm is repeated.
const REMINDER: Duration = Duration::from_hours(1);

/// The result of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    mode: Mode,
    reason: String,
    fault: Option<String>,
}

impl Finding {
    pub(super) fn is_fine(&self) -> bool {
        self.fault.is_none()
    }
}

/// What is tested, and where the result is reported.
pub(super) struct Tester {
    pub(super) resolver: Resolver,
    pub(super) names: Names,
    pub(super) servers: Vec<Server>,
    pub(super) choice: Choice,
    pub(super) events: Arc<dyn EventLog>,
    pub(super) status: Arc<Status>,
}

impl Tester {
    /// Tests the resolver, unless it has no servers, for this reason.
    pub(super) async fn test(&self, no_servers: Option<String>) -> Finding {
        let finding = |reason: &str, fault| Finding {
            mode: self.resolver.mode(),
            reason: reason.to_owned(),
            fault,
        };
        if let Some(trouble) = no_servers {
            return finding(&self.choice.reason, Some(trouble));
        }
        let mut reason = self.choice.reason.clone();
        if self.choice.is_vouched_for {
            match self.test_believed().await {
                Ok(()) => {
                    reason.push_str(", and the self-test shows that they validate");
                    return finding(&reason, None);
                }
                // If servers that are already trusted do not answer, they stay trusted.
                Err(Disbelief::Fault(fault)) if self.resolver.mode() == Mode::TrustAd && !fault.refutes() => {
                    return finding(&reason, Some(fault.to_string()));
                }
                Err(disbelief) => reason = format!("{reason}, but: {disbelief}"),
            }
            if let Err(error) = self.resolver.set_mode(Mode::Validate) {
                return finding(&reason, Some(error.to_string()));
            }
        }
        let fault = self_test::run(&self.resolver, &self.names).await.err();
        finding(&reason, fault.map(|fault| fault.to_string()))
    }

    /// Trusts the servers if they show that they validate.
    async fn test_believed(&self) -> Result<(), Disbelief> {
        if self.resolver.has_domain_insecure() {
            return Err(Disbelief::Exceptions);
        }
        self_test::run_as(&self.resolver, Mode::TrustAd, &self.names)
            .await
            .map_err(Disbelief::Fault)?;
        self.resolver.set_mode(Mode::TrustAd).map_err(Disbelief::Refused)
    }

    /// Reports the state of the resolver.
    pub(super) fn tell(&self, finding: &Finding) {
        let mode = mode_word(finding.mode);
        self.status.set_resolver(&match &finding.fault {
            None => format!("DNS: {mode}, self-test passed"),
            Some(fault) => format!("DNS FAILS ({mode}): {fault}"),
        });
        self.events.write(&Event::Resolver(event::Resolver::Tested {
            dns: mode,
            finding: match &finding.fault {
                None => event::Finding::Fine(finding.reason.clone()),
                Some(fault) => event::Finding::Failing(fault.clone()),
            },
            servers: list(&self.servers),
        }));
    }
}

/// Why servers that the system vouches for are not trusted.
#[derive(Debug, thiserror::Error)]
enum Disbelief {
    /// A validating resolver elsewhere does not know our exceptions.
    #[error("exceptions from DNSSEC have their effect only where we validate")]
    Exceptions,
    /// What the self-test found.
    #[error("{0}")]
    Fault(Fault),
    /// They cannot be trusted at all.
    #[error("{0}")]
    Refused(ResolverError),
}

/// Which results are reported: a fault when it appears and repeatedly while it lasts, success only when it is new.
#[derive(Debug)]
pub(super) struct News {
    faults: Alarm<Finding>,
    fine: Option<Finding>,
}

impl Default for News {
    fn default() -> Self {
        let pace = Pace {
            reminder: Some(REMINDER),
            pause: Duration::ZERO,
        };
        Self {
            faults: Alarm::new(pace),
            fine: None,
        }
    }
}

impl News {
    pub(super) fn is(&mut self, finding: &Finding, now: Instant) -> bool {
        let now = now.into_std();
        if !finding.is_fine() {
            return self.faults.raise(finding.clone(), now);
        }
        let is_over = self.faults.clear(now).is_some();
        is_over || self.fine.replace(finding.clone()).as_ref() != Some(finding)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use testworld::dns::{DnsFault, Questions, Role, World};

    use super::*;
    use crate::fixtures::{Lines, resolver_config};

    /// As `auto` sets it up if resolv.conf vouches for the server of the test world.
    fn auto(world: &World) -> (Tester, Arc<Status>) {
        let status = Arc::new(Status::new("listening".to_owned(), "not tested yet"));
        let config = resolver_config(world);
        let tester = Tester {
            names: Names::default(),
            servers: config.servers.clone(),
            resolver: Resolver::new(config).unwrap(),
            choice: Choice {
                mode: Mode::Validate,
                reason: "vouched for".to_owned(),
                is_vouched_for: true,
            },
            events: Arc::new(Lines::default()),
            status: Arc::clone(&status),
        };
        (tester, status)
    }

    #[tokio::test]
    async fn auto_believes_the_servers_only_while_they_show_that_they_validate() {
        let world = World::start().await.unwrap();
        let (tester, _) = auto(&world);
        let finding = tester.test(None).await;
        assert_eq!((finding.mode, &finding.fault), (Mode::Validate, &None));
        assert!(finding.reason.contains("but: the resolver does not validate"));

        world.set_role(Role::Validator);
        let finding = tester.test(None).await;
        assert_eq!((finding.mode, &finding.fault), (Mode::TrustAd, &None));
        assert_eq!(tester.resolver.mode(), Mode::TrustAd);

        // A server that does not answer may come back, and each answer is checked.
        let everything = Questions::Below(".".to_owned());
        world.break_dns(&everything, DnsFault::Refused).unwrap();
        let finding = tester.test(None).await;
        assert_eq!(finding.mode, Mode::TrustAd);
        let fault = finding.fault.unwrap();
        assert_eq!(fault, "no DNS server answers (rcode REFUSED)");
        world.mend_dns(&everything).unwrap();

        world.set_role(Role::Forwarder);
        assert_eq!(tester.test(None).await.mode, Mode::Validate);
        assert_eq!(tester.resolver.mode(), Mode::Validate);

        // A validating resolver elsewhere does not know our exceptions.
        world.set_role(Role::Validator);
        assert_eq!(tester.test(None).await.mode, Mode::TrustAd);
        let excepted = mail::Domain::parse("broken.test").unwrap();
        tester.resolver.set_domain_insecure(&[excepted]);
        let soon = Duration::from_secs(1);
        assert!(
            tokio::time::timeout(soon, tester.resolver.doubted())
                .await
                .is_ok()
        );
        assert_eq!(tester.test(None).await.mode, Mode::Validate);
    }

    #[tokio::test]
    async fn an_alarm_names_the_fault_and_its_end_is_told() {
        let world = World::start().await.unwrap();
        let everything = Questions::Below(".".to_owned());
        world.break_dns(&everything, DnsFault::StripDnssec).unwrap();
        let (mut tester, status) = auto(&world);
        let lines = Arc::new(Lines::default());
        tester.events = Arc::<Lines>::clone(&lines);
        tester.tell(&tester.test(None).await);
        assert!(
            status
                .text()
                .starts_with("listening; DNS FAILS (validate): the DNS servers leave out")
        );
        world.mend_dns(&everything).unwrap();
        // A failed look-up is not repeated for two seconds.
        tester.resolver.flush_all();
        tester.tell(&tester.test(None).await);
        assert_eq!(status.text(), "listening; DNS: validate, self-test passed");
        let lines = lines.0.lock();
        let [failing, fine] = lines.as_slice() else {
            unreachable!("{lines:?}")
        };
        assert!(
            failing.starts_with("error status=failing, dns=validate, reason=\"the DNS servers leave out")
        );
        assert!(fine.starts_with("info status=fine, dns=validate, reason=\"vouched for, but: "));
    }

    #[test]
    fn a_fault_is_told_when_it_comes_and_once_an_hour() {
        let finding = |fault: Option<&str>| Finding {
            mode: Mode::Validate,
            reason: "configured".to_owned(),
            fault: fault.map(str::to_owned),
        };
        let (mut news, now) = (News::default(), Instant::now());
        assert!(news.is(&finding(None), now), "the first is told");
        assert!(!news.is(&finding(None), now + REMINDER), "good news is told once");
        assert!(news.is(&finding(Some("a")), now));
        assert!(!news.is(&finding(Some("a")), now));
        assert!(news.is(&finding(Some("b")), now));
        assert!(news.is(&finding(Some("b")), now + REMINDER));
        assert!(news.is(&finding(None), now + REMINDER), "the end is told");
        assert!(!news.is(&finding(None), now + REMINDER));
        let other = Finding {
            reason: "vouched for".to_owned(),
            ..finding(None)
        };
        assert!(news.is(&other, now + REMINDER));
    }
}
