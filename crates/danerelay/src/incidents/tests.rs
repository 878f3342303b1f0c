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
use mail::event::resolver::{Finding, Resolver as ResolverEvent};
use mail::event::{self, Event, EventLog};
use mail::sighting::{DemandedBy, Ending, Evidence, Failing, Place, Spot, Trouble};
use mail::{Domain, Sighting};
use parking_lot::Mutex;
use policy::settings::DaneMode;
use policy::{ExceptedKind, Meaning};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use spool::contract::{commit, held_up, listed, message, now, take};
use spool::{Accepted, Outcomes, Store};
use tempfile::TempDir;
use testworld::dns::World;
use testworld::mail::Ca;
use testworld::web::{Page, WebServer};
use tokio::time::sleep;

use super::board::{Board, OwnSide};
use super::courier::Courier;
use super::watch::Watch;
use super::webhook::Web;
use crate::config::schema::Incidents;
use crate::config::{self, Config, Optional};
use crate::own_mail::Post;
use crate::wiring::standing::{Healed, Standing, Tests};
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
    /// How many lines there are with this status.
    fn lines(&self, status: &str) -> usize {
        let events = self.0.lock();
        let of_it = |event: &&Event| matches!(event, Event::Incident(line) if line.state.as_str() == status);
        events.iter().filter(of_it).count()
    }

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
    own: OwnSide,
    standing: Standing,
    log: Arc<Kept>,
    /// Our own mail.
    mailed: Arc<Mutex<Vec<Accepted>>>,
    web: WebServer,
    settings: Arc<ArcSwap<Incidents>>,
    config: Config,
    ca: Ca,
    directory: TempDir,
    _world: World,
}

/// A host whose certificate matches nothing.
fn at(host: &str) -> Spot {
    Spot {
        place: Place::Host(Domain::parse(host).unwrap()),
        trouble: Trouble::NoMatchingTlsa,
    }
}

fn spot() -> Spot {
    at("mx.b.example")
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
    web.put("/hook", Page::status(204));
    let zone = world.domain("hooks.test").signed();
    zone.host("hooks.test", web.address()).add().unwrap();
    let config = configuration(&world, &directory);
    let spool = store::open(&config, Arc::new(())).await.unwrap();
    let (own, standing, log) = (OwnSide::default(), Standing::default(), Arc::default());
    let mailed: Arc<Mutex<Vec<Accepted>>> = Arc::default();
    let parts = (&spool, &own, &standing, &log);
    let settings = Arc::new(ArcSwap::from_pointee(ways(&web, &directory)));
    let watch = watch(parts, &mailed, (&settings, &directory), web_client(&config, &ca));
    Scene {
        settings,
        watch,
        spool,
        own,
        standing,
        log,
        mailed,
        web,
        config,
        ca,
        directory,
        _world: world,
    }
}

/// A mailbox, a command that appends to a file, and a web server.
fn ways(web: &WebServer, directory: &TempDir) -> Incidents {
    let hook = format!("https://hooks.test:{}/hook", web.address().port());
    let script = format!("cat >> {}", directory.path().join("heard").display());
    Incidents {
        mail: Optional(Some("postmaster@ops.example".parse().unwrap())),
        command: ["/bin/sh", "-c", &script].map(str::to_owned).to_vec(),
        webhook: Optional(Some(hook.parse().unwrap())),
    }
}

/// A relay's watch, as it is after its start.
fn watch<S: Store>(
    (spool, own, standing, log): (&Arc<S>, &OwnSide, &Standing, &Arc<Kept>),
    mailed: &Arc<Mutex<Vec<Accepted>>>,
    (settings, directory): (&Arc<ArcSwap<Incidents>>, &TempDir),
    client: Web,
) -> Watch<S> {
    let noted = Arc::clone(mailed);
    let post = Arc::new(Post {
        spool: Arc::clone(spool),
        accepted: Box::new(move |accepted| noted.lock().push(accepted)),
        relay: "relay.test".to_owned(),
    });
    let events = || -> Arc<dyn EventLog> { Arc::<Kept>::clone(log) };
    let settings = Arc::clone(settings);
    let courier = Courier::new(settings, client, post, events()).pausing([SHORT; 3]);
    let board = Board::new(Arc::clone(spool), own, MAX_AGE);
    let file = directory.path().join("notices");
    Watch::new((board, standing.clone()), courier, events(), file)
}

