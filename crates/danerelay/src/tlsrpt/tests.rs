//! Days of reports, with a real spool, real DNS and a real web server; only the date is said by the test.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;

use arc_swap::ArcSwap;
use data_encoding::BASE64;
use delivery::SessionWatch as _;
use delivery::route::StsLookups;
use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use mail::event::tlsrpt::{ReportEnd, TlsReport};
use mail::{Domain, Event, EventLog, Mailbox, Status, TlsPolicy, TlsSession};
use parking_lot::Mutex;
use rustls::ClientConfig;
use spool::contract::{commit, message, settlement, take};
use spool::{Outcomes, Running as _, Spool, Store};
use testworld::RecordType;
use testworld::dns::World;
use testworld::mail::Identity;
use testworld::web::{Page, WebServer};
use tlsrpt::post::Reach;
use tlsrpt::{Reporter, Signer};

use super::{NotSent, Paces, Schedule, Sender, Signing, UnderWay};
use crate::config::Config;
use crate::fixtures::resolver;
use crate::wiring::store;

const DAY: Date = date(2026, 3, 1);

#[derive(Default)]
struct Kept(Mutex<Vec<TlsReport>>);

impl EventLog for Kept {
    fn write(&self, event: &Event) {
        match event {
            Event::TlsReport(report) => self.0.lock().push(report.clone()),
            other => panic!("{other:?}"),
        }
    }
}

struct Play {
    world: World,
    directory: tempfile::TempDir,
    log: Arc<Kept>,
    queued: Arc<Mutex<Vec<String>>>,
}

impl Play {
    async fn new() -> Self {
        let world = World::start().await.unwrap();
        world.domain("test").signed().add().unwrap();
        Self {
            world,
            directory: tempfile::tempdir().unwrap(),
            log: Arc::default(),
            queued: Arc::default(),
        }
    }

    fn publish(&self, domain: &str, rua: &str) {
        let (name, record) = (
            format!("_smtp._tls.{domain}"),
            format!("\"v=TLSRPTv1; rua={rua}\""),
        );
        self.world.set(&name, RecordType::TXT, &[&record]).unwrap();
    }

    async fn spool(&self) -> Arc<impl Store + use<>> {
        let mut config = Config::default();
        config.spool.path = self.directory.path().to_owned();
        config.limits.spool_free.0 = 0;
        store::open(&config, Arc::new(())).await.unwrap()
    }

    fn lookups(&self) -> Arc<StsLookups> {
        Arc::new(StsLookups {
            resolver: resolver(&self.world),
            ignored: Vec::new(),
        })
    }

    /// As after a start of the daemon.
    fn schedule<S: Store>(&self, spool: &Arc<S>) -> Schedule<S> {
        Schedule::new(self.sender(spool), "relay.test".to_owned())
    }

    fn sender<S: Store>(&self, spool: &Arc<S>) -> Arc<Sender<S>> {
        let mailbox = |text| Mailbox::parse(text).unwrap();
        let queued = Arc::clone(&self.queued);
        Arc::new(Sender {
            spool: Arc::clone(spool),
            lookups: self.lookups(),
            client: https::Client::of_any_server(&client()),
            reporter: Reporter::new("A", &mailbox("a@relay.test"), &mailbox("a@relay.test")).unwrap(),
            signing: ArcSwap::from_pointee(Signing::Key(Box::new(signer()))),
            reach: Reach::Anywhere,
            accepted: Box::new(move |accepted| {
                let to = accepted.pending.first().unwrap().next_hop.to_string();
                queued.lock().push(to);
            }),
            events: Arc::<Kept>::clone(&self.log),
            paces: Paces::default(),
            under_way: UnderWay::default(),
        })
    }

    /// What became of reports since this was last asked, `domain end`.
    fn ends(&self) -> Vec<String> {
        let reports = std::mem::take(&mut *self.log.0.lock());
        let mut ends: Vec<String> = reports
            .iter()
            .map(|report| {
                let end = match &report.end {
                    ReportEnd::Queued(..) => "queued",
                    ReportEnd::Posted(_) => "sent",
                    ReportEnd::Failed(_) => "failed",
                    ReportEnd::Dropped(_) => "dropped",
                };
                format!("{} {end}", report.domain)
            })
            .collect();
        ends.sort();
        ends
    }
}

