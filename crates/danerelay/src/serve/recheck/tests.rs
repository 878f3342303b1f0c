//! A day's round, and the days after it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
use std::fs;
use std::ops::Deref;

use mail::Status;
use policy::{ExceptedKind, Missing};
use spool::contract::{commit, message, settlement, take};
use spool::{Spool as _, Store};
use tempfile::TempDir;
use testworld::dns::{DnsFault, Questions, World};
use testworld::mail::{Ca, Identity, Receiver};

use super::*;
use crate::config;
use crate::recheck::subjects;
use crate::wiring::standing::Healed;
use crate::wiring::{policy as policy_files, settings, store, tls};

#[derive(Default)]
struct Kept(Mutex<Vec<Event>>);

impl EventLog for Kept {
    fn write(&self, event: &Event) {
        self.0.lock().push(event.clone());
    }
}

/// Destinations that are fine, whose key is another one, and without TLSA records, all at one receiver; and the other key.
async fn world() -> (World, Receiver, Identity) {
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
    (world, receiver, other)
}

/// A relay that asks this world, with exceptions and lists.
fn files(world: &World, receiver: &Receiver) -> TempDir {
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
        "[[exception]]\ndomain = \"test\"\ndnssec = \"off\"\nuntil = 2999-01-01\nreason = \"r\"\n".to_owned(),
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
    directory
}

/// A daily test, and what it has had delivered.
struct Scene<S> {
    daily: Daily<S>,
    woken: Arc<Mutex<Vec<Pending>>>,
}

impl<S> Deref for Scene<S> {
    type Target = Daily<S>;

    fn deref(&self) -> &Daily<S> {
        &self.daily
    }
}

async fn daily(directory: &TempDir, log: &Arc<Kept>) -> Scene<impl Store + use<>> {
    let loaded = config::load(Some(&directory.path().join("danerelay.toml"))).unwrap();
    let policy = policy_files::load(&loaded, Missing::Refused).unwrap().policy;
    let config = loaded.config;
    let hostname = settings::hostname(&config).unwrap();
    let spool = store::open(&config, Arc::new(())).await.unwrap();
    let woken: Arc<Mutex<Vec<Pending>>> = Arc::default();
    let noted = Arc::clone(&woken);
    let daily = Daily {
        spool,
        domain_insecure: watch::channel(config.dns.domain_insecure.clone()).1,
        standing: Standing::default(),
        delivery: settings::delivery(&config, &hostname, Vec::new()),
        tls: tls::client(&config.tls).unwrap(),
        policy: Arc::new(ArcSwap::from_pointee(policy)),
        log: Arc::<Kept>::clone(log),
        changed: Arc::default(),
        wake: Box::new(move |_, pending| noted.lock().extend(pending)),
        config,
    };
    Scene { daily, woken }
}

/// What is remembered as working again of the lists.
fn healed<S>(daily: &Daily<S>) -> Vec<String> {
    let healed = daily.standing.tests().healed;
    let mut short: Vec<String> = healed
        .iter()
        .map(|one| format!("{} {}", one.name, one.place))
        .collect();
    short.retain(|one| one.contains(".list:"));
    short.sort();
    short
}

/// The names and whether they were removed, as the log has them, which then is empty.
fn told(log: &Kept) -> Vec<(String, bool)> {
    let events = std::mem::take(&mut *log.0.lock());
    let told = events.into_iter().map(|event| match event {
        Event::Rechecked(told) => (told.name, told.is_closed),
        other => panic!("{other:?}"),
    });
    let mut told: Vec<_> = told.collect();
    told.sort();
    told
}

/// What the daily test remembers is of the day before.
fn a_day_later(daily: &Daily<impl Ledger>) {
    let file = daily.config.state_directory.join("rechecked");
    let mut memory: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    for healed in memory["healed"].as_array_mut().unwrap() {
        let since: Timestamp = healed["since"].as_str().unwrap().parse().unwrap();
        healed["since"] = (since - 24.hours()).to_string().into();
    }
    fs::write(&file, memory.to_string()).unwrap();
}

