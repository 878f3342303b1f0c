//! Zones of every kind, what is changed in them, and resolvers over them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::Deref;
use std::time::Duration;

use dns::{Mode, ResolverConfig, Server, TrustAnchors};
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData};
use hickory_proto::op::{Edns, Message, Query};
use hickory_proto::rr::{RData, Record};
use testworld::dns::{Bogus, DnsFault, Questions, Role, Span, World};

use super::forger::{forger, over_tcp};
use super::{Client, MODES, is, parted, question};

/// A world and its zones.
pub struct Scene(World);

impl Deref for Scene {
    type Target = World;

    fn deref(&self) -> &World {
        &self.0
    }
}

/// Zones of every kind below `test.`, each with the same names.
pub async fn world() -> Scene {
    let world = Scene(World::start().await.unwrap());
    let zone = |name| world.domain(name);
    for zone in [
        zone("test"),
        zone("secure.test"),
        zone("hashed.test").nsec3(0, Span::Full),
        zone("optout.test").nsec3(0, Span::OptOut),
        zone("insecure.test").unsigned(),
        zone("bogus.test").bogus(Bogus::WrongKey),
        zone("expired.test").bogus(Bogus::Expired),
        zone("mismatch.test").bogus(Bogus::DsMismatch),
        zone("stripped.test").bogus(Bogus::NoSignatures),
        // Signed below an unsigned zone: no chain leads there.
        zone("island.insecure.test"),
    ] {
        zone.add().unwrap();
    }
    for zone in [
        "secure.test",
        "hashed.test",
        "optout.test",
        "insecure.test",
        "bogus.test",
        "expired.test",
        "mismatch.test",
        "stripped.test",
        "island.insecure.test",
    ] {
        world.has(&format!(
            "{zone}             MX   10 mx.{zone}.
             mx.{zone}          A    192.0.2.1
             _25._tcp.mx.{zone} TLSA 3 1 1 00
             *.wild.{zone}      A    192.0.2.2
             real.wild.{zone}   A    192.0.2.3
             *._tcp.star.{zone} TLSA 3 1 1 01
             deep.ent.{zone}    A    192.0.2.4"
        ));
    }
    world
}

pub fn config(world: &World, mode: Mode) -> ResolverConfig {
    ResolverConfig {
        mode,
        servers: vec![world.address().into()],
        trust_anchors: TrustAnchors::parse(&world.trust_anchor_ds().unwrap()).unwrap(),
        domain_insecure: Vec::new(),
        timeout: Duration::from_secs(5),
        cache_entries: 1000,
        sockets: 256,
    }
}

/// What there is, and what goes wrong.
impl Scene {
    /// A signed root and nothing else.
    pub async fn empty() -> Self {
        Self(World::start().await.unwrap())
    }

    /// Adds records, one a line: `alias.secure.test CNAME mx.hashed.test.`
    pub fn has(&self, records: &str) {
        for line in records.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (name, rest) = line.split_once(' ').expect("a name");
            let (record_type, data) = rest.trim().split_once(' ').expect("type and data");
            self.add(name, record_type.parse().unwrap(), data.trim()).unwrap();
        }
    }

    pub fn breaks(&self, question: &str, fault: DnsFault) {
        self.break_dns(&of(question), fault).unwrap();
    }

    pub fn mends(&self, question: &str) {
        self.mend_dns(&of(question)).unwrap();
    }

    /// A name and all below it; `.` for everything.
    pub fn breaks_below(&self, name: &str, fault: DnsFault) {
        self.break_dns(&Questions::Below(name.to_owned()), fault).unwrap();
    }

    /// A signed zone for each way of denying what does not exist.
    pub fn signed_zones(&self) -> [&'static str; 3] {
        self.domain("nsec.test").signed().add().unwrap();
        self.domain("nsec3.test").nsec3(0, Span::Full).add().unwrap();
        let hidden = self.domain("nsec3-optout.test").nsec3(0, Span::OptOut);
        hidden.add().unwrap();
        ["nsec.test", "nsec3.test", "nsec3-optout.test"]
    }

    /// How often a question came.
    pub fn count(&self, question: &str) -> usize {
        let (name, record_type) = parted(question);
        self.asked(name, record_type)
    }
}

