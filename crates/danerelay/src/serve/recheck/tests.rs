//! A day's round, and the days after it.
#![allow(clippy::unwrap_used, clippy::panic)]
use std::fs;

use policy::Missing;
use tempfile::TempDir;
use testworld::dns::World;
use testworld::mail::{Ca, Identity, Receiver};

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

async fn daily(directory: &TempDir, log: &Arc<Kept>) -> Daily<impl Ledger + use<>> {
    let loaded = config::load(Some(&directory.path().join("danerelay.toml"))).unwrap();
    let policy = policy_files::load(&loaded, Missing::Refused).unwrap().policy;
    let config = loaded.config;
    let hostname = settings::hostname(&config).unwrap();
    let spool = store::open(&config, Arc::new(())).await.unwrap();
    Daily {
        spool,
        standing: Standing::default(),
        delivery: settings::delivery(&config, &hostname, Vec::new()),
        tls: tls::client(&config.tls).unwrap(),
        policy: Arc::new(ArcSwap::from_pointee(policy)),
        log: Arc::<Kept>::clone(log),
        changed: Arc::default(),
        config,
    }
}

/// What is remembered as well again of the lists.
fn healed<S>(daily: &Daily<S>) -> Vec<String> {
    let healed = daily.standing.all().healed;
    let mut short: Vec<String> = healed
        .iter()
        .map(|one| format!("{} {}", one.name, one.place))
        .collect();
    short.retain(|one| one.contains(".list:"));
    short.sort();
    short
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_well_again_is_closed_and_what_is_not_stays() {
    let (world, receiver, other) = world().await;
    let directory = files(&world, &receiver);
    let log = Arc::new(Kept::default());
    let daily = daily(&directory, &log).await;
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
