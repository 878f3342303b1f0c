//! The name server goes wrong as it is told, exactly where it is told, and writes down what it was asked.
#![allow(clippy::disallowed_types, reason = "the time that really passes is meant")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod common;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use common::query;
use hickory_proto::op::{Message, ResponseCode};
use testworld::dns::{DnsFault, Questions, Role, Transport, World};
use testworld::{Name, RecordType, WorldError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

const TLSA_NAME: &str = "_25._tcp.mx.good.demo";

async fn world() -> World {
    let world = World::start().await.unwrap();
    world
        .domain("good.demo")
        .signed()
        .mx(10, "mx.good.demo", "127.0.0.2:25".parse().unwrap())
        .tlsa(format!("3 1 1 {}", "00".repeat(32)))
        .add()
        .unwrap();
    world
}

/// The answer's octets; none if there was none within half a second.
async fn octets(world: &World, name: &str, record_type: RecordType) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let query = query(name, record_type, 1232);
    socket.send_to(&query, world.address()).await.unwrap();
    let mut buffer = vec![0; 4096];
    let length = tokio::time::timeout(Duration::from_millis(500), socket.recv(&mut buffer))
        .await
        .ok()?
        .unwrap();
    buffer.truncate(length);
    Some(buffer)
}

async fn ask(world: &World, name: &str, record_type: RecordType) -> Message {
    Message::from_vec(&octets(world, name, record_type).await.expect("an answer")).unwrap()
}

async fn ask_tcp(world: &World, name: &str, record_type: RecordType) -> Message {
    let mut stream = TcpStream::connect(world.address()).await.unwrap();
    let query = query(name, record_type, 1232);
    stream
        .write_u16(u16::try_from(query.len()).unwrap())
        .await
        .unwrap();
    stream.write_all(&query).await.unwrap();
    let length = stream.read_u16().await.unwrap();
    let mut buffer = vec![0; usize::from(length)];
    stream.read_exact(&mut buffer).await.unwrap();
    Message::from_vec(&buffer).unwrap()
}

fn has_signatures(message: &Message) -> bool {
    message
        .all_sections()
        .any(|record| record.record_type() == RecordType::RRSIG)
}

#[tokio::test]
async fn codes_meet_one_type_only_and_can_be_mended() {
    let world = world().await;
    let questions = Questions::Of(TLSA_NAME.to_owned(), RecordType::TLSA);
    for (fault, code) in [
        (DnsFault::ServFail, ResponseCode::ServFail),
        (DnsFault::Refused, ResponseCode::Refused),
        (DnsFault::NotImp, ResponseCode::NotImp),
        (DnsFault::NxDomain, ResponseCode::NXDomain),
    ] {
        world.break_dns(&questions, fault).unwrap();
        let message = ask(&world, TLSA_NAME, RecordType::TLSA).await;
        assert_eq!(message.metadata.response_code, code);
        let other = ask(&world, "mx.good.demo", RecordType::A).await;
        assert_eq!(other.metadata.response_code, ResponseCode::NoError);
    }
    world.mend_dns(&questions).unwrap();
    assert_eq!(
        ask(&world, TLSA_NAME, RecordType::TLSA).await.answers.len(),
        2,
        "TLSA and RRSIG"
    );
}

#[tokio::test]
async fn silence_delay_and_nonsense() {
    let world = world().await;
    let questions = Questions::At("mx.good.demo".to_owned());
    world.break_dns(&questions, DnsFault::Silence).unwrap();
    assert!(octets(&world, "mx.good.demo", RecordType::A).await.is_none());

    world
        .break_dns(&questions, DnsFault::Delay(Duration::from_millis(200)))
        .unwrap();
    let start = Instant::now();
    assert_eq!(ask(&world, "mx.good.demo", RecordType::A).await.answers.len(), 2);
    assert!(start.elapsed() >= Duration::from_millis(200));

    world.break_dns(&questions, DnsFault::Malformed).unwrap();
    let nonsense = octets(&world, "mx.good.demo", RecordType::A).await.unwrap();
    assert!(Message::from_vec(&nonsense).is_err());
}

#[tokio::test]
async fn stripping_spoiling_and_truncation_below_the_root() {
    let world = world().await;
    let all = Questions::Below(".".to_owned());
    assert!(has_signatures(&ask(&world, "good.demo", RecordType::MX).await));

    world.break_dns(&all, DnsFault::StripDnssec).unwrap();
    let message = ask(&world, "good.demo", RecordType::MX).await;
    assert!(!has_signatures(&message));
    assert_eq!(message.answers.len(), 1);

    world.break_dns(&all, DnsFault::Truncate).unwrap();
    let message = ask(&world, "good.demo", RecordType::MX).await;
    assert!(message.metadata.truncation && message.answers.is_empty());
    assert_eq!(
        ask_tcp(&world, "good.demo", RecordType::MX).await.answers.len(),
        2
    );
    let transports: Vec<Transport> = world.queries().iter().map(|query| query.transport).collect();
    assert_eq!(
        transports,
        [Transport::Udp, Transport::Udp, Transport::Udp, Transport::Tcp]
    );
}

