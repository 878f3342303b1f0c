//! Many domains: some at once, and each told as soon as it is known that our own resolver was well meanwhile.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use dns::Resolver;
use dns::self_test::{self, Fault, Names};
use jiff::Timestamp;
use mail::Domain;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, interval_at, sleep};

use super::examiner::Examiner;
use super::report::Report;
use super::verdict::Verdict;

/// So few are checked one after the other, and told in their order.
const IN_ORDER: usize = 8;
/// Of more, domains under way at once: most of the time they wait for somebody.
const AT_ONCE: usize = 50;
/// The same for those that are tried again.
const AGAIN_AT_ONCE: usize = 20;
/// The most domains that are tried again: where more cannot be told, it is not our haste.
const AGAIN: usize = 1000;
/// The most reports that wait for the next test of our resolver.
const HELD: usize = 500;

/// Who looks.
pub(crate) struct Examiners {
    pub(crate) first: Arc<Examiner>,
    /// At what could not be told, with connections of its own: what the first one could not reach, it would not try again.
    pub(crate) again: Arc<Examiner>,
}

/// How the domains are checked.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// How many may begin in a second.
    pub(crate) rate: NonZeroU16,
    /// The names with which our resolver is tested, and how often.
    pub(crate) names: Names,
    pub(crate) test_every: Duration,
    /// How long it may fail before the run ends.
    pub(crate) patience: Duration,
}

/// Who is told.
pub(crate) trait Audience {
    /// Why it does not listen any more.
    type Error;

    /// One domain is known.
    fn report(&mut self, report: Report) -> Result<(), Self::Error>;

    /// One domain cannot be told now, and is tried again later.
    fn put_off(&mut self, report: &Report) -> Result<(), Self::Error>;

    /// Our own resolver fails: nothing is told until it is well again.
    fn pause(&mut self, fault: &Fault);

    /// It is well again, after so long; so many domains are looked at once more.
    fn resume(&mut self, after: Duration, again: usize);
}

/// How it ended.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// Domains whose check broke off by a fault of this program.
    pub(crate) lost: Vec<Domain>,
    /// Why some domains have no result.
    pub(crate) left: Option<Left>,
}

impl Ended {
    /// After this time, before all were checked.
    pub(crate) fn late(limit: Duration) -> Self {
        Self {
            lost: Vec::new(),
            left: Some(Left::Time(limit)),
        }
    }
}

/// Why a run ended early.
#[derive(Debug)]
pub(crate) enum Left {
    /// Our own resolver fails, and so many domains have no result.
    Resolver(usize, Fault),
    /// The time for the run is over.
    Time(Duration),
}

/// Checks all of them. An error of the audience ends everything. What could not be told is tried once more when all others are
/// done, a few at a time: it may have been our own haste.
///
/// Of many domains nothing is told before our resolver has passed a test after it was seen: a resolver that has stopped to
/// validate would make others look insecure.
pub(crate) async fn check_all<A: Audience>(
    examiners: &Examiners,
    domains: Vec<Domain>,
    terms: &Terms,
    audience: &mut A,
) -> Result<Ended, A::Error> {
    if domains.len() <= IN_ORDER {
        return in_order(&examiners.first, domains, audience).await;
    }
    let mut first = Round::new(&examiners.first, terms, domains, AT_ONCE);
    first.may_put_off = AGAIN;
    if let Some(fault) = first.run(audience).await? {
        return Ok(first.ended(Some(fault)));
    }
    let put_off = std::mem::take(&mut first.put_off);
    let mut second = Round::new(&examiners.again, terms, put_off, AGAIN_AT_ONCE);
    let fault = second.run(audience).await?;
    let mut ended = second.ended(fault);
    ended.lost.extend(first.named.into_values());
    Ok(ended)
}

async fn in_order<A: Audience>(
    examiner: &Arc<Examiner>,
    domains: Vec<Domain>,
    audience: &mut A,
) -> Result<Ended, A::Error> {
    let mut ended = Ended::default();
    for domain in domains {
        match tokio::spawn(look(Arc::clone(examiner), domain.clone())).await {
            Ok(report) => audience.report(report)?,
            // A panic has been logged.
            Err(_) => ended.lost.push(domain),
        }
    }
    Ok(ended)
}

