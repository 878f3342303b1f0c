//! A scene for delivery tests: a signed DNS tree, receiving servers, a spool on disk and the whole delivery side.

#![allow(clippy::disallowed_types, reason = "the time that really passes is meant")]
#![allow(unreachable_pub, missing_docs, dead_code)]

pub mod common;
mod log;
pub mod memory;
pub mod surroundings;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use delivery::{Clock, Reuse, SchedulerHandle, Surroundings, SystemClock, Timeouts, Traces};
use dns::Mode;
use dns::host::AddressFamily;
use ipnet::IpNet;
use jiff::Timestamp;
use mail::{BodyType, Envelope, EventLog, MailParameters, Mailbox, QueueId, Recipient, ReversePath};
use policy::Policy;
use spool::{NewMessage, Spool};
use spool_embedded::{EmbeddedSpool, Options};
use testworld::dns::World;
use testworld::mail::{Ca, Identity, MailFault, Receiver};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use log::{Line, Log};
use surroundings::{compile, config, policies, resolver, tls};

/// How long anything here may take.
pub const LIMIT: Duration = Duration::from_secs(20);

pub struct Scene {
    pub world: World,
    pub ca: Ca,
    /// The port that all receivers share.
    pub port: u16,
    pub spool: Arc<EmbeddedSpool>,
    policy: Arc<ArcSwap<Policy>>,
    log: Arc<Log>,
    setting: Setting,
    scheduler: OnceLock<SchedulerHandle>,
    delivery: Mutex<Option<JoinHandle<()>>>,
    stop: watch::Sender<bool>,
    pub directory: tempfile::TempDir,
    /// Who is told what happens in deliveries.
    pub traces: Arc<Traces>,
}

/// What a test may choose before the start.
pub struct Setting {
    pub retry: Vec<Duration>,
    pub max_age: Duration,
    pub bounce_max_age: Duration,
    pub delay_warning: Option<Duration>,
    pub mode: Mode,
    /// Addresses and ports at which the relay is said to listen.
    pub listen: Vec<SocketAddr>,
    /// Which addresses of hosts are used.
    pub address_family: AddressFamily,
    /// Networks to which no MX record may lead; the receivers of a scene are on loopback.
    pub ignore_addresses: Vec<IpNet>,
    /// Where connections are made from, if the system does not choose.
    pub source_addresses: Vec<IpAddr>,
    /// Whether the scene's own authority counts as one of the WebPKI.
    pub webpki: bool,
    /// The port of the hosts of MTA-STS policies, whose certificates are of the scene's own authority; without one, nothing
    /// is made of such policies.
    pub policy_hosts: Option<u16>,
    /// Key exchange groups that are offered.
    pub groups: Vec<dane::Group>,
    pub connections: usize,
    pub connections_per_destination: usize,
    pub connections_per_host: usize,
    /// Connections are kept for the next message only where a test says so: faults apply to new ones.
    pub reuse: Reuse,
    /// How long each stage of a session may take.
    pub stage_limit: Duration,
    /// The same one by one, if that matters.
    pub timeouts: Option<Timeouts>,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            retry: vec![Duration::from_hours(1)],
            max_age: Duration::from_hours(120),
            bounce_max_age: Duration::from_hours(120),
            delay_warning: None,
            mode: Mode::Validate,
            listen: Vec::new(),
            address_family: AddressFamily::Any,
            ignore_addresses: Vec::new(),
            source_addresses: Vec::new(),
            webpki: false,
            policy_hosts: None,
            groups: vec![dane::Group::X25519, dane::Group::P256],
            connections: 10,
            connections_per_destination: 5,
            connections_per_host: 5,
            reuse: Reuse {
                messages: 1,
                time: Duration::from_mins(5),
                idle: Duration::from_secs(5),
            },
            stage_limit: Duration::from_secs(2),
            timeouts: None,
        }
    }
}

impl Setting {
    /// Connections are kept for the next message as they are by default.
    pub fn reusing() -> Self {
        Self {
            reuse: Reuse {
                messages: 100,
                time: Duration::from_mins(5),
                idle: Duration::from_secs(5),
            },
            ..Self::default()
        }
    }
}

impl Scene {
    pub async fn new(policy: &str) -> Self {
        Self::with(policy, Setting::default()).await
    }

