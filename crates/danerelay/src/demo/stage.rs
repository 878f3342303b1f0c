//! The environment: DNS and receiving servers on loopback.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::time::Instant;

use parking_lot::Mutex;
use testworld::dns::{Bogus, World};
use testworld::mail::{Ca, Identity, MailFault, Receiver, Validity, free_port_on};
use testworld::{RecordType, WorldError};

use super::error::DemoError;
use super::scenes::{Arrival, Certificate, Host, Records, Scene, Zone};

/// The top-level domain of all domains in the demonstration.
const TLD: &str = "demo";
/// The sender domain of all messages.
const ORIGIN: &str = "origin.demo";
/// A record whose digest matches no certificate.
const STALE: &str = "3 1 1 0000000000000000000000000000000000000000000000000000000000000000";
/// The maximum number of servers that the scenes need.
const SERVERS: u8 = 40;

/// A world with its servers.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) ca: Ca,
    /// The port of all receiving servers, used instead of 25, which needs a privilege.
    pub(super) port: u16,
    servers: Mutex<HashMap<String, Receiver>>,
}

impl Stage {
    pub(super) async fn build() -> Result<Self, DemoError> {
        let world = World::start().await?;
        world.domain(TLD).signed().add()?;
        let addresses: Vec<IpAddr> = (1..=SERVERS).map(address).collect();
        let port = free_port_on(&addresses).map_err(DemoError::System)?;
        let ca = Ca::new("Demo CA")?;
        let stage = Self {
            world,
            ca,
            port,
            servers: Mutex::default(),
        };
        stage.set_origin().await?;
        Ok(stage)
    }

    /// Sets up the sender's own domain, to which reports go.
    async fn set_origin(&self) -> Result<(), DemoError> {
        let host = Host::new(Certificate::Issued, Records::Key);
        let name = format!("mx1.{ORIGIN}");
        let identity = self.identity(&host, &name)?;
        let server = self.serve(&host, &name, &identity).await?;
        let domain = self.world.domain(ORIGIN).signed().mx(10, &name, server);
        Ok(domain.tlsa(identity.tlsa_3_1_1()).add()?)
    }

