//! Discovery in virtual time.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use jiff::Timestamp;
use mail::{Domain, Event, EventLog, FailedLookup, LookupFailure, TlsResult};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use crate::discovery::{PATIENCE, PAUSE};
use crate::*;

const LIMITS: Limits = Limits {
    entries: 100,
    octets: 1 << 20,
};
const DAY: Duration = Duration::from_hours(24);

type TxtAnswer = Result<Vec<Vec<u8>>, FailedLookup>;
/// What a policy host gives, and how long that takes.
type PolicyAnswer = (Duration, Result<String, FetchFailure>);

/// DNS, policy hosts, the clock and the log.
struct World {
    records: Mutex<HashMap<Domain, TxtAnswer>>,
    policies: Mutex<HashMap<Domain, PolicyAnswer>>,
    fetches: Mutex<Vec<Domain>>,
    looked_up: Mutex<Vec<Domain>>,
    told: Mutex<Vec<String>>,
    began: Instant,
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            records: Mutex::default(),
            policies: Mutex::default(),
            fetches: Mutex::default(),
            looked_up: Mutex::default(),
            told: Mutex::default(),
            began: Instant::now(),
        })
    }

    fn sources(self: &Arc<Self>) -> Sources {
        Sources {
            txt: Arc::clone(self) as _,
            fetch: Arc::clone(self) as _,
            clock: Arc::clone(self) as _,
            events: Arc::clone(self) as _,
        }
    }

    fn policies(self: &Arc<Self>) -> Policies {
        Policies::in_memory(self.sources(), LIMITS)
    }

    /// Publishes a record with this id and a policy with this mode.
    fn publish(&self, name: &str, id: &str, mode: &str, max_age: u32) {
        self.records.lock().insert(
            domain(&format!("_mta-sts.{name}")),
            Ok(vec![format!("v=STSv1; id={id};").into_bytes()]),
        );
        self.serve(name, Duration::ZERO, Ok(policy(mode, max_age)));
    }

    fn serve(&self, name: &str, delay: Duration, policy: Result<String, FetchFailure>) {
        self.policies.lock().insert(domain(name), (delay, policy));
    }

    fn no_record(&self, name: &str) {
        self.records.lock().remove(&domain(&format!("_mta-sts.{name}")));
    }

    fn fetched(&self) -> usize {
        self.fetches.lock().len()
    }
}

impl TxtLookup for World {
    fn txt<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Result<Vec<Vec<u8>>, FailedLookup>> {
        self.looked_up.lock().push(name.clone());
        let records = self.records.lock().get(name).cloned().unwrap_or(Ok(Vec::new()));
        async { records }.boxed()
    }
}

impl Fetch for World {
    fn fetch<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<Policy, FetchFailure>> {
        self.fetches.lock().push(domain.clone());
        let policy = self.policies.lock().get(domain).cloned();
        async {
            let (delay, policy) = policy.ok_or(FetchFailure::NoAddress)?;
            sleep(delay).await;
            Ok(Policy::parse(policy?.as_bytes())?)
        }
        .boxed()
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000)
            .unwrap()
            .checked_add(self.began.elapsed())
            .unwrap()
    }
}

impl EventLog for World {
    fn write(&self, event: &Event) {
        self.told.lock().push(event.to_text());
    }
}

fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

fn policy(mode: &str, max_age: u32) -> String {
    format!("version: STSv1\nmode: {mode}\nmx: mx.example.org\nmax_age: {max_age}\n")
}

fn mode(discovery: &Discovery) -> Option<Mode> {
    discovery.entry.as_ref().map(|entry| entry.policy.mode)
}

async fn found(policies: &Policies, name: &str) -> Option<Mode> {
    mode(&policies.discover(&domain(name)).await)
}

