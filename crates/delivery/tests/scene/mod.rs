//! A scene for delivery tests: a signed DNS tree, receiving servers, a spool on disk and the whole delivery side.

#![allow(unreachable_pub, missing_docs, dead_code)]

pub mod common;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use delivery::{DeliveryConfig, RetrySchedule, SchedulerHandle, Surroundings, Timeouts, TlsClient};
use dns::{Mode, Resolver, ResolverConfig, TrustAnchors};
use jiff::Timestamp;
use mail::event::Value;
use mail::{BodyType, Envelope, Event, EventLog, Mailbox, QueueId, ReversePath};
use policy::{Policy, Sources, Text};
use spool::{EmbeddedSpool, NewMessage, Options, Spool};
use testworld::dns::World;
use testworld::mail::{Ca, Identity, MailFault, Receiver};
use tokio::sync::watch;

/// How long anything here may take.
pub const LIMIT: Duration = Duration::from_secs(20);

/// Collects events.
#[derive(Default)]
pub struct Log(Mutex<Vec<Event>>);

impl EventLog for Log {
    fn write(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// One delivery line, by field, as text.
pub type Line = HashMap<&'static str, String>;

pub struct Scene {
    pub world: World,
    pub ca: Ca,
    /// The port that all receivers share.
    pub port: u16,
    policy: Arc<ArcSwap<Policy>>,
    spool: Arc<EmbeddedSpool>,
    log: Arc<Log>,
    scheduler: SchedulerHandle,
    stop: watch::Sender<bool>,
    _directory: tempfile::TempDir,
}

/// What a test may choose before the start.
pub struct Setting {
    pub retry: Vec<Duration>,
    pub max_age: Duration,
    pub bounce_max_age: Duration,
    pub mode: Mode,
    /// Addresses and ports at which the relay is said to listen.
    pub listen: Vec<SocketAddr>,
    /// Whether the scene's own authority counts as one of the WebPKI.
    pub webpki: bool,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            retry: vec![Duration::from_hours(1)],
            max_age: Duration::from_hours(120),
            bounce_max_age: Duration::from_hours(120),
            mode: Mode::Validate,
            listen: Vec::new(),
            webpki: false,
        }
    }
}

impl Scene {
    pub async fn new(policy: &str) -> Self {
        Self::with(policy, Setting::default()).await
    }

    pub async fn with(policy: &str, setting: Setting) -> Self {
        let world = World::start().await.unwrap();
        world.domain("test").signed().add().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let options = Options {
            spool_free: 0,
            ..Options::default()
        };
        let spool = Arc::new(EmbeddedSpool::open(directory.path(), options).await.unwrap());
        let log = Arc::new(Log::default());
        let addresses: Vec<IpAddr> = (2..10).map(|last| IpAddr::from([127, 0, 0, last])).collect();
        let port = testworld::mail::free_port_on(&addresses).unwrap();
        let policy = Arc::new(ArcSwap::from_pointee(compile(policy)));
        let ca = Ca::new("Scene CA").unwrap();
        let (stop, stopped) = watch::channel(false);
        let surroundings = Surroundings {
            spool: Arc::clone(&spool),
            resolver: resolver(&world, setting.mode),
            policy: Arc::clone(&policy),
            tls: tls(setting.webpki.then_some(&ca)),
            events: Arc::clone(&log) as Arc<dyn EventLog>,
        };
        let (scheduler, _task) = delivery::start(config(port, setting), surroundings, stopped).unwrap();
        Self {
            world,
            ca,
            port,
            policy,
            spool,
            log,
            scheduler,
            stop,
            _directory: directory,
        }
    }

    /// A receiver at 127.0.0.`last`.
    pub async fn receiver(&self, last: u8, identity: &Identity, faults: Vec<MailFault>) -> Receiver {
        let address = SocketAddr::from(([127, 0, 0, last], self.port));
        let mut builder = Receiver::builder("mx.test").address(address).identity(identity);
        for fault in faults {
            builder = builder.fault(fault);
        }
        builder.start().await.unwrap()
    }

    /// `NAME.test`, signed, with one MX host `mx.NAME.test` whose TLSA record is given.
    pub fn domain(&self, name: &str, receiver: &Receiver, tlsa: &str) {
        let host = format!("mx.{name}.test");
        let domain = self
            .world
            .domain(&format!("{name}.test"))
            .signed()
            .mx(10, &host, receiver.address());
        domain.tlsa(tlsa).add().unwrap();
    }

    pub fn identity(&self, name: &str) -> Identity {
        self.ca.issue(&[name]).unwrap()
    }

    pub fn set_policy(&self, policy: &str) {
        self.policy.store(Arc::new(compile(policy)));
    }

    /// Queues a message and waits until each recipient has a line.
    pub async fn send(&self, recipients: &[&str], content: &[u8]) -> Vec<Line> {
        let id = self.queue(recipients, content, Timestamp::now()).await;
        self.lines(id, recipients.len()).await
    }

