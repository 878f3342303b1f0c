//! What a server says about its failure (RFC 8914): passed on for people to read, and decisive for nothing else.

use crate::common::{Client, MODES, domain, world};
use dns::{Mode, NoAnswer};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;
use hickory_proto::rr::rdata::opt::EdnsOption;
use mail::{LookupFailure, Security};

/// Refuses with an extended error.
fn fail(message: &mut Message, code: ResponseCode, said: &[u8]) {
    crate::common::fail(message, code);
    say(message, said);
}

fn say(message: &mut Message, said: &[u8]) {
    let edns = message.edns.as_mut().unwrap();
    edns.options_mut().insert(EdnsOption::Unknown(15, said.to_vec()));
}

/// Why there is no address, and what was said with it.
async fn failure(resolver: &Client, name: &str) -> (LookupFailure, Option<String>) {
    let failure: NoAnswer = resolver.a(&domain(name)).await.unwrap_err();
    (failure.cause.clone(), failure.extended().map(ToString::to_string))
}

#[tokio::test]
async fn a_refusal_has_the_words_of_the_server() {
    let world = world().await;
    for mode in MODES {
        let resolver = world
            .behind(mode, |query, message| {
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
        let refused = || LookupFailure::Rcode("REFUSED".to_owned());
        for (name, cause, words) in [
            (
                "mx.secure.test",
                LookupFailure::Servfail,
                "EDE 22 (No Reachable Authority): no server answers",
            ),
            ("mx.hashed.test", refused(), "EDE 18 (Prohibited): go?away"),
        ] {
            let told = failure(&resolver, name).await;
            assert_eq!(told, (cause, Some(words.to_owned())), "{mode:?}");
        }
        assert_eq!(failure(&resolver, "mx.insecure.test").await, (refused(), None));
        let answered = resolver.a(&domain("real.wild.secure.test")).await.unwrap();
        assert_eq!(answered.security, Security::Secure, "{mode:?}");
    }
}

#[tokio::test]
async fn what_is_said_of_a_key_is_said_of_the_answer() {
    let world = world().await;
    let resolver = world
        .behind(Mode::Validate, |query, message| {
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
    let resolver = world.behind(Mode::TrustAd, |_, _| {}).await;
    assert_eq!(
        failure(&resolver, "mx.bogus.test").await,
        (LookupFailure::Bogus, Some("EDE 6 (DNSSEC Bogus)".to_owned()))
    );
    let resolver = world
        .behind(Mode::Validate, |query, message| {
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
