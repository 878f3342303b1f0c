//! What can be changed while the resolver runs, and what it notices by itself.

use std::time::Duration;

use crate::common::{domain, world};
use dns::{Mode, ResolverError, Server, TrustAnchors};
use hickory_proto::rr::RecordType;
use testworld::dns::{DnsFault, Role};
use tokio::time::timeout;

#[tokio::test]
async fn a_negative_trust_anchor_takes_effect_and_ends_at_once() {
    let world = world().await;
    world.set_ttl(3600);
    world.has("over.secure.test CNAME mx.hashed.test.");
    let resolver = world.resolver(Mode::Validate);
    let told = async || {
        [
            resolver.ask("mx.bogus.test A").await,
            resolver.ask("over.secure.test A").await,
            resolver.ask("mx.secure.test A").await,
        ]
    };
    let ordinary = ["failed bogus", "secure records", "secure records"];
    assert_eq!(told().await, ordinary);
    resolver.set_domain_insecure(&[domain("bogus.test"), domain("hashed.test")]);
    // An answer that was kept is not used where an alias of it leads below the anchor; others stay.
    assert_eq!(
        told().await,
        ["insecure records", "insecure records", "secure records"]
    );
    resolver.set_domain_insecure(&[]);
    assert_eq!(told().await, ordinary);
    assert_eq!(world.count("mx.secure.test A"), 1, "it was not concerned");
}

#[tokio::test]
async fn other_trust_anchors_take_effect_at_once_and_nothing_found_with_the_old_is_kept() {
    let (world, other) = (world().await, world().await);
    world.set_ttl(3600);
    let anchors = |text: String| TrustAnchors::parse(&text).unwrap();
    let own = world.trust_anchor_ds().unwrap();
    let resolver = world.resolver(Mode::Validate);
    let told = async || {
        [
            resolver.ask("mx.secure.test A").await,
            resolver.ask("nothing.hashed.test A").await,
        ]
    };
    let ordinary = ["secure records", "secure nxdomain"];
    assert_eq!(told().await, ordinary);
    assert_eq!(told().await, ordinary);
    assert_eq!(world.count("mx.secure.test A"), 1, "it was kept");
    assert!(!resolver.set_trust_anchors(&anchors(own.clone())).unwrap());
    assert_eq!(told().await, ordinary);
    assert_eq!(world.count("mx.secure.test A"), 1, "nothing has changed");

    let foreign = anchors(other.trust_anchor_ds().unwrap());
    assert!(resolver.set_trust_anchors(&foreign).unwrap());
    assert_eq!(told().await, ["failed bogus", "failed bogus"]);
    // An anchor for one zone only: no chain leads to the others any more.
    let answers = world.genuine("secure.test DS").await.answers;
    let ds = answers
        .iter()
        .find(|record| record.record_type() == RecordType::DS);
    let one = anchors(format!("secure.test. IN DS {}", ds.unwrap().data));
    assert!(resolver.set_trust_anchors(&one).unwrap());
    assert_eq!(told().await, ["secure records", "insecure nxdomain"]);
    assert!(resolver.set_trust_anchors(&anchors(own)).unwrap());
    assert_eq!(told().await, ordinary);
    let soon = Duration::from_secs(1);
    assert!(
        timeout(soon, resolver.doubted()).await.is_ok(),
        "a self-test is called for"
    );
}

#[tokio::test]
async fn a_flush_concerns_a_name_what_is_below_it_and_its_mail_exchangers() {
    let world = world().await;
    world.set_ttl(3600);
    world.has("far.secure.test MX 10 mx.hashed.test.");
    let resolver = world.resolver(Mode::Validate);
    let ask_all = async || {
        resolver.mx(&domain("far.secure.test")).await.unwrap();
        for host in ["mx.hashed.test A", "mx.secure.test A"] {
            resolver.ask(host).await;
        }
        ["far.secure.test MX", "mx.hashed.test A", "mx.secure.test A"].map(|question| world.count(question))
    };
    assert_eq!(ask_all().await, [1, 1, 1]);
    resolver.flush(&domain("far.secure.test"));
    assert_eq!(ask_all().await, [2, 2, 1]);
    resolver.flush_all();
    assert_eq!(ask_all().await, [3, 3, 2]);
}

#[tokio::test]
async fn another_mode_forgets_what_the_first_said() {
    let world = world().await;
    world.set_ttl(3600);
    let resolver = world.resolver(Mode::Validate);
    resolver.tells("mx.secure.test A -> secure records").await;
    // The servers do not validate: believing them gives nothing, validating here goes on.
    resolver.set_mode(Mode::TrustAd).unwrap();
    assert_eq!(resolver.mode(), Mode::TrustAd);
    resolver.tells("mx.secure.test A -> failed indeterminate").await;
    resolver.set_mode(Mode::Validate).unwrap();
    resolver.tells("mx.secure.test A -> secure records").await;
    // What was shown before does not count: a server may have been replaced meanwhile.
    world.set_role(Role::Validator);
    resolver.set_mode(Mode::TrustAd).unwrap();
    resolver.tells("mx.secure.test A -> secure records").await;
}

#[tokio::test]
async fn a_mode_that_would_be_refused_at_the_start_is_refused_later() {
    let world = world().await;
    let stranger = "192.0.2.53:53".parse().unwrap();
    let resolver = world.asking(Mode::Validate, [Server::Plain(stranger)]);
    assert!(matches!(
        resolver.set_mode(Mode::TrustAd),
        Err(ResolverError::NotSecureChannel(_))
    ));
    assert_eq!(resolver.mode(), Mode::Validate);
}

#[tokio::test]
async fn failures_in_a_row_raise_a_doubt_and_an_answer_ends_the_row() {
    let world = world().await;
    world.breaks_below("bogus.test", DnsFault::Refused);
    let resolver = world.resolver(Mode::TrustAd);
    let fail = async |from: usize, to: usize| {
        for number in from..to {
            resolver.tells(&format!("n{number}.bogus.test A -> failed")).await;
        }
    };
    let doubted = async || {
        timeout(Duration::from_millis(50), resolver.doubted())
            .await
            .is_ok()
    };
    fail(0, 4).await;
    resolver.tells("mx.secure.test A -> secure records").await;
    fail(4, 8).await;
    assert!(!doubted().await);
    fail(8, 9).await;
    assert!(doubted().await);
    assert!(!doubted().await, "it was said");
}