impl<S: Store> Scene<S> {
    /// A message is deferred because a host shows another key than is published.
    async fn fail(&self) {
        self.fail_at(spot()).await;
    }

    async fn fail_at(&self, spot: Spot) {
        let accepted = commit(&*self.spool, message(&["r@b.example"]), b"x").await;
        let deferred = held_up(0, now() + 5.minutes(), Some(spot.clone()));
        let failing = Failing {
            spot,
            domain: Some(Domain::parse("b.example").unwrap()),
            demanded_by: DemandedBy::Policy,
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

    async fn works(&self, spot: Spot, at: Timestamp) {
        let works = Sighting::Works(spot, Ending::Verified);
        self.spool.note(vec![works], at).await.unwrap();
    }

    /// Looks, and has what is sent arrive.
    async fn look(&mut self, at: Timestamp) {
        self.watch.look(at).await.unwrap();
        self.watch.settle(at).await;
    }

    /// The relay is started again.
    fn restart(&mut self) {
        self.own = OwnSide::default();
        let parts = (&self.spool, &self.own, &self.standing, &self.log);
        let client = web_client(&self.config, &self.ca);
        self.watch = watch(parts, &self.mailed, (&self.settings, &self.directory), client);
    }

    /// When and how the first record ended.
    async fn ended(&self) -> Option<(Timestamp, Ending)> {
        self.spool.incidents().await.unwrap()[0].ended
    }

    /// Subject and text of each mail.
    async fn mails(&self) -> Vec<(String, String)> {
        let mailed = self.mailed.lock().clone();
        let mut mails = Vec::new();
        for accepted in &mailed {
            let content = self.spool.content(accepted.id).await.unwrap().unwrap();
            let (mut reader, mut content) = (content.reader().await.unwrap(), Vec::new());
            while let Some(chunk) = reader.next().await.unwrap() {
                content.extend_from_slice(&chunk);
            }
            let content = String::from_utf8(content).unwrap();
            let (head, body) = content.split_once("\r\n\r\n").unwrap();
            let subject = head.lines().find_map(|line| line.strip_prefix("Subject: "));
            let body = BASE64_MIME.decode(body.trim_end().as_bytes()).unwrap();
            mails.push((subject.unwrap().to_owned(), String::from_utf8(body).unwrap()));
        }
        mails
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
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_told_on_every_way_when_it_opens_at_half_and_when_it_is_over() {
    let mut scene = scene().await;
    scene.fail().await;
    scene.look(now()).await;
    // A reminder is for the log alone.
    scene.look(now() + 2.hours()).await;
    scene.look(now() + 60.hours()).await;
    scene.works(spot(), now() + 61.hours()).await;
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
    for accepted in mailed {
        let [shown] = <[_; 1]>::try_from(listed(&*scene.spool, Some(accepted.id)).await.0).unwrap();
        let shown = serde_json::to_value(shown).unwrap();
        assert_eq!(shown["sender"], "", "nothing is reported about it");
        assert_eq!(shown["recipients"][0]["address"], "postmaster@ops.example");
    }
    let mut subjects = Vec::new();
    for (subject, text) in scene.mails().await {
        let words = "its certificate matches none of its TLSA records";
        assert!(text.contains(words), "{text}");
        subjects.push(subject);
    }
    let expected =
        ["opened", "half", "closed"].map(|news| format!("[relay.test] incident {news}: mx.b.example"));
    assert_eq!(subjects, expected);
    assert!(scene.log.not_told().is_empty());
}

/// What a web server was not given comes with the next notice, and other ways do not wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_web_server_that_fails_is_tried_again_and_told_later() {
    let mut scene = scene().await;
    scene.web.put("/hook", Page::status(503));
    scene.fail().await;
    scene.look(now()).await;
    let told = scene.log.not_told();
    let again: Vec<(&str, bool)> = told.iter().map(|one| (one.key, one.again)).collect();
    assert_eq!(
        again,
        [true, true, true, false].map(|again| ("incidents.webhook", again))
    );
    assert!(told[0].error.contains("503"), "{told:?}");
    assert_eq!(scene.web.asked().len(), 4);
    scene.web.put("/hook", Page::status(204));
    scene.fail_at(at("mx.c.example")).await;
    // It rests for an hour.
    scene.look(now() + 59.minutes()).await;
    assert_eq!(scene.web.asked().len(), 4);
    scene.look(now() + 61.minutes()).await;
    let [posted, piped] = scene.heard(2).await;
    let names = |notice: &Value| -> Vec<String> {
        let incidents = notice["incidents"].as_array().unwrap().iter();
        let names = incidents.map(|one| one["incident"]["name"].as_str().unwrap().to_owned());
        names.collect()
    };
    assert_eq!(names(&posted[4]), ["mx.b.example", "mx.c.example"]);
    assert_eq!(
        piped.iter().map(names).collect::<Vec<_>>(),
        [["mx.b.example"], ["mx.c.example"]]
    );
    assert_eq!(scene.mailed.lock().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_server_that_says_nothing_keeps_neither_mail_nor_other_ways_waiting() {
    let mut scene = scene().await;
    scene.web.put("/hook", Page::Silence);
    scene.fail().await;
    scene.watch.look(now()).await.unwrap();
    scene.fail_at(at("mx.c.example")).await;
    while scene.mailed.lock().len() < 2 {
        scene.watch.look(now() + 1.minutes()).await.unwrap();
        sleep(SHORT).await;
    }
    // The first one is still being handed over.
    while scene.web.asked().is_empty() {
        sleep(SHORT).await;
    }
    assert_eq!(scene.web.asked().len(), 1);
}

/// However many there are: ten at once, then one each hour, with all that has come since.
/// The object that the manual shows.
fn documented() -> Value {
    let page = include_str!("../../../../docs/incidents.md");
    let (_, object) = page.split_once("```json\n").unwrap();
    serde_json::from_str(object.split_once("```").unwrap().0).unwrap()
}

/// The fields of an object, and of the first of each kind within it.
fn fields(notice: &Value) -> [Vec<String>; 4] {
    let inner = [&notice["counts"], &notice["incidents"][0], &notice["more"][0]];
    let names = |object: &Value| object.as_object().unwrap().keys().cloned().collect();
    let [counts, incident, more] = inner.map(names);
    [names(notice), counts, incident, more]
}

#[tokio::test(flavor = "multi_thread")]
async fn many_incidents_are_told_together() {
    let mut scene = scene().await;
    let when = |number: i64| now() + number.seconds();
    for number in 0..40 {
        scene.fail_at(at(&format!("mx.d{number}.example"))).await;
        scene.look(when(number)).await;
    }
    scene.works(at("mx.d39.example"), when(40)).await;
    scene.look(when(50)).await;
    assert_eq!(scene.mailed.lock().len(), 10);
    assert_eq!(scene.log.lines("opened"), 40, "the log has each at once");
    // Something of our own does not wait for that.
    let fault = mail::event::store::Store::Failed(mail::event::store::Failed::Write, "EIO".to_owned());
    scene.own.note(&Event::Store(fault));
    scene.look(when(60)).await;
    let subjects = |mails: &[(String, String)]| -> Vec<String> {
        mails
            .iter()
            .skip(10)
            .map(|(subject, _)| subject.clone())
            .collect()
    };
    let together = "[relay.test] 30 incidents opened, 1 closed";
    assert_eq!(subjects(&scene.mails().await), [together]);
    let (_, text) = scene.mails().await.remove(10);
    assert!(text.starts_with("30 incidents opened, 1 closed.\r\n"), "{text}");
    assert!(text.contains("The soonest deadlines"), "{text}");
    for number in 10..39 {
        assert!(
            text.contains(&format!(" mx.d{number}.example: ")),
            "{number}: {text}"
        );
    }
    let [posted, piped] = scene.heard(11).await;
    for notice in [&posted[10], &piped[10]] {
        assert_eq!(
            notice["counts"],
            serde_json::json!({"opened": 30, "half": 0, "closed": 1})
        );
        assert_eq!(
            ["incidents", "more"].map(|key| notice[key].as_array().unwrap().len()),
            [20, 11]
        );
        // Whatever has an id is told by it.
        let last = &notice["more"][10];
        assert_eq!(
            (&last["news"], &last["name"]),
            (&"closed".into(), &"mx.d39.example".into())
        );
        assert_eq!(notice["incidents"][0]["incident"]["kind"], "ours");
        assert_eq!(fields(notice), fields(&documented()));
    }
    // Half of the time has passed for all of them.
    for hours in 60..70 {
        scene.look(now() + hours.hours()).await;
    }
    let last = "[relay.test] 39 incidents at half of their time";
    assert_eq!(subjects(&scene.mails().await), [together, last]);
}

/// A stranger whose hosts all fail cannot fill the log.
#[tokio::test(flavor = "multi_thread")]
async fn hosts_of_one_domain_get_ten_lines_at_once_and_one_a_second() {
    let mut scene = scene().await;
    // Of one provider, but each with another trouble, or they would be one incident.
    for trouble in Trouble::ALL {
        let place = Place::Host(Domain::parse("mx.b.example").unwrap());
        scene.fail_at(Spot { place, trouble }).await;
    }
    let all = Trouble::ALL.len();
    assert!(scene.watch.look(now()).await.unwrap(), "there is more to be said");
    assert_eq!(scene.log.lines("opened"), 10);
    assert!(scene.watch.look(now() + 3.seconds()).await.unwrap());
    assert_eq!(scene.log.lines("opened"), 13);
    assert!(!scene.watch.look(now() + 60.seconds()).await.unwrap());
    assert!(scene.log.lines("opened") > 13);
    for seconds in 61..120 {
        scene.watch.look(now() + seconds.seconds()).await.unwrap();
    }
    assert_eq!(scene.log.lines("opened"), all);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_nothing_is_told_twice_and_nothing_is_left_out() {
    let mut scene = scene().await;
    let fault = mail::event::store::Store::Failed(mail::event::store::Failed::Write, "EIO".to_owned());
    scene.own.note(&Event::Store(fault));
    scene.fail().await;
    scene.look(now()).await;
    scene.works(spot(), now() + 1.minutes()).await;
    scene.restart();
    scene.look(now() + 2.minutes()).await;
    let subjects = async |scene: &Scene<_>| -> Vec<String> {
        scene
            .mails()
            .await
            .into_iter()
            .map(|(subject, _)| subject)
            .collect()
    };
    let opened = "[relay.test] 2 incidents opened".to_owned();
    let closed = "[relay.test] incident closed: mx.b.example".to_owned();
    assert_eq!(subjects(&scene).await, [opened.clone(), closed.clone()]);
    // What is wrong here may not have shown itself yet.
    scene.look(now() + 4.minutes()).await;
    assert_eq!(scene.mailed.lock().len(), 2);
    scene.look(now() + 8.minutes()).await;
    let mended = "[relay.test] incident closed: our spool".to_owned();
    assert_eq!(subjects(&scene).await, [opened, closed, mended]);
    scene.restart();
    scene.look(now() + 20.minutes()).await;
    assert_eq!(scene.mailed.lock().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_handed_over_when_the_relay_stops_is_not_told_again() {
    let mut scene = scene().await;
    scene.fail().await;
    scene.watch.look(now()).await.unwrap();
    scene.watch.write_down().await;
    scene.restart();
    scene.look(now() + 1.minutes()).await;
    assert_eq!(scene.mailed.lock().len(), 1);
}

/// What was wrong before the start is over only if that has been seen.
#[tokio::test(flavor = "multi_thread")]
async fn a_resolver_that_failed_before_the_start_is_not_mended_by_the_start() {
    let mut scene = scene().await;
    scene.own.note(&Event::Resolver(ResolverEvent::Tested {
        dns: "validate",
        finding: Finding::Failing("SERVFAIL".to_owned()),
        servers: String::new(),
    }));
    let (place, trouble) = (Place::Resolver, Trouble::ResolverFails);
    scene.fail_at(Spot { place, trouble }).await;
    scene.look(now()).await;
    scene.restart();
    scene.look(now() + 10.minutes()).await;
    assert_eq!(scene.ended().await, None, "it was not tested yet");
    scene.look(now() + 17.minutes()).await;
    let (_, ending) = scene.ended().await.unwrap();
    assert_eq!(ending, Ending::Tested);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_is_set_anew_is_told_what_is_open() {
    let mut scene = scene().await;
    let all = ways(&scene.web, &scene.directory);
    scene.settings.store(Arc::new(Incidents {
        mail: Optional(None),
        ..all.clone()
    }));
    scene.fail_at(at("mx.over.example")).await;
    scene.fail().await;
    scene.look(now()).await;
    scene.works(at("mx.over.example"), now() + 1.minutes()).await;
    scene.look(now() + 2.minutes()).await;
    assert!(scene.mailed.lock().is_empty());
    scene.settings.store(Arc::new(all));
    for minutes in 3..6 {
        scene.look(now() + minutes.minutes()).await;
    }
    let subjects: Vec<String> = scene
        .mails()
        .await
        .into_iter()
        .map(|(subject, _)| subject)
        .collect();
    assert_eq!(subjects, ["[relay.test] incident opened: mx.b.example"]);
}

/// What comes and goes is told when it begins, when it seems to be over, when it is back, and once more at the end.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_ours_and_comes_and_goes_is_over_after_an_hour_without_it() {
    let mut scene = scene().await;
    let full = Event::Spool(event::spool::Spool::Full {
        client: [192, 0, 2, 1].into(),
        error: "no room".to_owned(),
    });
    let accepting = Event::Spool(event::spool::Spool::Accepting {
        refused: 1,
        lasted: Duration::ZERO,
    });
    for minutes in 0..20 {
        let event = if minutes % 2 == 0 { &full } else { &accepting };
        scene.own.note(event);
        scene.look(now() + (5 * minutes).minutes()).await;
    }
    let told = |scene: &Scene<_>| (scene.log.lines("opened"), scene.log.lines("closed"));
    assert_eq!(told(&scene), (2, 1));
    assert_eq!(scene.mailed.lock().len(), 3);
    scene.look(now() + 154.minutes()).await;
    assert_eq!(told(&scene), (2, 1));
    scene.look(now() + 156.minutes()).await;
    assert_eq!(told(&scene), (2, 2));
    assert_eq!(scene.mailed.lock().len(), 4);
    // Much later it is another one.
    scene.own.note(&full);
    scene.look(now() + 400.minutes()).await;
    assert_eq!(told(&scene), (3, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_is_not_over_because_nobody_has_sent_anything() {
    let mut scene = scene().await;
    scene.own.note(&Event::Spool(event::spool::Spool::Full {
        client: [192, 0, 2, 1].into(),
        error: "no room".to_owned(),
    }));
    scene.look(now()).await;
    scene.restart();
    for hours in 1..24 {
        scene.look(now() + hours.hours()).await;
    }
    assert_eq!(scene.mailed.lock().len(), 1);
    scene.look(now() + 26.hours()).await;
    assert_eq!(scene.mailed.lock().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_well_again_is_told_once_when_the_daily_test_is_complete() {
    let mut scene = scene().await;
    let healed = |name: &str, since| Healed {
        kind: ExceptedKind::Domain,
        name: name.parse().unwrap(),
        meaning: Meaning::Dane(DaneMode::Off),
        until: None,
        exception_reason: None,
        source: "fail.list".to_owned(),
        place: "fail.list:7".to_owned(),
        since,
        reason: "DANE is verified".to_owned(),
    };
    let mut tests = Tests {
        healed: vec![healed("a.example", now())],
        closed: Vec::new(),
        tested: None,
    };
    scene.standing.tested(tests.clone());
    scene.look(now()).await;
    assert!(scene.mailed.lock().is_empty(), "the test goes on");
    tests.tested = Some(now() + 1.minutes());
    tests.closed.push(healed("b.example", now()));
    scene.standing.tested(tests.clone());
    scene.look(now() + 2.minutes()).await;
    scene.look(now() + 3.minutes()).await;
    let mails = scene.mails().await;
    let [(subject, text)] = &mails[..] else {
        panic!("{mails:?}")
    };
    assert_eq!(
        subject,
        "[relay.test] 2 entries of danefail lists are not needed any more"
    );
    assert!(
        text.contains("domain a.example  fail.list:7  DANE is verified\r\n"),
        "{text}"
    );
    assert!(
        text.contains("domain b.example  fail.list:7  DANE is verified; removed\r\n"),
        "{text}"
    );
    for heard in scene.heard(1).await {
        assert_eq!(heard[0]["healed"][0]["name"], "b.example");
        assert_eq!(heard[0]["healed"][0]["removed"], true);
    }
    scene.restart();
    tests.tested = Some(now() + 24.hours());
    scene.standing.tested(tests.clone());
    scene.look(now() + 25.hours()).await;
    assert_eq!(scene.mailed.lock().len(), 1, "nothing is new");
    tests.healed.push(healed("c.example", now() + 40.hours()));
    tests.tested = Some(now() + 48.hours());
    scene.standing.tested(tests);
    scene.look(now() + 49.hours()).await;
    let (subject, _) = scene.mails().await.remove(1);
    assert_eq!(
        subject,
        "[relay.test] 1 entry of danefail lists is not needed any more"
    );
}
