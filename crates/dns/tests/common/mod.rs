//! Resolvers over a world, and servers that stand between them.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dns::{Data, Lookup, Mode, Resolver, ResolverConfig, Server, TrustAnchors};
use hickory_proto::op::{Edns, Message, Query};
use hickory_proto::rr::{Name, RecordType};
use mail::{Domain, LookupFailure, Security};
use testworld::dns::{Bogus, Role, Span, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// What we ask for at most in a datagram.
const LARGEST_DATAGRAM: usize = 1232;

pub fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

pub fn config(world: &World, mode: Mode) -> ResolverConfig {
    ResolverConfig {
        mode,
        servers: vec![world.address().into()],
        trust_anchors: TrustAnchors::parse(&world.trust_anchor_ds().unwrap()).unwrap(),
        domain_insecure: Vec::new(),
        timeout: Duration::from_secs(5),
        cache_entries: 1000,
    }
}

/// A resolver of the given kind, and a world that plays its upstream.
pub fn resolver(world: &World, mode: Mode) -> Resolver {
    world.set_role(match mode {
        Mode::Validate => Role::Forwarder,
        Mode::TrustAd => Role::Validator,
    });
    Resolver::new(config(world, mode)).unwrap()
}

/// Validates what comes from `server`, and gives up soon.
pub fn validator_behind(world: &World, servers: Vec<SocketAddr>) -> Resolver {
    let config = config(world, Mode::Validate);
    Resolver::new(ResolverConfig {
        servers: servers.into_iter().map(Server::from).collect(),
        timeout: Duration::from_secs(2),
        ..config
    })
    .unwrap()
}

/// Zones of every kind below `test.`, each with the same names.
pub async fn world() -> World {
    let world = World::start().await.unwrap();
    world.domain("test").signed().add().unwrap();
    let zones = [
        ("secure.test", world.domain("secure.test").signed()),
        (
            "hashed.test",
            world.domain("hashed.test").signed().nsec3(0, Span::Full),
        ),
        (
            "optout.test",
            world.domain("optout.test").signed().nsec3(0, Span::OptOut),
        ),
        ("insecure.test", world.domain("insecure.test").unsigned()),
        ("bogus.test", world.domain("bogus.test").bogus(Bogus::WrongKey)),
        ("expired.test", world.domain("expired.test").bogus(Bogus::Expired)),
        (
            "mismatch.test",
            world.domain("mismatch.test").bogus(Bogus::DsMismatch),
        ),
        (
            "stripped.test",
            world.domain("stripped.test").bogus(Bogus::NoSignatures),
        ),
        // Signed below an unsigned zone: no chain leads there.
        (
            "island.insecure.test",
            world.domain("island.insecure.test").signed(),
        ),
    ];
    for (zone, description) in zones {
        description
            .record(zone, RecordType::MX, &format!("10 mx.{zone}."))
            .record(&format!("mx.{zone}"), RecordType::A, "192.0.2.1")
            .record(&format!("_25._tcp.mx.{zone}"), RecordType::TLSA, "3 1 1 00")
            .record(&format!("*.wild.{zone}"), RecordType::A, "192.0.2.2")
            .record(&format!("real.wild.{zone}"), RecordType::A, "192.0.2.3")
            .record(&format!("*._tcp.star.{zone}"), RecordType::TLSA, "3 1 1 01")
            .record(&format!("deep.ent.{zone}"), RecordType::A, "192.0.2.4")
            .add()
            .unwrap();
    }
    world
}

/// An answer in two words, such as `secure records` or `failed bogus`.
pub fn told<T>(lookup: &Lookup<T>) -> String {
    match lookup {
        Ok(answer) => {
            let data = match answer.data {
                Data::Records(_) => "records",
                Data::NoData => "nodata",
                Data::NxDomain => "nxdomain",
            };
            format!("{} {data}", answer.security)
        }
        Err(failure) => format!("failed {}", failure.cause),
    }
}

pub async fn ask(resolver: &Resolver, name: &str, record_type: RecordType) -> String {
    told(&resolver.text(name, &record_type.to_string()).await.unwrap())
}

pub fn failure<T: std::fmt::Debug>(lookup: Lookup<T>) -> LookupFailure {
    lookup.expect_err("an answer where a failure was due").cause
}

pub const SECURE: Security = Security::Secure;
pub const INSECURE: Security = Security::Insecure;

pub fn question(name: &str, record_type: RecordType) -> Query {
    let mut name = Name::from_ascii(name).unwrap();
    name.set_fqdn(true);
    Query::query(name, record_type)
}

/// The world's own answer, with all signatures.
pub async fn genuine(world: &World, name: &str, record_type: RecordType) -> Message {
    let mut message = Message::query();
    message.add_query(question(name, record_type));
    message.metadata.checking_disabled = true;
    message.set_edns(Edns::new().set_max_payload(4096).set_dnssec_ok(true).clone());
    Message::from_vec(&forwarded(world.address(), &message.to_vec().unwrap()).await).unwrap()
}

/// The world's answer over TCP, where nothing is truncated.
async fn forwarded(server: SocketAddr, octets: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server).await.unwrap();
    write_framed(&mut stream, octets).await;
    read_framed(&mut stream).await.unwrap()
}

async fn write_framed(stream: &mut TcpStream, octets: &[u8]) {
    let length = u16::try_from(octets.len()).unwrap().to_be_bytes();
    stream.write_all(&[&length, octets].concat()).await.unwrap();
}

async fn read_framed(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut octets = vec![0; stream.read_u16().await.ok()?.into()];
    stream.read_exact(&mut octets).await.ok()?;
    Some(octets)
}

/// A server that passes everything on to the world, but for what `forge` changes.
pub async fn forger(
    world: &World,
    forge: impl Fn(&Query, &mut Message) + Send + Sync + 'static,
) -> SocketAddr {
    let forge = Arc::new(forge);
    let server = world.address();
    let (udp, tcp) = one_port().await;
    let address = udp.local_addr().unwrap();
    let (over_udp, over_tcp) = (Arc::clone(&forge), forge);
    tokio::spawn(async move {
        let udp = Arc::new(udp);
        loop {
            let mut buffer = vec![0; 4096];
            let (length, peer) = udp.recv_from(&mut buffer).await.unwrap();
            buffer.truncate(length);
            let (udp, forge) = (Arc::clone(&udp), Arc::clone(&over_udp));
            tokio::spawn(async move {
                let mut octets = forged(server, &buffer, &*forge).await;
                if octets.len() > LARGEST_DATAGRAM {
                    octets = Message::from_vec(&octets).unwrap().truncate().to_vec().unwrap();
                }
                udp.send_to(&octets, peer).await.unwrap();
            });
        }
    });
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = tcp.accept().await.unwrap();
            let forge = Arc::clone(&over_tcp);
            tokio::spawn(async move {
                while let Some(octets) = read_framed(&mut stream).await {
                    let octets = forged(server, &octets, &*forge).await;
                    write_framed(&mut stream, &octets).await;
                }
            });
        }
    });
    address
}

async fn forged(
    server: SocketAddr,
    octets: &[u8],
    forge: &(impl Fn(&Query, &mut Message) + Sync),
) -> Vec<u8> {
    let mut message = Message::from_vec(&forwarded(server, octets).await).unwrap();
    let asked = message.queries.first().unwrap().clone();
    forge(&asked, &mut message);
    message.to_vec().unwrap()
}

async fn one_port() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

/// A server that hears and never answers; it lives as long as the socket.
pub async fn dead_server() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}
