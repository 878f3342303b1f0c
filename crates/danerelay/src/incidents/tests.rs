//! The ways on which incidents are told, each with a real other side: a spool, a command, a web server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use data_encoding::BASE64_MIME;
use dns::Resolver;
use jiff::{Timestamp, ToSpan};
use mail::event::incident::NotTold;
use mail::event::{Event, EventLog};
use mail::sighting::{Ending, Evidence, Failing, Place, Spot, Trouble};
use mail::{Domain, Sighting, Status};
use parking_lot::Mutex;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use spool::contract::{commit, listed, message, now, read, settlement, take};
use spool::{Accepted, KeepIncidents as _, Outcomes, Settlement, Store};
use tempfile::TempDir;
use testworld::dns::World;
use testworld::mail::Ca;
use testworld::web::{Page, WebServer};
use tokio::time::sleep;

use super::board::{Board, OwnSide};
use super::courier::Couriers;
use super::watch::{Post, Teller, Watch};
use super::webhook::Web;
use crate::config::schema::Incidents;
use crate::config::{self, Config, Optional};
use crate::wiring::{resolver, store};

const SHORT: Duration = Duration::from_millis(10);
const MAX_AGE: Duration = Duration::from_hours(5 * 24);

#[derive(Default)]
struct Kept(Mutex<Vec<Event>>);

impl EventLog for Kept {
    fn write(&self, event: &Event) {
        self.0.lock().push(event.clone());
    }
}

impl Kept {
    fn not_told(&self) -> Vec<NotTold> {
        let events = self.0.lock();
        let not_told = events.iter().filter_map(|event| match event {
            Event::NotTold(not_told) => Some(not_told.clone()),
            _ => None,
        });
        not_told.collect()
    }
}

struct Scene<S> {
    spool: Arc<S>,
    watch: Watch<S>,
    couriers: Arc<Couriers>,
    log: Arc<Kept>,
    /// Our own mail.
    mailed: Arc<Mutex<Vec<Accepted>>>,
    web: WebServer,
    directory: TempDir,
    _world: World,
}

fn spot() -> Spot {
    Spot {
        place: Place::Host(Domain::parse("mx.b.example").unwrap()),
        trouble: Trouble::NoMatchingTlsa,
    }
}

/// Settings that ask the world, with a spool in this directory.
fn configuration(world: &World, directory: &TempDir) -> Config {
    let file = directory.path().join("danerelay.toml");
    fs::write(directory.path().join("anchor"), world.trust_anchor_ds().unwrap()).unwrap();
    let text = format!(
        "[dns]\nmode = \"validate\"\nservers = [\"{}\"]\ntrust_anchor = \"anchor\"\n\
         [spool]\npath = \"spool\"\n[limits]\nspool_free = \"1 MiB\"\n",
        world.address()
    );
    fs::write(&file, text).unwrap();
    config::load(Some(&file)).unwrap().config
}

