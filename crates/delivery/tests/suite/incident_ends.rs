//! An incident ends only when what failed is proven to work: mail of another domain through the same host, of which less or
//! something else is demanded, ends nothing.

use mail::sighting::{Ending, Place, Spot, Trouble};
use mail::{Domain, NextHop};
use spool::{Incidents as _, KnownIncident};
use testworld::RecordType;
use testworld::dns::DnsFault;
use testworld::mail::{Identity, MailFault, Receiver, Stage};

use crate::scene::common::{DEFERRED, NO_MATCH, OPPORTUNISTIC, SENT, VERIFIED, reply, signed_mx};
use crate::scene::{Scene, Setting};

const HOST: &str = "mx.provider.test";

/// A host with the domains `a.test` and `b.test`; it has a TLSA record for its certificate, which is one of the WebPKI.
async fn provider(policy: &str) -> (Scene, Identity, Receiver) {
    let setting = Setting {
        webpki: true,
        ..Setting::default()
    };
    let scene = Scene::with(policy, setting).await;
    scene.world.set_ttl(0);
    let identity = scene.identity(HOST);
    let receiver = scene.receiver(2, &identity, vec![]).await;
    let domain = scene.world.domain("provider.test").signed();
    let domain = domain.host(HOST, receiver.address());
    domain.tlsa(identity.tlsa_3_1_1()).add().unwrap();
    for name in ["a", "b"] {
        signed_mx(&scene, name, HOST);
    }
    (scene, identity, receiver)
}

/// The same without TLSA records.
async fn plain_provider(policy: &str) -> (Scene, Identity, Receiver) {
    let (scene, identity, receiver) = provider(policy).await;
    let owner = scene.tlsa_owner(HOST);
    scene.world.remove(&owner, RecordType::TLSA).unwrap();
    (scene, identity, receiver)
}

fn rule(domain: &str, what: &str) -> String {
    format!("[[domain]]\nmatch = \"{domain}\"\n{what}\n")
}

fn policy(rules: &str) -> String {
    format!("{OPPORTUNISTIC}{rules}")
}

/// What there is of this trouble at the host, with how it ended.
async fn at_host(scene: &Scene, trouble: Trouble) -> (KnownIncident, Option<Ending>) {
    let spot = Spot {
        place: Place::Host(Domain::parse(HOST).unwrap()),
        trouble,
    };
    let all = scene.spool.incidents().await.unwrap();
    let mut found: Vec<_> = all.into_iter().filter(|one| one.spot == spot).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    let found = found.remove(0);
    let ending = found.ended.map(|(_, ending)| ending);
    (found, ending)
}

async fn ending(scene: &Scene, trouble: Trouble) -> Option<Ending> {
    at_host(scene, trouble).await.1
}