    /// Whether the sender was told (RFC 3464); waits for it.
    pub(super) async fn sender_was_told(&self, limit: Duration) -> bool {
        let arrived = || {
            let servers = self.servers.lock();
            let origin = servers.get(&format!("mx1.{ORIGIN}"));
            origin.is_some_and(|origin| {
                origin
                    .messages()
                    .iter()
                    .any(|report| report.envelope_from.is_empty())
            })
        };
        let began = Instant::now();
        while !arrived() {
            if began.elapsed() > limit {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }

    /// Sets up a scene's domain and its servers.
    pub(super) async fn set(&self, scene: &Scene) -> Result<(), DemoError> {
        let name = scene.domain();
        let domain = self.world.domain(&name);
        let mut domain = match scene.zone {
            Zone::Signed => domain.signed(),
            Zone::Unsigned => domain.unsigned(),
            Zone::Bogus => domain.bogus(Bogus::WrongKey),
        };
        if scene.hosts.is_empty() {
            domain = domain.record(&name, RecordType::MX, "0 .");
        }
        for (position, host) in (1u16..).zip(&scene.hosts) {
            let host_name = format!("mx{position}.{name}");
            let identity = self.identity(host, &host_name)?;
            let records = self.records(host, &identity, &host_name)?;
            let server = self.serve(host, &host_name, &identity).await?;
            domain = domain.mx(position.saturating_mul(10), &host_name, server);
            for record in records {
                domain = domain.tlsa(record);
            }
        }
        Ok(domain.add()?)
    }

    fn identity(&self, host: &Host, name: &str) -> Result<Identity, WorldError> {
        match host.certificate {
            Certificate::Issued => self.ca.issue(&[name]),
            Certificate::Expired => Identity::builder(&[name])
                .validity(Validity::Expired)
                .self_signed(),
            Certificate::ReplayedWithAnotherKey => {
                Ok(self.ca.issue(&[name])?.with_key_of(&self.ca.issue(&[name])?))
            }
        }
    }

    fn records(&self, host: &Host, identity: &Identity, name: &str) -> Result<Vec<String>, WorldError> {
        Ok(match host.records {
            Records::None => vec![],
            Records::Key => vec![identity.tlsa_3_1_1()],
            Records::Stale => vec![STALE.to_owned()],
            Records::CurrentAndNext => vec![identity.tlsa_3_1_1(), self.ca.issue(&[name])?.tlsa_3_1_1()],
            Records::StaleAndIssuer => vec![STALE.to_owned(), identity.tlsa_2_1_1()],
            Records::Issuer => vec![identity.tlsa_2_0_1()],
            Records::Unusable => vec![format!("1{}", identity.tlsa_3_1_1().trim_start_matches('3'))],
        })
    }

    async fn serve(&self, host: &Host, name: &str, identity: &Identity) -> Result<SocketAddr, DemoError> {
        let taken = self.servers.lock().len();
        let next = u8::try_from(taken)
            .ok()
            .and_then(|taken| taken.checked_add(1))
            .unwrap_or(SERVERS);
        let mut builder = Receiver::builder(name)
            .address(SocketAddr::new(address(next), self.port))
            .identity(identity);
        if host.strips_starttls {
            builder = builder.fault(MailFault::NoStartTls);
        }
        let receiver = builder.start().await?;
        let address = receiver.address();
        self.servers.lock().insert(name.to_owned(), receiver);
        Ok(address)
    }

    /// A host in a signed domain of its own, `mx.NAME` in `NAME`, to which that domain's mail goes. Returns its key.
    pub(super) async fn host(&self, host: &Host, name: &str) -> Result<Identity, DemoError> {
        let identity = self.identity(host, name)?;
        let records = self.records(host, &identity, name)?;
        let server = self.serve(host, name, &identity).await?;
        let zone = name.trim_start_matches("mx.");
        let mut domain = self.world.domain(zone).signed().mx(10, name, server);
        for record in records {
            domain = domain.tlsa(record);
        }
        domain.add()?;
        Ok(identity)
    }

    /// A server has another key from now on, and its records stay.
    pub(super) fn change_key(&self, name: &str) -> Result<(), DemoError> {
        let identity = self.ca.issue(&[name])?;
        self.set_key(name, &identity);
        Ok(())
    }

    /// A server has this key from now on.
    pub(super) fn set_key(&self, name: &str, identity: &Identity) {
        if let Some(server) = self.servers.lock().get(name) {
            server.set_identity(identity);
        }
    }

    /// A server has these faults from now on.
    pub(super) fn set_faults(&self, name: &str, faults: Vec<MailFault>) {
        if let Some(server) = self.servers.lock().get(name) {
            server.set_faults(faults);
        }
    }

    /// What has arrived for `recipient`.
    pub(super) fn arrival(&self, recipient: &str, sent: &[u8]) -> Arrival {
        let servers = self.servers.lock();
        let received = servers.values().flat_map(Receiver::messages);
        let mut found = received.filter(|message| message.recipients.iter().any(|one| one == recipient));
        match (found.next(), found.next()) {
            (None, _) => Arrival::Nowhere,
            (Some(message), None) if without_trace(&message.content) == sent => Arrival::Whole,
            (Some(_), _) => Arrival::Changed,
        }
    }
}

/// 127.0.1.`last`.
fn address(last: u8) -> IpAddr {
    IpAddr::from([127, 0, 1, last])
}

/// The content below the one Received field that the relay puts at the top.
fn without_trace(content: &[u8]) -> &[u8] {
    let Some(mut rest) = content.strip_prefix(b"Received:") else {
        return content;
    };
    loop {
        let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else {
            return content;
        };
        rest = rest.get(end.saturating_add(2)..).unwrap_or_default();
        if !rest.starts_with(b" ") && !rest.starts_with(b"\t") {
            return rest;
        }
    }
}