fn added(daily: &Daily<impl Ledger>) -> Vec<String> {
    let left = exceptions::read(&daily.config).unwrap();
    left.iter().map(ToString::to_string).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_well_again_is_closed_and_what_is_not_stays() {
    let (world, receiver, other) = world().await;
    let directory = files(&world, &receiver);
    let log = Arc::new(Kept::default());
    let daily = daily(&directory, &log).await;
    daily.round().await.unwrap();
    let all = added(&daily);
    assert_eq!(
        all.len(),
        6,
        "what works for the first time may not last: {all:?}"
    );
    let named = |names: &[(&str, bool)]| -> Vec<(String, bool)> {
        names
            .iter()
            .map(|(name, is_closed)| ((*name).to_owned(), *is_closed))
            .collect()
    };
    let first = [
        // As an exception, as one from DNSSEC, and on each list.
        ("good.test", false),
        ("good.test", false),
        ("good.test", false),
        ("good.test", false),
        ("listed.test", false),
        ("mx.good.test", false),
        // Only itself: more may be broken below it.
        ("test", false),
    ];
    let first = named(&first);
    let told_first = told(&log);
    let told_first: Vec<_> = told_first
        .into_iter()
        .filter(|(name, _)| name != "test")
        .collect();
    assert_eq!(told_first, first[..6]);
    let on_lists = [
        "good.test off.list:2",
        "good.test soft.list:1",
        "listed.test soft.list:2",
    ];
    assert_eq!(healed(&daily), on_lists);
    // The lists are as they were.
    let list = fs::read_to_string(directory.path().join("off.list")).unwrap();
    assert_eq!(list, "# broken\ngood.test\nstale.test\n");
    // On the next day it is removed, entries are no news, and what is broken again is not named any more.
    a_day_later(&daily);
    // Another one is added meanwhile, and the lines of the others move.
    let add = |all: &mut Vec<ListedException>| {
        let mut new = all.first().unwrap().clone();
        new.names = "new.test".parse().unwrap();
        all.insert(0, new);
    };
    exceptions::change(&daily.config, add).unwrap();
    daily.round().await.unwrap();
    let left = [
        "domain new.test",
        "domain stale.test",
        "domain strict.test",
        "mx mx.strict.test",
        "domain test",
        "domain good.test",
    ];
    assert_eq!(added(&daily), left);
    let told_again = told(&log);
    assert!(
        told_again.contains(&("good.test".to_owned(), true)),
        "{told_again:?}"
    );
    assert!(
        told_again.iter().all(|(name, _)| name != "listed.test"),
        "{told_again:?}"
    );
    assert_eq!(healed(&daily), on_lists);
    let closed = daily.standing.tests().closed;
    assert_eq!(closed.len(), 1);
    assert_eq!(
        (closed[0].name.to_string(), closed[0].meaning.to_string()),
        ("good.test".to_owned(), "off".to_owned())
    );
    // Now what was fine is broken, and the other way round.
    receiver.set_identity(&other);
    daily.round().await.unwrap();
    assert_eq!(healed(&daily), ["stale.test off.list:3"]);
    // The policy is to be read again.
    daily.changed.notified().await;
}

/// It waits because the signatures were broken.
#[tokio::test(flavor = "multi_thread")]
async fn mail_for_what_is_well_again_is_tried_at_once() {
    let (world, receiver, _other) = world().await;
    let directory = files(&world, &receiver);
    let log = Arc::new(Kept::default());
    let daily = daily(&directory, &log).await;
    let mut waiting = Vec::new();
    for recipient in ["r@good.test", "r@stale.test"] {
        let accepted = commit(&*daily.spool, message(&[recipient]), b"x").await.unwrap();
        let lease = take(&*daily.spool, &accepted.pending[0]).await;
        let later = settlement(0, Status::Deferred, Some(Timestamp::now() + 5.hours()));
        daily
            .spool
            .settle(lease, vec![later], Timestamp::now())
            .await
            .unwrap();
        waiting.push(accepted.id);
    }
    daily.round().await.unwrap();
    let woken = daily.woken.lock().clone();
    assert!(
        !woken.is_empty() && woken.iter().all(|pending| pending.id == waiting[0]),
        "{woken:?}"
    );
}

/// What was removed and added again in the same words begins anew: one test more, and another a day later.
#[tokio::test(flavor = "multi_thread")]
async fn an_exception_that_is_added_again_begins_anew() {
    let (world, receiver, _other) = world().await;
    let directory = files(&world, &receiver);
    let log = Arc::new(Kept::default());
    let daily = daily(&directory, &log).await;
    daily.round().await.unwrap();
    a_day_later(&daily);
    // What a reload of the policy without it does.
    let is_it = |one: &Healed| one.kind == ExceptedKind::Domain && one.name.to_string() == "good.test";
    daily
        .standing
        .retain_healed(|one| !is_it(one) || one.until.is_none());
    daily.round().await.unwrap();
    let all = added(&daily);
    assert!(all.iter().any(|one| one == "domain good.test"), "{all:?}");
    assert_eq!(all.len(), 6);
    a_day_later(&daily);
    daily.round().await.unwrap();
    assert_eq!(added(&daily).len(), 5);
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_looked_through_at_once_and_then_once_in_five_minutes() {
    let mut news = News::default();
    assert!(!news.is_due());
    news.well.push(Tested::Domain(Domain::parse("a.test").unwrap()));
    assert!(news.is_due());
    news.tried = Some(Instant::now());
    tokio::time::advance(Duration::from_mins(4)).await;
    assert!(!news.is_due());
    tokio::time::advance(Duration::from_mins(1)).await;
    assert!(news.is_due());
}

/// A test that was interrupted goes on where it was, and what was found before is kept.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_test_goes_on() {
    let (world, receiver, _other) = world().await;
    let directory = files(&world, &receiver);
    let log = Arc::new(Kept::default());
    let daily = daily(&directory, &log).await;
    // Seven exceptions, and three of four entries of lists.
    let mut memory = Memory::default();
    let nothing = std::iter::empty;
    assert_eq!(memory.begin(nothing(), Timestamp::now() - 1.hours()), 0);
    let policy = daily.policy.load_full();
    let all: Vec<Subject> = subjects(&policy, Zoned::now().date()).collect();
    // The last one was at another place then.
    memory.advance(3, Some(&all[9]));
    memory.write(&daily.config).unwrap();
    daily.round().await.unwrap();
    assert_eq!(told(&log), [("listed.test".to_owned(), false)]);
    // Of the day before yesterday is another one.
    let mut memory = Memory::default();
    memory.begin(nothing(), Timestamp::now() - 25.hours());
    memory.advance(10, Some(&all[9]));
    memory.write(&daily.config).unwrap();
    daily.round().await.unwrap();
    assert!(told(&log).len() > 5);
}

/// An MX host whose TLSA records cannot be looked up may be just what is wrong, however well another is.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_looked_up_is_not_well() {
    let (world, receiver, other) = world().await;
    let directory = files(&world, &receiver);
    fs::write(directory.path().join("off.list"), "two.test\n").unwrap();
    fs::write(directory.path().join("soft.list"), "").unwrap();
    receiver.set_identity(&other);
    let zone = world.domain("two.test").signed();
    let zone = zone.mx(10, "mx1.two.test", receiver.address());
    let zone = zone.tlsa(other.tlsa_3_1_1());
    let zone = zone.mx(20, "mx2.two.test", receiver.address());
    zone.tlsa(other.tlsa_3_1_1()).add().unwrap();
    let owner = format!("_{}._tcp.mx2.two.test", receiver.address().port());
    let questions = Questions::At(owner);
    world.break_dns(&questions, DnsFault::ServFail).unwrap();
    let log = Arc::new(Kept::default());
    let daily = daily(&directory, &log).await;
    daily.round().await.unwrap();
    assert_eq!(healed(&daily), [""; 0]);
    world.mend_dns(&questions).unwrap();
    daily.round().await.unwrap();
    assert_eq!(healed(&daily), ["two.test off.list:1"]);
}
