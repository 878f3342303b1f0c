//! What is particular to believing another's AD bit.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{ask, config, domain, forger, resolver, world};
use dns::{Mode, Resolver, ResolverConfig, ResolverError};
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::RecordType;
use testworld::dns::{Role, World};

async fn believing(world: &World, forge: impl Fn(&Query, &mut Message) + Send + Sync + 'static) -> Resolver {
    world.set_role(Role::Validator);
    let servers = vec![forger(world, forge).await.into()];
    Resolver::new(ResolverConfig {
        servers,
        ..config(world, Mode::TrustAd)
    })
    .unwrap()
}

fn without_options(message: &mut Message) {
    if let Some(edns) = &mut message.edns {
        *edns.options_mut() = hickory_proto::rr::rdata::OPT::new(Vec::new());
    }
}

#[tokio::test]
async fn servfail_is_bogus_if_the_data_is_there_unchecked() {
    let world = world().await;
    let resolver = believing(&world, |_, message| without_options(message)).await;
    assert_eq!(
        ask(&resolver, "mx.bogus.test", RecordType::A).await,
        "failed bogus"
    );
}

#[tokio::test]
async fn servfail_of_both_kinds_of_question_is_an_outage() {
    let world = world().await;
    let resolver = believing(&world, |_, message| {
        without_options(message);
        message.metadata.response_code = ResponseCode::ServFail;
        message.answers.clear();
    })
    .await;
    assert_eq!(
        ask(&resolver, "mx.bogus.test", RecordType::A).await,
        "failed servfail"
    );
}

#[tokio::test]
async fn the_status_is_the_ad_bit_of_answers_and_absences_alike() {
    let world = world().await;
    let resolver = believing(&world, |query, message| {
        message.metadata.authentic_data &= query.name().is_root();
    })
    .await;
    for (name, told) in [
        ("mx.secure.test", "insecure records"),
        ("nothing.secure.test", "insecure nxdomain"),
    ] {
        assert_eq!(ask(&resolver, name, RecordType::A).await, told);
    }
    assert_eq!(
        ask(&resolver, "mx.secure.test", RecordType::AAAA).await,
        "insecure nodata"
    );
}

#[tokio::test]
async fn the_alias_is_asked_about_by_itself_only_where_the_whole_is_insecure() {
    let world = world().await;
    world
        .add("in.secure.test", RecordType::CNAME, "mx.hashed.test.")
        .unwrap();
    world
        .add("out.secure.test", RecordType::CNAME, "mx.insecure.test.")
        .unwrap();
    let resolver = resolver(&world, Mode::TrustAd);
    assert_eq!(
        ask(&resolver, "in.secure.test", RecordType::A).await,
        "secure records"
    );
    assert_eq!(world.asked("in.secure.test", RecordType::CNAME), 0);
    assert_eq!(
        ask(&resolver, "out.secure.test", RecordType::A).await,
        "insecure records"
    );
    assert_eq!(world.asked("out.secure.test", RecordType::CNAME), 1);
}

#[tokio::test]
async fn an_alias_that_cannot_be_asked_about_fails_the_look_up() {
    let world = world().await;
    world
        .add("out.secure.test", RecordType::CNAME, "mx.insecure.test.")
        .unwrap();
    let resolver = believing(&world, |query, message| {
        if query.query_type() == RecordType::CNAME {
            message.metadata.response_code = ResponseCode::Refused;
        }
    })
    .await;
    assert_eq!(
        ask(&resolver, "out.secure.test", RecordType::A).await,
        "failed rcode REFUSED"
    );
}

#[tokio::test]
async fn a_server_elsewhere_is_not_believed() {
    let world = world().await;
    let stranger: std::net::SocketAddr = "192.0.2.53:53".parse().unwrap();
    let servers = vec![world.address().into(), stranger.into()];
    let made = Resolver::new(ResolverConfig {
        servers,
        ..config(&world, Mode::TrustAd)
    });
    assert!(matches!(made.err(), Some(ResolverError::NotSecureChannel(_))));
}

#[tokio::test]
async fn one_question_serves_all_who_ask_it_at_once() {
    let world = world().await;
    world.set_ttl(0);
    let resolver = resolver(&world, Mode::TrustAd);
    let name = domain("mx.secure.test");
    let (first, second) = futures_util::future::join(resolver.a(&name), resolver.a(&name)).await;
    assert_eq!(first, second);
    assert_eq!(world.asked("mx.secure.test", RecordType::A), 1);
}
