//! The resolver's self-test while the daemon runs: at the start, every few minutes, and when look-ups keep failing.
//!
//! A failing test stops nothing: mail is accepted, and what cannot be looked up is deferred. It raises an alarm, which names
//! the fault, comes again while the fault lasts, and is called off when it ends. With `mode = "auto"` the test also decides
//! who validates.

use std::sync::Arc;
use std::time::Duration;

use dns::self_test::{self, Names};
use dns::{Mode, Resolver, ResolverError, Server};
use mail::event::{Event, EventLog, Level, Value};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::notify::Status;
use super::resolver::Plan;
use super::words;
use crate::config::schema::Dns;

/// From one test to the next while all is well.
const WELL: Duration = Duration::from_mins(5);
/// And while it is not; tests are never made more often.
const FAILING: Duration = Duration::from_secs(30);
/// How often an alarm is raised again.
const REMINDER: Duration = Duration::from_hours(1);

/// What is tested, and who is told.
pub(super) struct Watch {
    resolver: Resolver,
    /// With `auto`, where the servers may come to be believed: the same servers, believed.
    probe: Option<Resolver>,
    names: Names,
    servers: Vec<Server>,
    /// Why the mode is what it is, as far as that can be told without a test.
    reason: String,
    events: Arc<dyn EventLog>,
    status: Arc<Status>,
}

/// How a test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    mode: Mode,
    reason: String,
    fault: Option<String>,
}

impl Watch {
    /// The plan is that of `resolver`, whose first look-ups wait for the first test.
    pub(super) fn new(
        resolver: Resolver,
        plan: Plan,
        names: Names,
        events: Arc<dyn EventLog>,
        status: Arc<Status>,
    ) -> Result<Self, ResolverError> {
        resolver.expect_self_test();
        Ok(Self {
            resolver,
            probe: plan.probe.map(Resolver::new).transpose()?,
            names,
            servers: plan.config.servers,
            reason: plan.reason,
            events,
            status,
        })
    }

    /// Tests until the daemon stops.
    pub(super) async fn run(self, mut stopped: watch::Receiver<bool>) {
        tokio::select! {
            () = self.test_again_and_again() => {}
            // An error means that nobody is left who could say so.
            _ = stopped.wait_for(|stop| *stop) => {}
        }
    }

    async fn test_again_and_again(&self) {
        let mut told: Option<(Instant, Finding)> = None;
        loop {
            let finding = self.test().await;
            let now = Instant::now();
            if is_news(told.as_ref(), &finding, now) {
                self.tell(&finding);
                told = Some((now, finding.clone()));
            }
            sleep(FAILING).await;
            if finding.fault.is_none() {
                tokio::select! {
                    () = sleep(WELL.saturating_sub(FAILING)) => {}
                    () = self.resolver.doubted() => {}
                }
            }
        }
    }

    async fn test(&self) -> Finding {
        let reason = match &self.probe {
            None => self.reason.clone(),
            Some(probe) => match self.believe_if_shown(probe).await {
                Ok(finding) => return finding,
                Err(reason) => reason,
            },
        };
        let fault = self_test::run(&self.resolver, &self.names).await.err();
        Finding {
            mode: self.resolver.mode(),
            reason,
            fault: fault.map(|fault| fault.to_string()),
        }
    }

    /// Believes the servers if they show that they validate; otherwise the validation is ours, and the error says why.
    async fn believe_if_shown(&self, probe: &Resolver) -> Result<Finding, String> {
        if let Err(obstacle) = self.believe(probe).await {
            // To validate here was possible at the start and needs nothing else.
            self.resolver
                .set_mode(Mode::Validate)
                .map_err(|error| error.to_string())?;
            return Err(format!("{}, but: {obstacle}", self.reason));
        }
        Ok(Finding {
            mode: Mode::TrustAd,
            reason: format!("{}, and the self-test shows that they validate", self.reason),
            fault: None,
        })
    }

    async fn believe(&self, probe: &Resolver) -> Result<(), String> {
        if self.resolver.has_domain_insecure() {
            return Err("exceptions from DNSSEC have their effect only where we validate".to_owned());
        }
        self_test::run(probe, &self.names)
            .await
            .map_err(|fault| fault.to_string())?;
        self.resolver
            .set_mode(Mode::TrustAd)
            .map_err(|error| error.to_string())
    }

    fn tell(&self, finding: &Finding) {
        let mode = mode_word(finding.mode);
        let (level, state, reason) = match &finding.fault {
            None => (Level::Info, "fine", &finding.reason),
            Some(fault) => (Level::Error, "failing", fault),
        };
        self.status.set_resolver(&match &finding.fault {
            None => format!("DNS: {mode}, self-test passed"),
            Some(fault) => format!("DNS FAILS ({mode}): {fault}"),
        });
        self.events.write(
            &Event::new(level, "resolver")
                .with("status", Value::Word(state.to_owned()))
                .with("dns", Value::Word(mode.to_owned()))
                .with("reason", Value::Quoted(reason.clone()))
                .with("servers", Value::Quoted(words(&self.servers))),
        );
    }
}

/// Whether a finding is to be told: when it differs from the last, and a fault again after a while.
fn is_news(told: Option<&(Instant, Finding)>, finding: &Finding, now: Instant) -> bool {
    told.is_none_or(|(at, last)| {
        let overdue = finding.fault.is_some() && now.saturating_duration_since(*at) >= REMINDER;
        last != finding || overdue
    })
}

