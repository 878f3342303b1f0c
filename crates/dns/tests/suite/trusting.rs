//! What is particular to believing another's AD bit.

use crate::common::{Client, Scene, config, domain, world};
use dns::{Mode, Resolver, ResolverConfig, ResolverError};
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::RecordType;

async fn believing(world: &Scene, forge: impl Fn(&Query, &mut Message) + Send + Sync + 'static) -> Client {
    world.behind(Mode::TrustAd, forge).await
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
    resolver.tells("mx.bogus.test A -> failed bogus").await;
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
    resolver.tells("mx.bogus.test A -> failed servfail").await;
}

#[tokio::test]
async fn the_status_is_the_ad_bit_of_answers_and_absences_alike() {
    let world = world().await;
    let resolver = believing(&world, |query, message| {
        message.metadata.authentic_data &= query.name().is_root();
    })
    .await;
    let lines = "mx.secure.test      A    -> insecure records
                 nothing.secure.test A    -> insecure nxdomain
                 mx.secure.test      AAAA -> insecure nodata";
    resolver.tells(lines).await;
}

#[tokio::test]
async fn the_alias_is_asked_about_by_itself_only_where_the_whole_is_insecure() {
    let world = world().await;
    world.has("in.secure.test CNAME mx.hashed.test.");
    world.has("out.secure.test CNAME mx.insecure.test.");
    let resolver = world.resolver(Mode::TrustAd);
    resolver.tells("in.secure.test A -> secure records").await;
    assert_eq!(world.count("in.secure.test CNAME"), 0);
    resolver.tells("out.secure.test A -> insecure records").await;
    assert_eq!(world.count("out.secure.test CNAME"), 1);
}

#[tokio::test]
async fn an_alias_that_cannot_be_asked_about_fails_the_look_up() {
    let world = world().await;
    world.has("out.secure.test CNAME mx.insecure.test.");
    let resolver = believing(&world, |query, message| {
        if query.query_type() == RecordType::CNAME {
            message.metadata.response_code = ResponseCode::Refused;
        }
    })
    .await;
    resolver.tells("out.secure.test A -> failed rcode REFUSED").await;
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
    let resolver = world.resolver(Mode::TrustAd);
    let name = domain("mx.secure.test");
    let (first, second) = futures_util::future::join(resolver.a(&name), resolver.a(&name)).await;
    assert_eq!(first, second);
    assert_eq!(world.count("mx.secure.test A"), 1);
}