    pub async fn with(policy: &str, setting: Setting) -> Self {
        let scene = Self::asleep(policy, setting).await;
        scene.start();
        scene
    }

    /// A scene in which nothing is delivered before [`Scene::start`].
    pub async fn asleep(policy: &str, setting: Setting) -> Self {
        let world = World::start().await.unwrap();
        world.domain("test").signed().add().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let options = Options {
            spool_free: 0,
            ..Options::default()
        };
        let spool = Arc::new(
            EmbeddedSpool::open(directory.path(), options, Arc::new(()))
                .await
                .unwrap(),
        );
        let addresses: Vec<IpAddr> = (2..10).map(|last| IpAddr::from([127, 0, 0, last])).collect();
        Self {
            world,
            ca: Ca::new("Scene CA").unwrap(),
            port: testworld::mail::free_port_on(&addresses).unwrap(),
            spool,
            policy: Arc::new(ArcSwap::from_pointee(compile(policy))),
            log: Arc::default(),
            setting,
            scheduler: OnceLock::new(),
            delivery: Mutex::default(),
            stop: watch::channel(false).0,
            directory,
            traces: Arc::default(),
        }
    }

    /// The relay is said to listen there.
    pub fn listening_at(mut self, address: SocketAddr) -> Self {
        self.setting.listen.push(address);
        self
    }

    /// Starts the delivery side.
    pub fn start(&self) {
        let surroundings = Surroundings {
            spool: Arc::clone(&self.spool),
            resolver: resolver(&self.world, self.setting.mode),
            mta_sts: self
                .setting
                .policy_hosts
                .map(|port| policies(&self.world, &self.ca, port, &self.log)),
            policy: Arc::clone(&self.policy),
            tls: tls(self.setting.webpki.then_some(&self.ca), &self.setting.groups),
            events: Arc::clone(&self.log) as Arc<dyn EventLog>,
            clock: Arc::new(SystemClock) as Arc<dyn Clock>,
            incidents: Arc::default(),
            sessions: Arc::new(()),
            traces: Arc::clone(&self.traces),
        };
        let config = config(self.port, &self.setting);
        let (scheduler, task) = delivery::start(config, surroundings, self.stop.subscribe()).unwrap();
        self.scheduler.set(scheduler).unwrap();
        *self.delivery.lock().unwrap() = Some(task);
    }

    /// Stops the delivery side, and waits until it has ended.
    pub async fn stop(&self) {
        self.stop.send(true).unwrap();
        let task = self.delivery.lock().unwrap().take();
        tokio::time::timeout(LIMIT, task.unwrap()).await.unwrap().unwrap();
    }