fn of(text: &str) -> Questions {
    let (name, record_type) = parted(text);
    Questions::Of(name.to_owned(), record_type)
}

/// What it says by itself.
impl Scene {
    /// Its own answer, with all signatures.
    pub async fn genuine(&self, text: &str) -> Message {
        let mut message = Message::query();
        message.add_query(question(text));
        message.metadata.checking_disabled = true;
        message.set_edns(Edns::new().set_max_payload(4096).set_dnssec_ok(true).clone());
        let octets = over_tcp(self.address(), &message.to_vec().unwrap()).await;
        Message::from_vec(&octets).unwrap()
    }

    /// All that is said in denial of these questions: each record once with its signature, which is made afresh for each answer.
    pub async fn denials(&self, questions: impl IntoIterator<Item = String>) -> Vec<Record> {
        let (mut known, mut all) = (BTreeSet::new(), Vec::new());
        for question in questions {
            for record in self.genuine(&question).await.authorities {
                let signed = match &record.data {
                    RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) => rrsig.input().type_covered,
                    _ => record.record_type(),
                };
                if known.insert((record.name.to_ascii(), record.record_type(), signed)) {
                    all.push(record);
                }
            }
        }
        all
    }

    /// The keys of a zone, without signatures.
    pub async fn keys(&self, zone: &str) -> Vec<DNSKEY> {
        let message = self.genuine(&format!("{zone} DNSKEY")).await;
        let keys = message
            .answers
            .into_iter()
            .filter_map(|record| match record.data {
                RData::DNSSEC(DNSSECRData::DNSKEY(key)) => Some(key),
                _ => None,
            });
        keys.collect()
    }
}

/// Who asks it.
impl Scene {
    /// From now on it is such an upstream as a resolver of this kind needs.
    pub fn serves(&self, mode: Mode) {
        self.set_role(match mode {
            Mode::Validate => Role::Forwarder,
            Mode::TrustAd => Role::Validator,
        });
    }

    /// A resolver of the given kind, which the world serves.
    pub fn resolver(&self, mode: Mode) -> Client {
        self.serves(mode);
        Client::new(config(self, mode))
    }

    /// One of each kind, one after the other.
    pub fn resolvers(&self) -> impl Iterator<Item = Client> {
        MODES.into_iter().map(|mode| self.resolver(mode))
    }

    /// A validating resolver with other settings.
    pub fn validator(&self, change: impl FnOnce(&mut ResolverConfig)) -> Client {
        let mut config = config(self, Mode::Validate);
        change(&mut config);
        Client::new(config)
    }

    /// A validating resolver with this trust anchor.
    pub fn anchored(&self, anchor: &str) -> Client {
        self.validator(|config| config.trust_anchors = TrustAnchors::parse(anchor).unwrap())
            .called(anchor)
    }

    /// A resolver that asks these servers, and gives up soon.
    pub fn asking<S: Into<Server>>(&self, mode: Mode, servers: impl IntoIterator<Item = S>) -> Client {
        Client::new(ResolverConfig {
            servers: servers.into_iter().map(Into::into).collect(),
            timeout: Duration::from_secs(3),
            ..config(self, mode)
        })
    }

    /// A server that passes everything on to the world, but for what `forge` changes.
    pub async fn forger(&self, forge: impl Fn(&Query, &mut Message) + Send + Sync + 'static) -> SocketAddr {
        forger(self.address(), forge).await
    }

    /// A resolver with such a server between it and the world.
    pub async fn behind(
        &self,
        mode: Mode,
        forge: impl Fn(&Query, &mut Message) + Send + Sync + 'static,
    ) -> Client {
        self.serves(mode);
        let mut config = config(self, mode);
        config.servers = vec![self.forger(forge).await.into()];
        Client::new(config)
    }

    /// A validating resolver that is lied to about one question.
    pub async fn lied_to(
        &self,
        question: &str,
        forge: impl Fn(&mut Message) + Send + Sync + 'static,
    ) -> Client {
        let asked = question.to_owned();
        let forge = move |query: &Query, message: &mut Message| {
            if is(query, &asked) {
                forge(message);
            }
        };
        self.behind(Mode::Validate, forge).await
    }
}