/// A client that verifies by this authority, and a resolver that asks the world.
fn web_client(config: &Config, ca: &Ca) -> Web {
    let mut roots = RootCertStore::empty();
    roots.add(ca.certificate().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let plan = resolver::plan(config, &[]).unwrap();
    Web::new(https::Client::new(&client), Resolver::new(plan.config).unwrap())
}

async fn scene() -> Scene<impl Store> {
    let directory = tempfile::tempdir().unwrap();
    let world = World::start().await.unwrap();
    world.domain("test").signed().add().unwrap();
    let ca = Ca::new("Web CA").unwrap();
    let identity = ca.issue(&["hooks.test"]).unwrap();
    let web = WebServer::start(&identity).await.unwrap();
    let zone = world.domain("hooks.test").signed();
    zone.host("hooks.test", web.address()).add().unwrap();
    let config = configuration(&world, &directory);
    let spool = store::open(&config, Arc::new(())).await.unwrap();
    let hook = format!("https://hooks.test:{}/hook", web.address().port());
    let script = format!("cat >> {}", directory.path().join("heard").display());
    let settings = Incidents {
        mail: Optional(Some("postmaster@ops.example".parse().unwrap())),
        command: ["/bin/sh", "-c", &script].map(str::to_owned).to_vec(),
        webhook: Optional(Some(hook.parse().unwrap())),
    };
    let log = Arc::new(Kept::default());
    let settings = Arc::new(ArcSwap::from_pointee(settings));
    let client = web_client(&config, &ca);
    let couriers = Couriers::start_pausing([SHORT; 3], settings, client, Arc::<Kept>::clone(&log));
    let mailed: Arc<Mutex<Vec<Accepted>>> = Arc::default();
    let noted = Arc::clone(&mailed);
    let teller = Teller {
        events: Arc::<Kept>::clone(&log),
        couriers: Arc::clone(&couriers),
        post: Post {
            spool: Arc::clone(&spool),
            accepted: Box::new(move |accepted| noted.lock().push(accepted)),
            relay: "relay.test".to_owned(),
        },
    };
    let board = Board::new(Arc::clone(&spool), &OwnSide::default(), MAX_AGE);
    Scene {
        watch: Watch::new(board, teller),
        spool,
        couriers,
        log,
        mailed,
        web,
        directory,
        _world: world,
    }
}

impl<S: Store> Scene<S> {
    /// A message is deferred because a host shows another key than is published.
    async fn fail(&self) {
        let accepted = commit(&*self.spool, message(&["r@b.example"]), b"x").await;
        let deferred = Settlement {
            held_up: Some(spot()),
            ..settlement(0, Status::Deferred, Some(now() + 5.minutes()))
        };
        let failing = Failing {
            spot: spot(),
            domain: Some(Domain::parse("b.example").unwrap()),
            evidence: Evidence::of_words(now(), "no matching TLSA records"),
            worked: None,
        };
        let outcomes = Outcomes {
            settlements: vec![deferred],
            sightings: vec![Sighting::Fails(Box::new(failing))],
            tls: Vec::new(),
        };
        let lease = take(&*self.spool, &accepted.unwrap().pending[0]).await;
        self.spool.settle(lease, outcomes, now()).await.unwrap();
    }

    async fn look(&mut self, at: Timestamp) {
        self.watch.look(at).await.unwrap();
    }

    /// What the webhook and the command were given, once it is so many notices each.
    async fn heard(&self, count: usize) -> [Vec<Value>; 2] {
        let posted = || -> Vec<Value> {
            let asked = self.web.asked().into_iter();
            let posts = asked.map(|post| {
                assert!(post.starts_with("POST /hook HTTP/1.1\r\n"), "{post}");
                serde_json::from_str(post.split_once("\r\n\r\n").unwrap().1).unwrap()
            });
            posts.collect()
        };
        let piped = || -> Vec<Value> {
            let text = fs::read_to_string(self.directory.path().join("heard")).unwrap_or_default();
            let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            lines.map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        loop {
            let heard = [posted(), piped()];
            if heard.iter().all(|notices| notices.len() >= count) {
                return heard;
            }
            sleep(SHORT).await;
        }
    }

    async fn not_told(&self, count: usize) -> Vec<NotTold> {
        loop {
            let found = self.log.not_told();
            if found.len() >= count {
                return found;
            }
            sleep(SHORT).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_told_on_every_way_when_it_opens_at_half_and_when_it_is_over() {
    let mut scene = scene().await;
    scene.web.put("/hook", Page::status(204));
    scene.fail().await;
    scene.look(now()).await;
    // A reminder is for the log alone.
    scene.look(now() + 2.hours()).await;
    scene.look(now() + 60.hours()).await;
    let works = Sighting::Works(spot().place, Ending::Verified);
    scene.spool.note(vec![works], now() + 61.hours()).await.unwrap();
    scene.look(now() + 61.hours()).await;
    scene.look(now() + 62.hours()).await;
    for heard in scene.heard(3).await {
        let news: Vec<&Value> = heard
            .iter()
            .map(|notice| &notice["incidents"][0]["news"])
            .collect();
        assert_eq!(news, ["opened", "half", "closed"]);
        assert_eq!(heard[0]["relay"], "relay.test");
        assert_eq!(heard[0]["incidents"][0]["incident"]["name"], "mx.b.example");
    }
    let mailed = scene.mailed.lock().clone();
    let mut subjects = Vec::new();
    for accepted in &mailed {
        let [shown] = <[_; 1]>::try_from(listed(&*scene.spool, Some(accepted.id)).await.0).unwrap();
        let shown = serde_json::to_value(shown).unwrap();
        assert_eq!(shown["sender"], "", "nothing is reported about it");
        assert_eq!(shown["recipients"][0]["address"], "postmaster@ops.example");
        let lease = take(&*scene.spool, &accepted.pending[0]).await;
        let content = String::from_utf8(read(&lease).await).unwrap();
        let (head, body) = content.split_once("\r\n\r\n").unwrap();
        let subject = head.lines().find(|line| line.starts_with("Subject: ")).unwrap();
        subjects.push(subject.to_owned());
        let body = BASE64_MIME.decode(body.trim_end().as_bytes()).unwrap();
        let body = String::from_utf8(body).unwrap();
        assert!(
            body.contains("its certificate matches none of its TLSA records"),
            "{body}"
        );
    }
    let expected = ["opened", "half", "closed"]
        .map(|news| format!("Subject: [relay.test] incident {news}: mx.b.example"));
    assert_eq!(subjects, expected);
    assert!(scene.log.not_told().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_server_that_fails_is_tried_again_and_given_up_and_gets_the_next_notice() {
    let scene = scene().await;
    scene.web.put("/hook", Page::status(503));
    scene.couriers.send("relay.test", &[]);
    let told = scene.not_told(4).await;
    let again: Vec<(&str, bool)> = told.iter().map(|one| (one.key, one.again)).collect();
    assert_eq!(
        again,
        [true, true, true, false].map(|again| ("incidents.webhook", again))
    );
    assert!(told[0].error.contains("503"), "{told:?}");
    assert_eq!(scene.web.asked().len(), 4);
    scene.web.put("/hook", Page::status(204));
    scene.couriers.send("relay.test", &[]);
    while scene.web.asked().len() < 5 {
        sleep(SHORT).await;
    }
    let [_, piped] = scene.heard(2).await;
    assert_eq!(piped.len(), 2, "the command has its own way");
    assert_eq!(scene.log.not_told().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_server_that_says_nothing_keeps_neither_mail_nor_other_ways_waiting() {
    let mut scene = scene().await;
    scene.web.put("/hook", Page::Silence);
    for _ in 0..70 {
        scene.couriers.send("relay.test", &[]);
    }
    let told = scene.not_told(5).await;
    let is_of_web = |one: &&NotTold| one.key == "incidents.webhook";
    let first = told.iter().find(is_of_web).unwrap();
    assert_eq!(
        (first.error.as_str(), first.again),
        ("64 notices wait already", false)
    );
    scene.fail().await;
    scene.look(now()).await;
    assert_eq!(scene.mailed.lock().len(), 1);
    // The first one is still being handed over.
    while scene.web.asked().is_empty() {
        sleep(SHORT).await;
    }
    assert_eq!(scene.web.asked().len(), 1);
}