fn client() -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

fn signer() -> Signer {
    let mut der = vec![
        0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
    ];
    der.extend([7; 32]);
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        BASE64.encode(&der)
    );
    Signer::from_pem(&Domain::parse("relay.test").unwrap(), "tls", pem.as_bytes()).unwrap()
}

/// So long after the end of the day.
fn after(hours: i64) -> Timestamp {
    "2026-03-02T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours)
}

/// Counts a session to each of these domains, as a delivery of that day settles it.
async fn count<S: Spool>(spool: &S, domains: &[&str]) {
    let accepted = commit(spool, message(&["a@b.example"]), b"x").await.unwrap();
    let sessions = domains.iter().map(|domain| {
        let domain = Domain::parse(domain).unwrap();
        TlsSession {
            at: "2026-03-01T12:00:00Z".parse().unwrap(),
            destination: domain.clone(),
            policy: TlsPolicy::None { domain },
            failure: None,
        }
    });
    let outcomes = Outcomes {
        settlements: vec![settlement(0, Status::Sent, None)],
        tls: sessions.collect(),
        ..Outcomes::default()
    };
    let lease = take(spool, &accepted.pending[0]).await;
    spool.settle(lease, outcomes, after(-1)).await.unwrap();
}

async fn left<S: Store>(spool: &S) -> Vec<String> {
    let found = spool.tls_domains(DAY, None, 1000).await.unwrap();
    found.into_iter().map(|one| one.domain.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_reported_once_across_restarts() {
    let play = Play::new().await;
    let spool = play.spool().await;
    play.publish("mail.test", "mailto:reports@elsewhere.test");
    play.publish("odd.test", "ftp://a.test/");
    play.world
        .set(
            "_smtp._tls.broken.test",
            RecordType::TXT,
            &["\"v=TLSRPTv1; rua\""],
        )
        .unwrap();
    count(&*spool, &["mail.test", "none.test", "odd.test", "broken.test"]).await;
    let mut schedule = play.schedule(&spool);
    // Nothing before the day is over, nor within an hour after it.
    for hours in [-1, 0] {
        schedule.look(after(hours)).await.unwrap();
        assert_eq!((left(&*spool).await.len(), play.ends()), (4, Vec::new()));
    }
    schedule.look(after(4)).await.unwrap();
    assert_eq!(
        play.ends(),
        ["broken.test dropped", "mail.test queued", "odd.test dropped"]
    );
    assert_eq!(*play.queued.lock(), ["elsewhere.test"]);
    assert_eq!(left(&*spool).await, Vec::<String>::new());
    assert_eq!(spool.pending(None, 9).await.unwrap().len(), 1);
    drop(schedule);
    spool.close().await.unwrap();
    let spool = play.spool().await;
    play.schedule(&spool).look(after(5)).await.unwrap();
    assert_eq!(play.ends(), Vec::<String>::new());
    assert_eq!(spool.pending(None, 9).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sent_is_tried_for_a_day() {
    let play = Play::new().await;
    let spool = play.spool().await;
    let server = WebServer::start(&Identity::self_signed(&["a.test"]).unwrap())
        .await
        .unwrap();
    server.put("/", Page::status(503));
    play.publish("web.test", &format!("https://{}/", server.address()));
    count(&*spool, &["web.test"]).await;
    let mut schedule = play.schedule(&spool);
    let minute = SignedDuration::from_mins(1);
    let mut now = after(4);
    while now < after(29) {
        schedule.look(now).await.unwrap();
        now += minute * 5;
    }
    let ends = play.ends();
    // After 15 and 30 minutes, one, two and then always four hours.
    assert!(
        (8..=11).contains(&server.asked().len()),
        "{}",
        server.asked().len()
    );
    assert_eq!(
        ends.iter().filter(|end| *end == "web.test dropped").count(),
        1,
        "{ends:?}"
    );
    assert_eq!(left(&*spool).await, Vec::<String>::new());

    // One that works again meanwhile.
    count(&*spool, &["web.test"]).await;
    let mut schedule = play.schedule(&spool);
    schedule.look(after(4)).await.unwrap();
    assert_eq!(play.ends(), ["web.test failed"]);
    server.put("/", Page::status(201));
    schedule.look(after(4) + minute).await.unwrap();
    assert_eq!(play.ends(), Vec::<String>::new(), "not yet");
    // The looks themselves took a moment.
    schedule.look(after(4) + minute * 16).await.unwrap();
    assert_eq!(play.ends(), ["web.test sent"]);
    let asked = server.asked();
    let [.., failed, taken] = asked.as_slice() else {
        panic!("{asked:?}")
    };
    assert_eq!(failed, taken, "the same report");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_operator_gets_so_many_reports_a_minute() {
    let play = Play::new().await;
    let spool = play.spool().await;
    let domains: Vec<String> = (0..70).map(|number| format!("d{number}.test")).collect();
    for domain in &domains {
        play.publish(domain, "mailto:reports@one.test");
    }
    count(&*spool, &domains.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut schedule = play.schedule(&spool);
    schedule.look(after(4)).await.unwrap();
    assert_eq!(play.queued.lock().len(), 60);
    schedule.look(after(5)).await.unwrap();
    assert_eq!(play.queued.lock().len(), 70);
    assert_eq!(left(&*spool).await, Vec::<String>::new());
}

/// Ordered twice at the same moment, it is sent once, and the second is told so.
#[tokio::test(flavor = "multi_thread")]
async fn one_report_is_not_sent_twice_at_the_same_time() {
    let play = Play::new().await;
    let spool = play.spool().await;
    play.publish("mail.test", "mailto:reports@elsewhere.test");
    count(&*spool, &["mail.test"]).await;
    let (sender, domain) = (play.sender(&spool), Domain::parse("mail.test").unwrap());
    let send = || sender.send(DAY, &domain, after(4));
    let (first, second) = tokio::join!(send(), send());
    assert!(first.is_ok(), "{first:?}");
    assert!(matches!(second, Err(NotSent::UnderWay(_))), "{second:?}");
    assert_eq!(play.queued.lock().len(), 1);
    assert!(matches!(send().await, Err(NotSent::Nothing(_))));
}

/// A key that cannot be read makes reports wait; others go by the web meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn reports_wait_for_a_key_that_can_be_read() {
    let play = Play::new().await;
    let spool = play.spool().await;
    play.publish("mail.test", "mailto:reports@elsewhere.test");
    count(&*spool, &["mail.test"]).await;
    let sender = play.sender(&spool);
    sender.signing.store(Arc::new(Signing::Unreadable(
        "tlsrpt.pem: no permission".to_owned(),
    )));
    let mut schedule = Schedule::new(Arc::clone(&sender), "relay.test".to_owned());
    for hours in 4..20 {
        schedule.look(after(hours)).await.unwrap();
    }
    // That there is no key is said once, and not for each report and try.
    assert_eq!(play.ends(), [""; 0]);
    sender.signing.store(Arc::new(Signing::Key(Box::new(signer()))));
    schedule.look(after(20)).await.unwrap();
    assert_eq!(play.ends(), ["mail.test queued"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_of_the_site_is_given_results() {
    let play = Play::new().await;
    play.publish("a.test", "mailto:a@a.test");
    let path = play.directory.path().join("collector");
    let socket = tokio::net::UnixDatagram::bind(&path).unwrap();
    let lookups = play.lookups();
    let events: Arc<dyn EventLog> = Arc::<Kept>::clone(&play.log);
    let (collector, forwarder) = super::collector(path, lookups, events).unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let forwarder = tokio::spawn(forwarder.run(stopped));
    let session = |name: &str| {
        let domain = Domain::parse(name).unwrap();
        TlsSession {
            at: after(0),
            destination: domain.clone(),
            policy: TlsPolicy::None { domain },
            failure: None,
        }
    };
    // Of a domain that publishes no record nobody wants to know.
    collector.seen(&[session("b.test")]);
    collector.seen(&[session("a.test")]);
    let mut octets = vec![0; 1 << 16];
    let length = socket.recv(&mut octets).await.unwrap();
    let told: serde_json::Value = serde_json::from_slice(&octets[..length]).unwrap();
    assert_eq!(
        (&told["d"], &told["pr"]),
        (&"a.test".into(), &"v=TLSRPTv1; rua=mailto:a@a.test".into())
    );
    assert_eq!(told["policies"][0]["policy-type"], 9);
    assert_eq!(told["policies"][0]["f"], 0);
    stop.send(true).unwrap();
    forwarder.await.unwrap();
}