#[tokio::test]
async fn forgeries_lack_what_a_validator_wants() {
    let world = world().await;
    world.domain("attacker").unsigned().add().unwrap();
    world.set("*.good.demo", RecordType::A, &["127.6.6.6"]).unwrap();
    let host = Questions::At("mx.good.demo".to_owned());

    world.break_dns(&host, DnsFault::ReplayedWildcard).unwrap();
    let message = ask(&world, "mx.good.demo", RecordType::A).await;
    assert_eq!(message.answers[0].data.to_string(), "127.6.6.6");
    assert!(has_signatures(&message) && message.authorities.is_empty());

    world
        .break_dns(&host, DnsFault::ForgedNoData("attacker".to_owned()))
        .unwrap();
    let message = ask(&world, "mx.good.demo", RecordType::A).await;
    assert!(message.answers.is_empty() && !has_signatures(&message));
    assert_eq!(
        message.authorities[0].name,
        Name::from_ascii("attacker.").unwrap()
    );

    world
        .break_dns(&host, DnsFault::ForgedNxDomain("attacker".to_owned()))
        .unwrap();
    let message = ask(&world, "mx.good.demo", RecordType::A).await;
    assert_eq!(message.metadata.response_code, ResponseCode::NXDomain);

    let wild = Questions::At("any.good.demo".to_owned());
    assert!(
        !ask(&world, "any.good.demo", RecordType::A)
            .await
            .authorities
            .is_empty()
    );
    world.break_dns(&wild, DnsFault::NoProof).unwrap();
    assert!(
        ask(&world, "any.good.demo", RecordType::A)
            .await
            .authorities
            .is_empty()
    );

    world.set_role(Role::Validator);
    for name in ["mx.good.demo", "any.good.demo"] {
        let message = ask(&world, name, RecordType::A).await;
        assert_eq!(message.metadata.response_code, ResponseCode::ServFail, "{name}");
    }
}

#[tokio::test]
async fn an_alias_loop_is_given_out_as_it_is() {
    let world = world().await;
    world
        .set("a.good.demo", RecordType::CNAME, &["b.good.demo"])
        .unwrap();
    world
        .set("b.good.demo", RecordType::CNAME, &["a.good.demo"])
        .unwrap();
    let message = ask_tcp(&world, "a.good.demo", RecordType::A).await;
    assert_eq!(message.metadata.response_code, ResponseCode::NoError);
    assert!(
        message
            .answers
            .iter()
            .all(|r| matches!(r.record_type(), RecordType::CNAME | RecordType::RRSIG))
    );
}

#[tokio::test]
async fn another_server_shares_the_tree() {
    let world = world().await;
    let second = world.another_server().await.unwrap();
    assert_ne!(second.address(), world.address());
    world.set("new.good.demo", RecordType::A, &["127.0.0.9"]).unwrap();
    assert_eq!(
        ask(&second, "new.good.demo", RecordType::A).await.answers.len(),
        2
    );
    assert_eq!(world.asked("new.good.demo", RecordType::A), 1);
}

#[tokio::test]
async fn the_log_tells_what_was_never_asked() {
    let world = world().await;
    ask(&world, "MX.good.demo", RecordType::A).await;
    assert_eq!(world.asked("mx.good.demo", RecordType::A), 1);
    assert_eq!(world.asked(TLSA_NAME, RecordType::TLSA), 0);
    world.clear_queries();
    assert!(world.queries().is_empty());
}

#[tokio::test]
async fn malformed_data_is_served_as_given_and_mistakes_are_told() {
    let world = world().await;
    world
        .set(TLSA_NAME, RecordType::TLSA, &["\\# 2 0301", "3 1 1 abcd"])
        .unwrap();
    let raw = octets(&world, TLSA_NAME, RecordType::TLSA).await.unwrap();
    assert!(
        raw.windows(4).any(|window| window == [0, 2, 3, 1]),
        "RDLENGTH 2, then the two octets"
    );
    assert!(matches!(
        world.set("a.demo", RecordType::A, &["no address"]),
        Err(WorldError::Record { .. })
    ));
    assert!(matches!(
        world.set("a..demo", RecordType::A, &["127.0.0.1"]),
        Err(WorldError::Name(_))
    ));
    assert!(matches!(
        world.domain("x.demo").tlsa("3 1 1 00").add(),
        Err(WorldError::NoHost)
    ));
}

#[tokio::test]
async fn the_server_ends_with_its_handle() {
    let world = world().await;
    let address = world.address();
    drop(world);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(TcpStream::connect(address).await.is_err());
}
