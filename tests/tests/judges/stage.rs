//! The world that is judged: servers and a signed tree in this process, and Unbound in front of the tree.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use danerelay_tests::process::{Daemon, command};
use danerelay_tests::wait;
use rustls::pki_types::CertificateDer;
use testworld::RecordType;
use testworld::dns::{Questions, World};
use testworld::mail::{Ca, Identity, KeyKind, Receiver, Validity};
use tokio::runtime::Runtime;

use crate::scenes::{At, Certificate, Record, Scene, Shape, Zone};

/// Where the unsigned domains' hosts and the signed hosts of unsigned domains live.
const HOSTS: &str = "hosts.demo";

/// Everything that runs.
pub(crate) struct Stage {
    pub(crate) directory: PathBuf,
    world: World,
    ca: Ca,
    other_ca: Ca,
    receivers: Vec<Receiver>,
    _unbound: Daemon,
    runtime: Runtime,
}

/// One scene that was set.
pub(crate) struct Set {
    pub(crate) scene: Scene,
    pub(crate) domain: String,
    /// The host that the domain leads to.
    pub(crate) host: String,
    pub(crate) address: SocketAddr,
    /// What the server shows, in a PEM file.
    pub(crate) chain: PathBuf,
}

impl Stage {
    pub(crate) fn new(directory: &Path) -> Self {
        let runtime = Runtime::new().unwrap();
        let world = runtime.block_on(World::start()).unwrap();
        world.domain("demo").signed().add().unwrap();
        world.domain(HOSTS).signed().add().unwrap();
        fs::write(directory.join("anchor"), world.trust_anchor_ds().unwrap() + "\n").unwrap();
        let unbound = unbound(directory, world.address());
        Self {
            directory: directory.to_owned(),
            world,
            ca: Ca::new("Test CA").unwrap(),
            other_ca: Ca::new("Other CA").unwrap(),
            receivers: Vec::new(),
            _unbound: unbound,
            runtime,
        }
    }

    /// Sets the scene with this number.
    pub(crate) fn set(&mut self, number: u8, scene: Scene) -> Set {
        let domain = format!("{}.demo", scene.label);
        let host = match scene.shape {
            Shape::Implicit => domain.clone(),
            Shape::UnsignedDomain | Shape::UnsignedHost => format!("{}.{HOSTS}", scene.label),
            _ => format!("mx.{domain}"),
        };
        let address = SocketAddr::from(([127, 0, 3, number], 25));
        let identity = self.identity(scene.certificate, &host, &domain);
        let shown = match scene.certificate {
            Certificate::WithoutIssuer => identity.clone().without_issuer(),
            Certificate::Stolen => identity.clone().with_key_of(&self.ca.issue(&[&host]).unwrap()),
            _ => identity.clone(),
        };
        let chain = self.directory.join(format!("{}.pem", scene.label));
        let pem: Vec<String> = shown.chain().iter().map(pem).collect();
        fs::write(&chain, pem.concat()).unwrap();
        if scene.shape != Shape::Deaf {
            let mut builder = Receiver::builder(&host).address(address).identity(&shown);
            for fault in &scene.faults {
                builder = builder.fault(fault.clone());
            }
            self.receivers
                .push(self.runtime.block_on(builder.start()).unwrap());
        }
        self.publish(&scene, &domain, &host, address, &identity);
        if let Some((at, fault)) = &scene.dns {
            let questions = match at {
                At::Records => Questions::At(format!("_25._tcp.{host}")),
                At::Host => Questions::At(host.clone()),
                At::Domain => Questions::Of(domain.clone(), RecordType::MX),
            };
            self.world.break_dns(&questions, fault.clone()).unwrap();
        }
        Set {
            scene,
            domain,
            host,
            address,
            chain,
        }
    }

    fn identity(&self, certificate: Certificate, host: &str, domain: &str) -> Identity {
        let named = |name: &str| Identity::builder(&[name]);
        let made = match certificate {
            Certificate::Issued | Certificate::WithoutIssuer | Certificate::Stolen => {
                named(host).issue(&self.ca)
            }
            Certificate::Rsa => named(host).key(KeyKind::Rsa2048).issue(&self.ca),
            Certificate::Ed25519 => named(host).key(KeyKind::Ed25519).issue(&self.ca),
            Certificate::SelfSigned => named(host).self_signed(),
            Certificate::Expired => named(host).validity(Validity::Expired).issue(&self.ca),
            Certificate::NotYet => named(host).validity(Validity::NotYet).issue(&self.ca),
            Certificate::ExpiredSelfSigned => named(host).validity(Validity::Expired).self_signed(),
            Certificate::OtherName => named("elsewhere.example").issue(&self.ca),
            Certificate::DomainName => named(domain).issue(&self.ca),
            Certificate::Wildcard => named(&format!("*.{domain}")).issue(&self.ca),
        };
        made.unwrap()
    }