    pub async fn send_to(&self, recipient: &str) -> Line {
        self.send(&[recipient], b"Subject: scene\r\n\r\nhello\r\n")
            .await
            .remove(0)
    }

    pub async fn queue(&self, recipients: &[&str], content: &[u8], created: Timestamp) -> QueueId {
        self.queue_from("sender@origin.test", recipients, content, created)
            .await
    }

    pub async fn queue_from(
        &self,
        sender: &str,
        recipients: &[&str],
        content: &[u8],
        created: Timestamp,
    ) -> QueueId {
        let eight_bit = content.iter().any(|octet| *octet > 127);
        let envelope = Envelope {
            reverse_path: ReversePath::parse(sender).unwrap(),
            recipients: recipients
                .iter()
                .map(|one| Mailbox::parse(one).unwrap())
                .collect(),
            body: if eight_bit {
                BodyType::EightBitMime
            } else {
                BodyType::SevenBit
            },
        };
        let mut incoming = self.spool.create().unwrap();
        incoming.append(content).await.unwrap();
        let id = QueueId::generate();
        let accepted = self
            .spool
            .commit(
                incoming,
                NewMessage {
                    id,
                    envelope,
                    created,
                },
            )
            .await
            .unwrap();
        self.scheduler.accepted(accepted.pending);
        id
    }

    /// The first `count` lines about a message.
    pub async fn lines(&self, id: QueueId, count: usize) -> Vec<Line> {
        let began = Instant::now();
        loop {
            let lines = self.lines_so_far(id);
            if lines.len() >= count {
                return lines;
            }
            assert!(began.elapsed() < LIMIT, "only {lines:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub fn lines_so_far(&self, id: QueueId) -> Vec<Line> {
        let events = self.log.0.lock().unwrap();
        let about = |event: &&Event| {
            event.name == "delivery" && event.field("id") == Some(&Value::Word(id.to_string()))
        };
        events.iter().filter(about).map(fields).collect()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
    }
}

fn fields(event: &Event) -> Line {
    let text = |value: &Value| match value {
        Value::Absent => "-".to_owned(),
        Value::Word(text) | Value::Quoted(text) | Value::Address(text) | Value::Path(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Seconds(time) => time.as_secs_f64().to_string(),
        Value::Stages(stages) => format!("{stages:?}"),
    };
    event
        .fields
        .iter()
        .map(|(key, value)| (*key, text(value)))
        .collect()
}

fn compile(text: &str) -> Policy {
    let text = Text {
        file: Path::new("policy.toml"),
        text,
    };
    let read = |path: &Path| match path.to_str() {
        Some("danefail.list") => Ok("# broken since spring\nlisted.test # stale record\n".to_owned()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    };
    Policy::compile(&Sources {
        policy: text,
        added: None,
        read: &read,
    })
    .unwrap()
    .0
}

fn resolver(world: &World, mode: Mode) -> Resolver {
    if mode == Mode::TrustAd {
        world.set_role(testworld::dns::Role::Validator);
    }
    let config = ResolverConfig {
        mode,
        servers: vec![world.address().into()],
        trust_anchors: TrustAnchors::parse(&world.trust_anchor_ds().unwrap()).unwrap(),
        domain_insecure: Vec::new(),
        timeout: Duration::from_secs(5),
        cache_entries: 1000,
    };
    Resolver::new(config).unwrap()
}

fn tls(webpki: Option<&Ca>) -> TlsClient {
    use dane::{ClientConfigs, Group, MinimumVersion, WebPki, provider};
    let provider = Arc::new(provider(&[Group::X25519, Group::P256]));
    let webpki = webpki.map(|ca| {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(ca.certificate().clone()).unwrap();
        WebPki::new(Arc::new(roots), &provider).unwrap()
    });
    TlsClient::new(
        ClientConfigs::new(provider, MinimumVersion::Tls12).unwrap(),
        webpki,
    )
}

fn config(port: u16, setting: Setting) -> DeliveryConfig {
    let second = Duration::from_secs(2);
    DeliveryConfig {
        hostname: "relay.test".to_owned(),
        port,
        source_addresses: Vec::new(),
        connections: 10,
        connections_per_destination: 5,
        connections_per_host: 5,
        own_names: vec!["own.relay.test".parse().unwrap()],
        own_addresses: Vec::new(),
        listen: setting.listen,
        address_family: dns::host::AddressFamily::Any,
        retry: RetrySchedule {
            delays: setting.retry,
            max_age: setting.max_age,
            bounce_max_age: setting.bounce_max_age,
        },
        timeouts: Timeouts {
            connect: second,
            banner: second,
            ehlo: second,
            starttls: second,
            mail: second,
            rcpt: second,
            data: second,
            body: second,
            final_dot: second,
            rset: second,
            quit: second,
        },
        postmaster: None,
    }
}