#[tokio::test]
async fn a_host_that_nobody_needed_opens_no_incident() {
    let (scene, _, receiver) = provider(OPPORTUNISTIC).await;
    let two = scene.world.domain("two.test").signed();
    two.host("mx.two.test", receiver.address())
        .record("two.test", RecordType::MX, "10 mx.provider.test.")
        .record("two.test", RecordType::MX, "20 mx.two.test.")
        .add()
        .unwrap();
    scene.break_tlsa("mx.two.test", DnsFault::ServFail);
    scene.expect("x@two.test", &[SENT, VERIFIED]).await;
    assert!(scene.spool.incidents().await.unwrap().is_empty());
    // Once the first one does not take the message, the other is what holds it up.
    receiver.set_faults(vec![reply(Stage::Mail, "451 4.3.0 later")]);
    scene.expect("x@two.test", &[DEFERRED]).await;
    assert_eq!(scene.spool.incidents().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_forgotten_roll_over_is_not_over_because_an_excepted_domain_gets_through() {
    let rules = policy(&rule("b.test", "dane = \"off\"\ntls = \"verify\""));
    let (scene, old, receiver) = provider(&rules).await;
    let renew = || receiver.set_identity(&scene.identity(HOST));
    let excepted = [
        SENT,
        ("dane", "Skip (Disabled by policy)"),
        ("tlsvalid", "0 (ok)"),
    ];
    renew();
    // Both orders.
    scene.expect("x@b.test", &excepted).await;
    scene.expect_deferred("x@a.test", NO_MATCH, "4.7.5").await;
    scene.expect("x@b.test", &excepted).await;
    let (found, end) = at_host(&scene, Trouble::NoMatchingTlsa).await;
    assert_eq!((found.waiting.messages, end), (1, None));
    // Nor is it over if the host, or the list, is excepted and its certificate is good.
    for kind in ["mx = \"mx.provider.test\"", "domain = \"a.test\""] {
        let exception =
            format!("[[exception]]\n{kind}\ndane = \"off\"\nuntil = 2999-01-01\nreason = \"x\"\n");
        scene.set_policy(&policy(&format!("tls = \"verify\"\n{exception}")));
        scene.expect("x@a.test", &[SENT, ("tlsvalid", "0 (ok)")]).await;
        assert_eq!(ending(&scene, Trouble::NoMatchingTlsa).await, None);
    }
    // A delivery that is verified ends it.
    scene.set_policy(&rules);
    receiver.set_identity(&old);
    scene.expect("x@b.test", &excepted).await;
    assert_eq!(ending(&scene, Trouble::NoMatchingTlsa).await, None);
    scene.expect("x@a.test", &[SENT, VERIFIED]).await;
    assert_eq!(
        ending(&scene, Trouble::NoMatchingTlsa).await,
        Some(Ending::Verified)
    );
}

#[tokio::test]
async fn a_certificate_that_is_demanded_is_not_over_because_others_do_not_demand_it() {
    let rules = policy(&rule("a.test", "tls = \"verify\""));
    let (scene, good, receiver) = plain_provider(&rules).await;
    receiver.set_identity(&Identity::self_signed(&[HOST]).unwrap());
    let free = [SENT, ("dane", "Skip (No secure TLSA RRs)")];
    scene.expect("x@b.test", &free).await;
    scene.expect("x@a.test", &[DEFERRED]).await;
    scene.expect("x@b.test", &free).await;
    let (found, end) = at_host(&scene, Trouble::WebPki).await;
    assert_eq!((found.waiting.messages, end), (1, None));
    // If it is not demanded any more, that is the end.
    scene.set_policy(OPPORTUNISTIC);
    scene.expect("x@b.test", &free).await;
    assert_eq!(ending(&scene, Trouble::WebPki).await, None);
    scene.expect("x@a.test", &free).await;
    assert_eq!(ending(&scene, Trouble::WebPki).await, Some(Ending::NotDemanded));
    // It fails again, and is put right.
    scene.set_policy(&rules);
    scene.expect("x@a.test", &[DEFERRED]).await;
    assert_eq!(ending(&scene, Trouble::WebPki).await, None);
    receiver.set_identity(&good);
    scene.expect("x@b.test", &free).await;
    assert_eq!(ending(&scene, Trouble::WebPki).await, None);
    scene.expect("x@a.test", &[SENT]).await;
    assert_eq!(ending(&scene, Trouble::WebPki).await, Some(Ending::Verified));
}

#[tokio::test]
async fn starttls_is_back_when_anybody_has_it() {
    let (scene, _, receiver) = provider(&policy(&rule("b.test", "dane = \"off\""))).await;
    receiver.set_faults(vec![MailFault::NoStartTls]);
    scene.expect("x@a.test", &[DEFERRED]).await;
    scene.expect("x@b.test", &[SENT, ("tls", "-")]).await;
    let trouble = Trouble::StarttlsNotOffered;
    assert_eq!(ending(&scene, trouble).await, None);
    receiver.set_faults(vec![]);
    scene.expect("x@b.test", &[SENT]).await;
    assert_eq!(ending(&scene, trouble).await, Some(Ending::Encrypted));
}

#[tokio::test]
async fn records_that_are_gone_end_what_they_demanded() {
    let (scene, _, receiver) = provider(OPPORTUNISTIC).await;
    receiver.set_faults(vec![MailFault::NoStartTls]);
    scene.expect("x@a.test", &[DEFERRED]).await;
    let owner = scene.tlsa_owner(HOST);
    scene.world.remove(&owner, RecordType::TLSA).unwrap();
    // Proven by mail of whatever domain.
    scene.expect("x@b.test", &[SENT, ("tls", "-")]).await;
    let end = ending(&scene, Trouble::StarttlsNotOffered).await;
    assert_eq!(end, Some(Ending::Withdrawn));
}

#[tokio::test]
async fn another_port_of_a_host_is_another_service() {
    let (scene, _, receiver) = provider(OPPORTUNISTIC).await;
    scene.expect("x@a.test", &[SENT, VERIFIED]).await;
    // At the other port another server has another certificate.
    let port = testworld::mail::free_port_on(&[receiver.address().ip()]).unwrap();
    let address = (receiver.address().ip(), port).into();
    let other = Identity::self_signed(&[HOST]).unwrap();
    let other = Receiver::builder(HOST).address(address).identity(&other);
    let _other = other.start().await.unwrap();
    let route: NextHop = format!("[{HOST}]:{port}").parse().unwrap();
    let route = format!("route = \"{route}\"\ntls = \"verify\"");
    scene.set_policy(&policy(&rule("b.test", &route)));
    scene.expect("x@b.test", &[DEFERRED]).await;
    let (found, end) = at_host(&scene, Trouble::WebPki).await;
    assert_eq!(
        (found.evidence.port, &found.before, end),
        (Some(port), &None, None)
    );
    // The first port has a good certificate, and says nothing about the other one.
    scene.set_policy(&policy(&rule("a.test", "dane = \"off\"\ntls = \"verify\"")));
    scene.expect("x@a.test", &[SENT, ("tlsvalid", "0 (ok)")]).await;
    assert_eq!(ending(&scene, Trouble::WebPki).await, None);
}