async fn look(examiner: Arc<Examiner>, domain: Domain) -> Report {
    let seen = examiner.examine(&domain).await;
    Report::new(seen, Timestamp::now())
}

/// All domains once.
struct Round<'a> {
    examiner: &'a Arc<Examiner>,
    resolver: Resolver,
    terms: &'a Terms,
    at_once: usize,
    /// How many may be put off because they cannot be told.
    may_put_off: usize,
    waiting: VecDeque<Domain>,
    under_way: JoinSet<Report>,
    named: HashMap<Id, Domain>,
    /// Seen since the last test of our resolver.
    held: Vec<(Domain, Report)>,
    put_off: Vec<Domain>,
}

impl<'a> Round<'a> {
    fn new(examiner: &'a Arc<Examiner>, terms: &'a Terms, domains: Vec<Domain>, at_once: usize) -> Self {
        Self {
            examiner,
            resolver: examiner.resolver.clone(),
            terms,
            at_once,
            may_put_off: 0,
            waiting: domains.into(),
            under_way: JoinSet::new(),
            named: HashMap::new(),
            held: Vec::new(),
            put_off: Vec::new(),
        }
    }

    /// Looks at all of them; gives what our resolver lacks if that ended it.
    async fn run<A: Audience>(&mut self, audience: &mut A) -> Result<Option<Fault>, A::Error> {
        let mut pace = self.pace();
        let mut test = interval_at(Instant::now() + self.terms.test_every, self.terms.test_every);
        test.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_over = self.waiting.is_empty() && self.under_way.is_empty();
            if is_over && self.held.is_empty() {
                return Ok(None);
            }
            let may_begin = !self.waiting.is_empty() && self.under_way.len() < self.at_once;
            let is_due = is_over || self.held.len() >= HELD;
            if !is_due {
                tokio::select! {
                    _ = pace.tick(), if may_begin => {
                        self.begin();
                        continue;
                    }
                    Some(done) = self.under_way.join_next_with_id() => {
                        self.take(done);
                        continue;
                    }
                    _ = test.tick() => {}
                }
            }
            test.reset();
            if let Some(fault) = self.settle(audience).await? {
                return Ok(Some(fault));
            }
        }
    }

    fn pace(&self) -> Interval {
        let mut pace = interval(Duration::from_secs(1) / u32::from(self.terms.rate.get()));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pace
    }

    fn begin(&mut self) {
        let Some(domain) = self.waiting.pop_front() else {
            return;
        };
        let look = look(Arc::clone(self.examiner), domain.clone());
        let task = self.under_way.spawn(look);
        self.named.insert(task.id(), domain);
    }

    /// A panic has been logged; its domain stays among those that are named.
    fn take(&mut self, done: Result<(Id, Report), JoinError>) {
        if let Ok((id, report)) = done
            && let Some(domain) = self.named.remove(&id)
        {
            self.held.push((domain, report));
        }
    }

    /// Tests our resolver, and tells what was seen before; if it fails, waits until it is well again, and has all of that looked
    /// at once more. Gives the fault that did not pass.
    async fn settle<A: Audience>(&mut self, audience: &mut A) -> Result<Option<Fault>, A::Error> {
        if let Err(fault) = self.test().await {
            audience.pause(&fault);
            return Ok(self.recover(audience).await.err());
        }
        for (domain, report) in self.held.drain(..) {
            if report.verdict == Verdict::Unreachable && self.put_off.len() < self.may_put_off {
                audience.put_off(&report)?;
                self.put_off.push(domain);
            } else {
                audience.report(report)?;
            }
        }
        Ok(None)
    }

    async fn test(&self) -> Result<(), Fault> {
        self_test::run(&self.resolver, &self.terms.names).await
    }

    async fn recover<A: Audience>(&mut self, audience: &mut A) -> Result<(), Fault> {
        let paused = Instant::now();
        // What is under way ends in peace, and counts as little as what was seen before.
        while let Some(done) = self.under_way.join_next_with_id().await {
            self.take(done);
        }
        // That may have taken long, and nothing was tested meanwhile.
        let begun = Instant::now();
        let again = self.held.drain(..).map(|(domain, _)| domain);
        let again: Vec<Domain> = again.collect();
        let count = again.len();
        for domain in again.into_iter().rev() {
            self.waiting.push_front(domain);
        }
        loop {
            sleep(self.terms.test_every).await;
            match self.test().await {
                Ok(()) => break,
                Err(fault) if begun.elapsed() >= self.terms.patience => return Err(fault),
                Err(_) => {}
            }
        }
        self.examiner.forget();
        audience.resume(paused.elapsed(), count);
        Ok(())
    }

    fn ended(self, fault: Option<Fault>) -> Ended {
        let left = self.waiting.len() + self.put_off.len();
        Ended {
            lost: self.named.into_values().collect(),
            left: fault.map(|fault| Left::Resolver(left, fault)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::Ipv4Addr;

    use testworld::dns::{DnsFault, Questions, World};

    use super::*;
    use crate::check::{Connecting, Depth, Setup};
    use crate::config::Config;
    use crate::fixtures::resolver;

    /// Breaks DNS after the first reports, and mends it when it is told to pause.
    struct Saboteur {
        world: World,
        told: Vec<(Domain, Verdict)>,
        pauses: usize,
        again: usize,
        is_lasting: bool,
    }

    impl Audience for Saboteur {
        type Error = ();

        fn report(&mut self, report: Report) -> Result<(), ()> {
            if self.told.is_empty() {
                self.world.break_dns(&everything(), DnsFault::ServFail).unwrap();
            }
            let domain = Domain::parse(&report.domain).unwrap();
            self.told.push((domain, report.verdict));
            Ok(())
        }

        fn put_off(&mut self, _: &Report) -> Result<(), ()> {
            Err(())
        }

        fn pause(&mut self, _: &Fault) {
            self.pauses += 1;
            if !self.is_lasting {
                self.world.mend_dns(&everything()).unwrap();
            }
        }

        fn resume(&mut self, _: Duration, again: usize) {
            self.again += again;
        }
    }

    fn everything() -> Questions {
        Questions::Below(".".to_owned())
    }

    async fn run(is_lasting: bool, patience: Duration) -> (Saboteur, Ended) {
        let world = World::start_on(Ipv4Addr::LOCALHOST.into()).await.unwrap();
        world.domain("test").signed().add().unwrap();
        let resolver = resolver(&world);
        let setup = Setup {
            connecting: Connecting::No,
            depth: Depth::Verdict,
            days: 14,
            port: None,
            timeout: Duration::from_secs(3),
            limit: Duration::from_secs(30),
        };
        let config = Config::default();
        let examiner = || Arc::new(Examiner::new(&config, resolver.clone(), setup).unwrap());
        let examiners = Examiners {
            first: examiner(),
            again: examiner(),
        };
        let terms = Terms {
            rate: NonZeroU16::new(100).unwrap(),
            names: Names::default(),
            test_every: Duration::from_millis(200),
            patience,
        };
        let domains = (0..60).map(|number| Domain::parse(&format!("d{number}.test")).unwrap());
        let mut audience = Saboteur {
            world,
            told: Vec::new(),
            pauses: 0,
            again: 0,
            is_lasting,
        };
        let ended = check_all(&examiners, domains.collect(), &terms, &mut audience)
            .await
            .unwrap();
        (audience, ended)
    }

    #[tokio::test]
    async fn what_was_seen_while_our_resolver_failed_is_looked_at_again_and_never_told() {
        let (seen, ended) = run(false, Duration::from_mins(1)).await;
        assert!(ended.lost.is_empty() && ended.left.is_none(), "{ended:?}");
        assert!(
            seen.pauses == 1 && seen.again > 0,
            "{} {}",
            seen.pauses,
            seen.again
        );
        let told: std::collections::BTreeSet<_> =
            seen.told.iter().map(|(domain, _)| domain.clone()).collect();
        assert_eq!((seen.told.len(), told.len()), (60, 60));
        // None of them exists, and none is blamed for our resolver.
        assert!(
            seen.told.iter().all(|(_, verdict)| *verdict == Verdict::NoMail),
            "{:?}",
            seen.told
        );
    }

    #[tokio::test]
    async fn without_a_resolver_the_run_ends_and_says_how_much_is_left() {
        let (seen, ended) = run(true, Duration::ZERO).await;
        let left = match ended.left {
            Some(Left::Resolver(left, _)) => left,
            _ => 0,
        };
        assert!(left > 0, "{ended:?}");
        assert_eq!(seen.told.len() + left, 60);
    }
}