#[tokio::test(start_paused = true)]
async fn a_domain_without_a_record_costs_one_look_up() {
    let world = World::new();
    let policies = world.policies();
    let nothing = Discovery {
        entry: None,
        trouble: None,
    };
    assert_eq!(policies.discover(&domain("sub.example.org")).await, nothing);
    // Never the parent's (RFC 8461 §3.4).
    assert_eq!(*world.looked_up.lock(), [domain("_mta-sts.sub.example.org")]);
    assert_eq!(world.fetched(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_policy_is_fetched_once_and_kept() {
    let world = World::new();
    world.publish("example.org", "1", "enforce", 604_800);
    world.serve(
        "example.org",
        Duration::from_secs(5),
        Ok(policy("enforce", 604_800)),
    );
    let policies = world.policies();
    let asking = (0..100).map(|_| found(&policies, "example.org"));
    assert_eq!(join_all(asking).await, vec![Some(Mode::Enforce); 100]);
    sleep(Duration::from_hours(1)).await;
    assert_eq!(found(&policies, "example.org").await, Some(Mode::Enforce));
    assert_eq!(world.fetched(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_stops_no_fetch() {
    let world = World::new();
    world.publish("example.org", "1", "enforce", 604_800);
    world.serve(
        "example.org",
        Duration::from_secs(5),
        Ok(policy("enforce", 604_800)),
    );
    let policies = world.policies();
    let asked = tokio::time::timeout(Duration::from_secs(1), found(&policies, "example.org")).await;
    assert!(asked.is_err());
    sleep(Duration::from_secs(5)).await;
    assert_eq!(found(&policies, "example.org").await, Some(Mode::Enforce));
    assert_eq!(world.fetched(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_id_is_another_policy_whichever_way() {
    let world = World::new();
    let policies = world.policies();
    for (id, mode, expected) in [
        ("1", "enforce", Mode::Enforce),
        ("2", "none", Mode::None),
        ("3", "testing", Mode::Testing),
        ("1", "enforce", Mode::Enforce),
    ] {
        world.publish("example.org", id, mode, 604_800);
        assert_eq!(found(&policies, "example.org").await, Some(expected), "{id}");
    }
    assert_eq!(world.fetched(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_had_changes_nothing_in_the_cache() {
    let world = World::new();
    world.publish("example.org", "1", "enforce", 604_800);
    let policies = world.policies();
    assert_eq!(found(&policies, "example.org").await, Some(Mode::Enforce));

    let record = domain("_mta-sts.example.org");
    for (records, result) in [
        (Ok(Vec::new()), None),
        (
            Err(LookupFailure::Bogus.into()),
            Some(TlsResult::StsPolicyFetchError),
        ),
        (
            Ok(vec![b"v=STSv1; id=-".to_vec()]),
            Some(TlsResult::StsPolicyInvalid),
        ),
        (
            Ok(vec![b"v=STSv1; id=2".to_vec(); 2]),
            Some(TlsResult::StsPolicyInvalid),
        ),
    ] {
        world.records.lock().insert(record.clone(), records);
        let discovery = policies.discover(&domain("example.org")).await;
        assert_eq!(mode(&discovery), Some(Mode::Enforce));
        assert_eq!(discovery.trouble.map(|trouble| trouble.tls_result()), result);
    }
    assert_eq!(world.fetched(), 1);

    for (number, (failure, result)) in [
        (
            FetchFailure::Certificate(String::new()),
            TlsResult::StsWebpkiInvalid,
        ),
        (FetchFailure::Redirect, TlsResult::StsPolicyFetchError),
        (
            FetchFailure::Policy(PolicyFault::NotText),
            TlsResult::StsPolicyInvalid,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        sleep(PAUSE).await;
        world.publish("example.org", &format!("x{number}"), "enforce", 604_800);
        world.serve("example.org", Duration::ZERO, Err(failure));
        let discovery = policies.discover(&domain("example.org")).await;
        assert_eq!(mode(&discovery), Some(Mode::Enforce));
        assert_eq!(discovery.trouble.unwrap().tls_result(), result);
    }
    // Until it ends.
    world.no_record("example.org");
    sleep(7 * DAY).await;
    assert_eq!(found(&policies, "example.org").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_failed_is_not_tried_again_for_five_minutes() {
    let world = World::new();
    world.publish("example.org", "1", "enforce", 604_800);
    world.serve("example.org", Duration::ZERO, Err(FetchFailure::Status(503)));
    let policies = world.policies();
    for _ in 0..100 {
        let discovery = policies.discover(&domain("example.org")).await;
        assert_eq!(mode(&discovery), None);
        assert_eq!(discovery.trouble, Some(FetchFailure::Status(503).into()));
    }
    assert_eq!(world.fetched(), 1);
    assert_eq!(
        *world.told.lock(),
        [
            "status=not-fetched, domain=example.org, id=1, reason=\"the policy host answers with the status 503, and only \
          200 counts\", event=mta-sts"
        ]
    );
    // Another id is tried at once, and so is this one after its time.
    world.publish("example.org", "2", "enforce", 604_800);
    assert_eq!(found(&policies, "example.org").await, Some(Mode::Enforce));
    world.publish("example.org", "3", "none", 604_800);
    world.serve("example.org", Duration::ZERO, Err(FetchFailure::Status(503)));
    assert_eq!(found(&policies, "example.org").await, Some(Mode::Enforce));
    world.publish("example.org", "3", "none", 604_800);
    assert_eq!(found(&policies, "example.org").await, Some(Mode::Enforce));
    sleep(PAUSE).await;
    assert_eq!(found(&policies, "example.org").await, Some(Mode::None));
}

#[tokio::test(start_paused = true)]
async fn a_slow_policy_host_delays_its_own_domain_by_a_minute_at_most() {
    let world = World::new();
    world.publish("slow.example", "1", "enforce", 604_800);
    world.serve(
        "slow.example",
        Duration::from_hours(1),
        Ok(policy("enforce", 604_800)),
    );
    world.publish("example.org", "1", "enforce", 604_800);
    let policies = world.policies();
    let start = Instant::now();
    let slow = async {
        let discovery = policies.discover(&domain("slow.example")).await;
        (discovery, start.elapsed())
    };
    let fast = async { (found(&policies, "example.org").await, start.elapsed()) };
    let ((discovery, waited), fast) = tokio::join!(slow, fast);
    assert_eq!(discovery.trouble, Some(FetchFailure::TimedOut(60).into()));
    assert_eq!((discovery.entry, waited), (None, PATIENCE));
    assert_eq!(fast, (Some(Mode::Enforce), Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn fetches_are_limited_and_what_found_no_place_is_tried_again() {
    let world = World::new();
    for number in 0..200 {
        let name = format!("d{number}.example");
        world.publish(&name, "1", "enforce", 604_800);
        world.serve(&name, Duration::from_hours(1), Ok(policy("enforce", 604_800)));
    }
    let policies = world.policies();
    let start = Instant::now();
    let names: Vec<Domain> = (0..200)
        .map(|number| domain(&format!("d{number}.example")))
        .collect();
    let found = join_all(names.iter().map(|name| policies.discover(name))).await;
    assert_eq!(start.elapsed(), PATIENCE);
    assert_eq!(world.fetched(), 64);
    let busy: Vec<_> = names
        .iter()
        .zip(&found)
        .filter(|(_, found)| found.trouble == Some(FetchFailure::Busy.into()))
        .collect();
    assert_eq!(busy.len(), 200 - 64);
    let (name, _) = busy[0];
    world.serve(name.as_str(), Duration::ZERO, Ok(policy("enforce", 604_800)));
    assert_eq!(mode(&policies.discover(name).await), Some(Mode::Enforce));
}

#[tokio::test(start_paused = true)]
async fn max_age_0_is_for_the_messages_at_hand() {
    let world = World::new();
    world.publish("example.org", "1", "enforce", 0);
    let policies = world.policies();
    let asking = (0..10).map(|_| found(&policies, "example.org"));
    assert_eq!(join_all(asking).await, vec![Some(Mode::Enforce); 10]);
    assert_eq!(world.fetched(), 1);
    world.no_record("example.org");
    sleep(Duration::from_mins(1)).await;
    assert_eq!(found(&policies, "example.org").await, None);
}

#[tokio::test(start_paused = true)]
async fn policies_are_refreshed_daily_whatever_their_records_say() {
    let world = World::new();
    world.publish("example.org", "1", "enforce", 604_800);
    world.publish("none.example", "1", "none", 604_800);
    let policies = world.policies();
    found(&policies, "example.org").await;
    found(&policies, "none.example").await;
    world.no_record("example.org");
    let refreshing = tokio::spawn(refresh::refresh(policies.clone()));
    sleep(30 * DAY).await;
    assert_eq!(found(&policies, "example.org").await, Some(Mode::Enforce));
    assert_eq!(
        found(&policies, "none.example").await,
        Some(Mode::None),
        "it has ended, and was fetched again"
    );
    let of_it = world
        .fetches
        .lock()
        .iter()
        .filter(|one| **one == domain("example.org"))
        .count();
    assert!((29..=31).contains(&of_it), "{of_it}");
    // It follows what is there now, and tells what goes wrong once an hour.
    world.serve("example.org", Duration::ZERO, Ok(policy("testing", 604_800)));
    sleep(DAY + Duration::from_mins(10)).await;
    assert_eq!(found(&policies, "example.org").await, Some(Mode::Testing));
    world.serve("example.org", Duration::ZERO, Err(FetchFailure::Status(404)));
    world.told.lock().clear();
    sleep(8 * DAY).await;
    assert_eq!(found(&policies, "example.org").await, None);
    let told = world
        .told
        .lock()
        .iter()
        .filter(|line| line.starts_with("status=not-refreshed"))
        .count();
    assert!((100..=6 * 24).contains(&told), "{told}");
    refreshing.abort();
}

#[tokio::test(start_paused = true)]
async fn what_is_flushed_is_fetched_again() {
    let world = World::new();
    for name in ["example.org", "sub.example.org", "notexample.org"] {
        world.publish(name, "1", "enforce", 604_800);
    }
    let policies = world.policies();
    for name in ["example.org", "sub.example.org", "notexample.org"] {
        found(&policies, name).await;
    }
    policies.flush(&domain("example.org"));
    assert!(policies.cached(&domain("example.org")).is_none());
    assert!(policies.cached(&domain("sub.example.org")).is_none());
    assert!(policies.cached(&domain("notexample.org")).is_some());
    found(&policies, "example.org").await;
    assert_eq!(world.fetched(), 4);
    policies.flush_all();
    assert!(policies.is_empty());
}

fn open(world: &Arc<World>, path: &Path) -> Policies {
    Policies::open(world.sources(), LIMITS, path).unwrap()
}

#[tokio::test(start_paused = true)]
async fn policies_outlive_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mta-sts.cache");
    let world = World::new();
    world.publish("example.org", "1", "enforce", 604_800);
    world.publish("other.example", "1", "enforce", 604_800);
    let policies = open(&world, &path);
    found(&policies, "example.org").await;
    found(&policies, "other.example").await;
    policies.flush(&domain("other.example"));
    drop(policies);

    world.records.lock().clear();
    world.policies.lock().clear();
    let policies = open(&world, &path);
    assert_eq!(found(&policies, "example.org").await, Some(Mode::Enforce));
    assert_eq!(found(&policies, "other.example").await, None);
    drop(policies);
    sleep(7 * DAY).await;
    assert_eq!(found(&open(&world, &path), "example.org").await, None);
}

#[test]
fn a_file_that_cannot_be_made_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("missing/mta-sts.cache");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _entered = runtime.enter();
    let world = World::new();
    assert!(Policies::open(world.sources(), LIMITS, &path).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_makes_up_ids_takes_one_place_and_is_asked_twice() {
    let world = World::new();
    world.serve("evil.example", Duration::from_hours(1), Ok(policy("enforce", 0)));
    let policies = world.policies();
    let evil = domain("evil.example");
    let ask = async |id: u32| {
        let record = format!("v=STSv1; id={id};").into_bytes();
        let records = Ok(vec![record]);
        world
            .records
            .lock()
            .insert(domain("_mta-sts.evil.example"), records);
        policies.discover(&evil).await
    };
    let at_once = join_all((0..10).map(&ask)).await;
    assert!(
        at_once
            .iter()
            .all(|found| found.trouble == Some(FetchFailure::TimedOut(60).into()))
    );
    assert_eq!(world.fetched(), 1, "one at a time, whatever the ids");
    for id in 10..20 {
        ask(id).await;
    }
    assert_eq!(world.fetched(), 2, "another id is tried once");
    sleep(PAUSE).await;
    ask(20).await;
    assert_eq!(world.fetched(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_renewed_is_fetched_again_and_kept_if_that_fails() {
    let world = World::new();
    world.publish("example.org", "1", "enforce", 604_800);
    let policies = world.policies();
    found(&policies, "example.org").await;
    world.serve("example.org", Duration::ZERO, Err(FetchFailure::Status(503)));
    policies.renew_each(&[domain("org")]);
    let discovery = policies.discover(&domain("example.org")).await;
    assert_eq!(mode(&discovery), Some(Mode::Enforce));
    assert_eq!(discovery.trouble, Some(FetchFailure::Status(503).into()));
    // The failure is forgotten as well.
    world.serve("example.org", Duration::ZERO, Ok(policy("testing", 604_800)));
    policies.renew_each(&[domain("example.org")]);
    assert_eq!(found(&policies, "example.org").await, Some(Mode::Testing));
    assert_eq!(found(&policies, "example.org").await, Some(Mode::Testing));
    assert_eq!(world.fetched(), 3);
}

#[tokio::test(start_paused = true)]
async fn slow_policy_hosts_do_not_starve_what_ends_first() {
    let world = World::new();
    let limits = Limits {
        entries: 1000,
        ..LIMITS
    };
    let policies = Policies::in_memory(world.sources(), limits);
    // Many become due before the one that ends before them.
    for number in 0..600 {
        let name = format!("d{number}.example");
        world.publish(&name, "1", "enforce", 7_200);
        found(&policies, &name).await;
        world.serve(&name, Duration::from_hours(1), Ok(policy("enforce", 7_200)));
    }
    world.publish("first.example", "1", "enforce", 3_600);
    sleep(Duration::from_mins(36)).await;
    assert_eq!(found(&policies, "first.example").await, Some(Mode::Enforce));
    world.no_record("first.example");
    let refreshing = tokio::spawn(refresh::refresh(policies.clone()));
    sleep(Duration::from_mins(70)).await;
    let of_it = world
        .fetches
        .lock()
        .iter()
        .filter(|one| **one == domain("first.example"))
        .count();
    assert!(of_it >= 2, "{of_it}");
    assert!(policies.cached(&domain("first.example")).is_some());
    refreshing.abort();
}

#[tokio::test(start_paused = true)]
async fn many_changes_at_once_are_all_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mta-sts.cache");
    let world = World::new();
    let limits = Limits {
        entries: 10_000,
        octets: 1 << 26,
    };
    let policies = Policies::open(world.sources(), limits, &path).unwrap();
    let names: Vec<String> = (0..3_000).map(|number| format!("d{number}.example")).collect();
    for name in &names {
        world.publish(name, "1", "enforce", 604_800);
    }
    join_all(names.iter().map(|name| found(&policies, name))).await;
    drop(policies);
    let policies = Policies::of_file(world.sources(), limits, &path).unwrap();
    assert_eq!(policies.len(), 3_000);
    drop(policies);
    let policies = Policies::open(world.sources(), limits, &path).unwrap();
    policies.flush_all();
    drop(policies);
    assert!(
        Policies::of_file(world.sources(), limits, &path)
            .unwrap()
            .is_empty()
    );
}