    pub fn scheduler(&self) -> &SchedulerHandle {
        self.scheduler.get().unwrap()
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

    /// As [`Scene::receiver`], without faults, and with these extensions beside the usual ones.
    pub async fn receiver_with(&self, last: u8, identity: &Identity, extensions: &[&str]) -> Receiver {
        let address = SocketAddr::from(([127, 0, 0, last], self.port));
        let mut builder = Receiver::builder("mx.test").address(address).identity(identity);
        for extension in extensions {
            builder = builder.extension(extension);
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
        self.queue_envelope(envelope(sender, recipients, content), content, created)
            .await
    }

    /// Queues a message as it is, and has it delivered if the delivery side has been started.
    pub async fn queue_envelope(&self, envelope: Envelope, content: &[u8], created: Timestamp) -> QueueId {
        let id = QueueId::generate();
        let message = NewMessage {
            id,
            envelope,
            created,
        };
        self.commit(message, content).await;
        id
    }

    /// Queues a message under an id that is known before.
    pub async fn queue_as(&self, id: QueueId, recipient: &str) {
        let content = common::LETTER;
        let message = NewMessage {
            id,
            envelope: envelope("sender@origin.test", &[recipient], content),
            created: Timestamp::now(),
        };
        self.commit(message, content).await;
    }

    async fn commit(&self, message: NewMessage, content: &[u8]) {
        let mut incoming = self.spool.create().unwrap();
        incoming.append(content).await.unwrap();
        let accepted = self.spool.commit(incoming, message).await.unwrap();
        if let Some(scheduler) = self.scheduler.get() {
            scheduler.schedule(accepted.pending);
        }
    }

    /// The first `count` lines about a message.
    pub async fn lines(&self, id: QueueId, count: usize) -> Vec<Line> {
        so_many(count, || self.lines_so_far(id)).await
    }

    pub fn lines_so_far(&self, id: QueueId) -> Vec<Line> {
        self.log.about(id)
    }

    /// All events of this name so far.
    pub fn events(&self, name: &str) -> Vec<Line> {
        self.log.events(name)
    }

    /// Waits for so many events of this name.
    pub async fn wait_for_events(&self, name: &str, count: usize) -> Vec<Line> {
        so_many(count, || self.events(name)).await
    }

    /// The messages of which there is something to tell.
    pub async fn unreported(&self) -> Vec<QueueId> {
        self.spool.unreported().await.unwrap()
    }

    /// Waits until nothing is left to deliver or to tell.
    pub async fn wait_until_empty(&self) {
        let began = Instant::now();
        while !self.spool.pending(None, 1).await.unwrap().is_empty() || !self.unreported().await.is_empty() {
            assert!(began.elapsed() < LIMIT);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Waits until there are so many.
async fn so_many(count: usize, lines: impl Fn() -> Vec<Line>) -> Vec<Line> {
    let began = Instant::now();
    loop {
        let lines = lines();
        if lines.len() >= count {
            return lines;
        }
        assert!(began.elapsed() < LIMIT, "only {lines:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// An envelope of which nothing is asked; the body is what the content is.
pub fn envelope(sender: &str, recipients: &[&str], content: &[u8]) -> Envelope {
    let eight_bit = content.iter().any(|octet| *octet > 127);
    let mailbox = |one: &&str| Recipient::from(Mailbox::parse(one).unwrap());
    Envelope {
        reverse_path: ReversePath::parse(sender).unwrap(),
        recipients: recipients.iter().map(mailbox).collect(),
        parameters: MailParameters::of(if eight_bit {
            BodyType::EightBitMime
        } else {
            BodyType::SevenBit
        }),
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
    }
}

/// Starts the delivery side around a queue in memory, under a policy that connects to no address.
pub async fn start_around(
    spool: &Arc<memory::MemorySpool>,
    clock: &Arc<memory::VirtualClock>,
    setting: &Setting,
    log: &Arc<Log>,
    stopped: watch::Receiver<bool>,
) -> SchedulerHandle {
    start_under(common::STRICT, spool, clock, setting, log, stopped).await
}

/// The same under another policy; addresses are connected to at port 25.
pub async fn start_under(
    policy: &str,
    spool: &Arc<memory::MemorySpool>,
    clock: &Arc<memory::VirtualClock>,
    setting: &Setting,
    log: &Arc<Log>,
    stopped: watch::Receiver<bool>,
) -> SchedulerHandle {
    let world = World::start().await.unwrap();
    let surroundings = Surroundings {
        policy: Arc::new(ArcSwap::from_pointee(compile(policy))),
        ..around(&world, setting, spool, clock, log)
    };
    delivery::start(config(25, setting), surroundings, stopped)
        .unwrap()
        .0
}

/// The same under the policy of a relay that has none, around a queue in memory, in a world of many receivers that share
/// this port.
pub fn start_in(
    (world, port): (&World, u16),
    spool: &Arc<memory::MemorySpool>,
    clock: &Arc<memory::VirtualClock>,
    setting: &Setting,
    log: &Arc<impl EventLog + 'static>,
    stopped: watch::Receiver<bool>,
) -> SchedulerHandle {
    let surroundings = around(world, setting, spool, clock, log);
    delivery::start(config(port, setting), surroundings, stopped)
        .unwrap()
        .0
}

fn around(
    world: &World,
    setting: &Setting,
    spool: &Arc<memory::MemorySpool>,
    clock: &Arc<memory::VirtualClock>,
    log: &Arc<impl EventLog + 'static>,
) -> Surroundings<memory::MemorySpool> {
    Surroundings {
        spool: Arc::clone(spool),
        resolver: resolver(world, setting.mode),
        mta_sts: None,
        policy: Arc::new(ArcSwap::from_pointee(compile(common::OPPORTUNISTIC))),
        tls: tls(None, &setting.groups),
        events: Arc::clone(log) as Arc<dyn EventLog>,
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        incidents: Arc::default(),
        sessions: Arc::new(()),
        traces: Arc::default(),
    }
}
