//! What a server says about its failure (RFC 8914): passed on for people to read, and decisive for nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{config, domain, forger, world};
use dns::{Mode, NoAnswer, Resolver, ResolverConfig};
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::RecordType;
use hickory_proto::rr::rdata::opt::EdnsOption;
use mail::LookupFailure;
use testworld::dns::{Role, World};

/// Refuses with an extended error.
fn fail(message: &mut Message, code: ResponseCode, said: &[u8]) {
    message.metadata.response_code = code;
    message.answers.clear();
    message.authorities.clear();
    say(message, said);
}

fn say(message: &mut Message, said: &[u8]) {
    let edns = message.edns.as_mut().unwrap();
    edns.options_mut().insert(EdnsOption::Unknown(15, said.to_vec()));
}

async fn behind(
    world: &World,
    mode: Mode,
    forge: impl Fn(&Query, &mut Message) + Send + Sync + 'static,
) -> Resolver {
    world.set_role(match mode {
        Mode::Validate => Role::Forwarder,
        Mode::TrustAd => Role::Validator,
    });
    let servers = vec![forger(world, forge).await.into()];
    Resolver::new(ResolverConfig {
        servers,
        ..config(world, mode)
    })
    .unwrap()
}

async fn failure(resolver: &Resolver, name: &str) -> (LookupFailure, Option<String>) {
    let NoAnswer { cause, extended } = resolver.a(&domain(name)).await.unwrap_err();
    (cause, extended.map(|extended| extended.to_string()))
}

#[tokio::test]
async fn a_refusal_has_the_words_of_the_server() {
    let world = world().await;
    for mode in [Mode::Validate, Mode::TrustAd] {
        let resolver = behind(&world, mode, |query, message| {
            match query.name().to_ascii().as_str() {
                "mx.secure.test." => fail(message, ResponseCode::ServFail, b"\0\x16no server answers"),
                "mx.hashed.test." => fail(message, ResponseCode::Refused, b"\0\x12go\x1baway"),
                "mx.insecure.test." => fail(message, ResponseCode::Refused, b""),
                // An answer is an answer, whatever is said with it.
                "real.wild.secure.test." => say(message, b"\0\x06"),
                _ => {}
            }
        })
        .await;
        let words = |text: &str| Some(text.to_owned());
        assert_eq!(
            failure(&resolver, "mx.secure.test").await,
            (
                LookupFailure::Servfail,
                words("EDE 22 (No Reachable Authority): no server answers")
            ),
            "{mode:?}"
        );
        let refused = || LookupFailure::Rcode("REFUSED".to_owned());
        assert_eq!(
            failure(&resolver, "mx.hashed.test").await,
            (refused(), words("EDE 18 (Prohibited): go?away")),
            "{mode:?}"
        );
        assert_eq!(failure(&resolver, "mx.insecure.test").await, (refused(), None));
        let answered = resolver.a(&domain("real.wild.secure.test")).await.unwrap();
        assert_eq!(answered.security, common::SECURE, "{mode:?}");
    }
}

#[tokio::test]
async fn what_is_said_of_a_key_is_said_of_the_answer() {
    let world = world().await;
    let resolver = behind(&world, Mode::Validate, |query, message| {
        if query.query_type() == RecordType::DNSKEY && !query.name().is_root() {
            fail(message, ResponseCode::ServFail, b"\0\x17");
        }
    })
    .await;
    let (cause, said) = failure(&resolver, "mx.secure.test").await;
    assert_eq!(cause, LookupFailure::Indeterminate);
    assert_eq!(said.as_deref(), Some("EDE 23 (Network Error)"));
}

#[tokio::test]
async fn a_resolver_that_is_believed_says_what_is_bogus_and_others_cannot() {
    let world = world().await;
    let resolver = behind(&world, Mode::TrustAd, |_, _| {}).await;
    assert_eq!(
        failure(&resolver, "mx.bogus.test").await,
        (LookupFailure::Bogus, Some("EDE 6 (DNSSEC Bogus)".to_owned()))
    );
    let resolver = behind(&world, Mode::Validate, |query, message| {
        if query.query_type() == RecordType::A {
            fail(message, ResponseCode::ServFail, b"\0\x06");
        }
    })
    .await;
    assert_eq!(
        failure(&resolver, "mx.secure.test").await,
        (LookupFailure::Servfail, Some("EDE 6 (DNSSEC Bogus)".to_owned()))
    );
}