    fn publish(&self, scene: &Scene, domain: &str, host: &str, address: SocketAddr, identity: &Identity) {
        let other = self.other_ca.issue(&[host]).unwrap();
        let text = |record: &Record| match record {
            Record::Right(usage, selector, matching) => identity.tlsa(*usage, *selector, *matching),
            Record::Wrong(usage, selector, matching) => other.tlsa(*usage, *selector, *matching),
            Record::Text(text) => (*text).to_owned(),
        };
        let records: Vec<String> = scene.records.iter().map(text).collect();
        let mx = format!("10 {host}.");
        let mut zone = self.world.domain(domain);
        zone = match scene.zone {
            Zone::Signed => zone.signed(),
            Zone::Unsigned => zone.unsigned(),
            Zone::Bogus(how) => zone.bogus(how),
        };
        let owner = |name: &str| format!("_25._tcp.{name}");
        let with_records = |zone: testworld::dns::Domain<'_>, name: &str| {
            let zone = records.iter().fold(zone, |zone, record| {
                zone.record(&owner(name), RecordType::TLSA, record)
            });
            zone.add().unwrap();
        };
        match scene.shape {
            Shape::Missing => {}
            Shape::NullMx => zone.record(domain, RecordType::MX, "0 .").add().unwrap(),
            Shape::Usual | Shape::Deaf => {
                let zone = zone.record(domain, RecordType::MX, &mx);
                with_records(zone.host(host, address), host);
            }
            Shape::Implicit => with_records(zone.host(host, address), host),
            Shape::UnsignedDomain => {
                let unsigned = self.world.domain(domain).unsigned();
                unsigned.record(domain, RecordType::MX, &mx).add().unwrap();
                with_records(self.world.domain(host).signed().host(host, address), host);
            }
            Shape::UnsignedHost => {
                zone.record(domain, RecordType::MX, &mx).add().unwrap();
                with_records(self.world.domain(host).unsigned().host(host, address), host);
            }
            Shape::Alias | Shape::AliasWithRecords => {
                let target = format!("target.{domain}");
                let zone = zone.record(domain, RecordType::MX, &mx);
                let zone = zone.cname(host, &target).host(&target, address);
                let name = if scene.shape == Shape::Alias {
                    &target
                } else {
                    host
                };
                with_records(zone, name);
            }
            Shape::RecordsAlias => {
                let shared = format!("records.{domain}");
                let zone = zone.record(domain, RecordType::MX, &mx).host(host, address);
                let zone = zone.cname(&owner(host), &owner(&shared));
                with_records(zone, &shared);
            }
        }
    }
}

fn pem(certificate: &CertificateDer<'static>) -> String {
    let text = data_encoding::BASE64.encode(certificate);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}

/// A validating resolver at the address that `/etc/resolv.conf` names, in front of the tree.
fn unbound(directory: &Path, tree: SocketAddr) -> Daemon {
    let place = directory.display();
    let text = format!(
        "server:\n interface: 127.0.0.1\n port: 53\n do-daemonize: no\n username: \"\"\n chroot: \"\"\n pidfile: \"\"\n \
         use-syslog: no\n logfile: \"\"\n do-ip6: no\n do-not-query-localhost: no\n module-config: \"validator iterator\"\n \
         trust-anchor-file: \"{place}/anchor\"\n num-threads: 1\n\
         forward-zone:\n name: \".\"\n forward-addr: {}@{}\nremote-control:\n control-enable: no\n",
        tree.ip(),
        tree.port(),
    );
    let file = directory.join("unbound.conf");
    fs::write(&file, text).unwrap();
    let daemon = Daemon::start(
        command("unbound").arg("-d").arg("-c").arg(file),
        &directory.join("unbound.log"),
    );
    wait::until_listening("Unbound", "127.0.0.1:53".parse().unwrap());
    daemon
}