/// The configured names. Without any: those that are kept up for such tests, where the root is the public one.
pub(super) fn names(settings: &Dns) -> Names {
    let configured = &settings.self_test;
    let is_none = configured.secure.is_empty() && configured.bogus.is_empty();
    if is_none && settings.trust_anchor.as_os_str().is_empty() {
        return Names::well_known();
    }
    Names {
        secure: configured.secure.clone(),
        bogus: configured.bogus.clone(),
    }
}

/// The mode as it is written in the configuration.
pub(super) fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Validate => "validate",
        Mode::TrustAd => "trust-ad",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Mutex;

    use dns::{ResolverConfig, TrustAnchors};
    use testworld::dns::{DnsFault, Questions, Role, World};

    use super::*;

    #[derive(Default)]
    struct Lines(Mutex<Vec<String>>);

    impl EventLog for Lines {
        fn write(&self, event: &Event) {
            self.0
                .lock()
                .unwrap()
                .push(format!("{} {}", event.level, event.to_text()));
        }
    }

    fn config(world: &World, mode: Mode) -> ResolverConfig {
        ResolverConfig {
            mode,
            servers: vec![world.address().into()],
            trust_anchors: TrustAnchors::parse(&world.trust_anchor_ds().unwrap()).unwrap(),
            domain_insecure: Vec::new(),
            timeout: Duration::from_secs(5),
            cache_entries: 100,
        }
    }

    /// As `auto` makes it where resolv.conf vouches for the world's server.
    fn auto(world: &World) -> (Watch, Arc<Status>) {
        let status = Arc::new(Status::new("listening".to_owned(), "not tested yet"));
        let plan = Plan {
            config: config(world, Mode::Validate),
            reason: "vouched for".to_owned(),
            probe: Some(config(world, Mode::TrustAd)),
        };
        let resolver = Resolver::new(plan.config.clone()).unwrap();
        let events = Arc::new(Lines::default());
        let watch = Watch::new(resolver, plan, Names::default(), events, Arc::clone(&status));
        (watch.unwrap(), status)
    }

    #[tokio::test]
    async fn auto_believes_the_servers_only_while_they_show_that_they_validate() {
        let world = World::start().await.unwrap();
        let (watch, _) = auto(&world);
        let finding = watch.test().await;
        assert_eq!((finding.mode, &finding.fault), (Mode::Validate, &None));
        assert!(finding.reason.contains("but: the resolver does not validate"));

        world.set_role(Role::Validator);
        let finding = watch.test().await;
        assert_eq!((finding.mode, &finding.fault), (Mode::TrustAd, &None));
        assert_eq!(watch.resolver.mode(), Mode::TrustAd);

        world.set_role(Role::Forwarder);
        assert_eq!(watch.test().await.mode, Mode::Validate);
        assert_eq!(watch.resolver.mode(), Mode::Validate);

        // Another's validation knows nothing of our exceptions.
        world.set_role(Role::Validator);
        assert_eq!(watch.test().await.mode, Mode::TrustAd);
        let excepted = mail::Domain::parse("broken.test").unwrap();
        watch.resolver.set_domain_insecure(&[excepted]);
        let soon = Duration::from_secs(1);
        assert!(tokio::time::timeout(soon, watch.resolver.doubted()).await.is_ok());
        assert_eq!(watch.test().await.mode, Mode::Validate);
    }

    #[tokio::test]
    async fn an_alarm_names_the_fault_and_its_end_is_told() {
        let world = World::start().await.unwrap();
        let everything = Questions::Below(".".to_owned());
        world.break_dns(&everything, DnsFault::StripDnssec).unwrap();
        let (mut watch, status) = auto(&world);
        let lines = Arc::new(Lines::default());
        watch.events = Arc::<Lines>::clone(&lines);
        watch.tell(&watch.test().await);
        assert!(
            status
                .text()
                .starts_with("listening; DNS FAILS (validate): the DNS servers leave out")
        );
        world.mend_dns(&everything).unwrap();
        watch.tell(&watch.test().await);
        assert_eq!(status.text(), "listening; DNS: validate, self-test passed");
        let lines = lines.0.lock().unwrap();
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
        let now = Instant::now();
        let (fine, broken) = ((now, finding(None)), (now, finding(Some("a"))));
        assert!(is_news(None, &finding(None), now));
        assert!(is_news(Some(&fine), &finding(Some("a")), now));
        assert!(is_news(Some(&broken), &finding(Some("b")), now));
        assert!(is_news(Some(&broken), &finding(None), now));
        assert!(!is_news(Some(&broken), &finding(Some("a")), now));
        let later = now + REMINDER;
        assert!(is_news(Some(&broken), &finding(Some("a")), later));
        assert!(
            !is_news(Some(&fine), &finding(None), later),
            "good news is told once"
        );
    }

    #[test]
    fn the_public_names_belong_to_the_public_root() {
        let mut settings = Dns::default();
        assert_eq!(names(&settings), Names::well_known());
        settings.trust_anchor = "/etc/private.ds".into();
        assert_eq!(names(&settings), Names::default());
        settings.self_test.secure = vec![mail::Domain::parse("secure.example").unwrap()];
        assert_eq!(names(&settings).secure, settings.self_test.secure);
        settings.trust_anchor = "".into();
        assert_eq!(names(&settings).bogus, []);
    }
}
