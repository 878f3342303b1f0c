//! RFC 7672 §2.1 and §2.2, as whole deliveries show them: which host is tried, what its records demand, and that a
//! failed look-up harms its own host alone.

use crate::scene::Scene;
use crate::scene::common::{
    DEFERRED, NO_MATCH, OPPORTUNISTIC, SENT, SOFT_FAIL, VERIFIED, WRONG, assert_line, hosts, mismatched,
    pair, plain, reply, signed_mx, single, two_receivers,
};
use mail::Domain;
use mail::sighting::{Ending, Place, Spot, Starttls, Trouble};
use spool::{Incidents as _, KnownIncident};
use testworld::RecordType;
use testworld::dns::{DnsFault, Questions};
use testworld::mail::{Identity, MailFault, Receiver, Stage};

const NO_RECORDS: (&str, &str) = ("dane", "Skip (No secure TLSA RRs)");

fn asked_for_tlsa(scene: &Scene) -> usize {
    let log = scene.world.queries();
    log.iter()
        .filter(|query| query.record_type == RecordType::TLSA)
        .count()
}

#[tokio::test]
async fn a_failed_look_up_spoils_its_own_host_alone() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let (identity, first, second) = two_receivers(&scene).await;
    let right = identity.tlsa_3_1_1();
    for (name, at_tlsa, fault) in [
        ("addresses", false, DnsFault::ServFail),
        ("records", true, DnsFault::Refused),
        ("garbage", true, DnsFault::Malformed),
    ] {
        hosts(
            &scene,
            name,
            &[(10, &first, Some(&right)), (20, &second, Some(&right))],
        );
        let host = format!("mx1.{name}.test");
        if at_tlsa {
            scene.break_tlsa(&host, fault);
        } else {
            scene.world.break_dns(&Questions::At(host), fault).unwrap();
        }
        let relay = format!("mx2.{name}.test [127.0.0.3]");
        let expected = [SENT, VERIFIED, ("relay", relay.as_str())];
        scene.expect(&format!("a@{name}.test"), &expected).await;
    }
    assert_eq!((first.connections().len(), second.messages().len()), (0, 3));
}

#[tokio::test]
async fn an_unanswered_mx_question_leads_nowhere() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("apex.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    let domain = scene.world.domain("apex.test").signed();
    domain
        .host("apex.test", receiver.address())
        .tlsa(identity.tlsa_3_1_1())
        .add()
        .unwrap();
    let questions = Questions::Of("apex.test".to_owned(), RecordType::MX);
    scene.world.break_dns(&questions, DnsFault::ServFail).unwrap();
    scene
        .expect_deferred("a@apex.test", "Fail (MX lookup: servfail)", "4.4.3")
        .await;
    assert_eq!(
        receiver.connections().len(),
        0,
        "the domain's addresses are no way"
    );
}

#[tokio::test]
async fn a_host_is_not_connected_to_before_its_records_are_known() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "slow").await;
    scene.break_tlsa("mx.slow.test", DnsFault::Silence);
    scene
        .expect_deferred("a@slow.test", "Fail (TLSA lookup: timeout)", "4.4.3")
        .await;
    assert_eq!(receiver.connections().len(), 0);
}

#[tokio::test]
async fn a_host_without_addresses_is_passed_over_and_not_asked_for_records() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx2.none.test");
    let receiver = scene.receiver(3, &identity, vec![]).await;
    let first = scene.tlsa_owner("mx1.none.test");
    let domain = scene.world.domain("none.test").signed();
    domain
        .record("none.test", RecordType::MX, "10 mx1.none.test.")
        .record("mx1.none.test", RecordType::TXT, "nobody")
        .record(&first, RecordType::TLSA, WRONG)
        .mx(20, "mx2.none.test", receiver.address())
        .tlsa(identity.tlsa_3_1_1())
        .add()
        .unwrap();
    let relay = ("relay", "mx2.none.test [127.0.0.3]");
    scene.expect("a@none.test", &[SENT, VERIFIED, relay]).await;
    assert_eq!(scene.world.asked(&first, RecordType::TLSA), 0);
}

#[tokio::test]
async fn preference_counts_more_than_security() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let (identity, first, second) = two_receivers(&scene).await;
    let right = identity.tlsa_3_1_1();
    hosts(
        &scene,
        "order",
        &[(20, &second, Some(&right)), (10, &first, None)],
    );
    let relay = ("relay", "mx2.order.test [127.0.0.2]");
    scene.expect("a@order.test", &[SENT, NO_RECORDS, relay]).await;
    assert_eq!(second.connections().len(), 0);
    // Each host by its own records, whatever those of the host before demanded.
    first.set_faults(vec![reply(Stage::Greeting, "421 4.3.2 later")]);
    let relay = ("relay", "mx1.order.test [127.0.0.3]");
    scene.expect("a@order.test", &[SENT, VERIFIED, relay]).await;
    hosts(
        &scene,
        "turned",
        &[(10, &second, Some(WRONG)), (20, &first, None)],
    );
    first.set_faults(vec![]);
    let relay = ("relay", "mx2.turned.test [127.0.0.2]");
    scene.expect("a@turned.test", &[SENT, NO_RECORDS, relay]).await;
}

#[tokio::test]
async fn hosts_of_equal_preference_share_the_mail() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let (identity, first, second) = two_receivers(&scene).await;
    let right = identity.tlsa_3_1_1();
    hosts(
        &scene,
        "equal",
        &[(10, &first, Some(&right)), (10, &second, None)],
    );
    // That one of them gets none of 40 by chance happens once in 5 * 10^11 times.
    for _ in 0..40 {
        scene.expect("a@equal.test", &[SENT]).await;
    }
    let shares = (first.messages().len(), second.messages().len());
    assert_eq!(shares.0 + shares.1, 40);
    assert!(shares.0 > 0 && shares.1 > 0, "{shares:?}");
}

#[tokio::test]
async fn addresses_are_outside_dane() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = scene.receiver(2, &scene.identity("mx.test"), vec![]).await;
    signed_mx(&scene, "named", "127.0.0.2");
    for recipient in ["a@[127.0.0.2]", "a@named.test"] {
        let literal = ("dane", "Skip (Address literal)");
        scene.expect(recipient, &[SENT, literal]).await;
    }
    assert_eq!((receiver.messages().len(), asked_for_tlsa(&scene)), (2, 0));
}

#[tokio::test]
async fn records_of_another_port_are_not_the_hosts() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("gw.port.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    let domain = scene.world.domain("port.test").signed();
    domain
        .mx(10, "gw.port.test", receiver.address())
        .record("_25._tcp.gw.port.test", RecordType::TLSA, WRONG)
        .add()
        .unwrap();
    scene.expect("a@port.test", &[SENT, NO_RECORDS]).await;
    let owner = scene.tlsa_owner("gw.port.test");
    assert_eq!(scene.world.asked(&owner, RecordType::TLSA), 1);
    assert_eq!(scene.world.asked("_25._tcp.gw.port.test", RecordType::TLSA), 0);
}

#[tokio::test]
async fn the_records_may_stand_behind_an_alias_of_their_own() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.own.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    for (zone, signed) in [("keys.test", true), ("plain.test", false)] {
        let domain = scene.world.domain(zone);
        let domain = if signed {
            domain.signed()
        } else {
            domain.unsigned()
        };
        let good = identity.tlsa_2_1_1();
        domain
            .record(&format!("good.{zone}"), RecordType::TLSA, &good)
            .record(&format!("wrong.{zone}"), RecordType::TLSA, WRONG)
            .add()
            .unwrap();
    }
    scene.world.set_ttl(0);
    let domain = scene.world.domain("own.test").signed();
    domain.mx(10, "mx.own.test", receiver.address()).add().unwrap();
    let owner = scene.tlsa_owner("mx.own.test");
    for (target, status, dane) in [
        ("good.keys.test.", SENT, VERIFIED),
        ("wrong.keys.test.", DEFERRED, ("dane", NO_MATCH)),
        ("wrong.plain.test.", SENT, NO_RECORDS),
    ] {
        scene.world.set(&owner, RecordType::CNAME, &[target]).unwrap();
        let line = scene.expect("a@own.test", &[status, dane]).await;
        if dane == VERIFIED {
            assert_line(&line, &[("base", "mx.own.test")]);
            assert_eq!(receiver.messages()[0].sni.as_deref(), Some("mx.own.test"));
        }
    }
}

#[tokio::test]
async fn domains_of_one_server_do_not_share_a_connection() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "dane").await;
    receiver.set_faults(vec![MailFault::NoStartTls]);
    plain(&scene, "plain", receiver.address());
    let content = b"Subject: two\r\n\r\nhello\r\n";
    let lines = scene.send(&["a@plain.test", "b@dane.test"], content).await;
    for line in &lines {
        let expected = match line["to"].as_str() {
            "a@plain.test" => [SENT, ("tls", "-")],
            _ => [DEFERRED, ("dane", "Fail (STARTTLS not offered)")],
        };
        assert_line(line, &expected);
    }
    assert_eq!((receiver.connections().len(), receiver.messages().len()), (2, 1));
    assert_eq!(receiver.messages()[0].recipients, ["a@plain.test"]);
    receiver.set_faults(vec![]);
    scene.expect("c@dane.test", &[SENT, VERIFIED]).await;
    scene.expect("d@plain.test", &[SENT]).await;
    assert_eq!(receiver.connections().len(), 4);
}

#[tokio::test]
async fn an_unproved_server_hears_ehlo_and_no_more() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = mismatched(&scene, "hush").await;
    // A mismatch; then a server that would offer STARTTLS only to those who come again.
    for (faults, dane, heard) in [
        (vec![], NO_MATCH, ["EHLO", "STARTTLS"]),
        (
            vec![MailFault::NoStartTls],
            "Fail (STARTTLS not offered)",
            ["EHLO", "QUIT"],
        ),
    ] {
        receiver.clear();
        receiver.set_faults(faults);
        scene.expect("a@hush.test", &[DEFERRED, ("dane", dane)]).await;
        let connections = receiver.connections();
        assert_eq!(connections.len(), 1);
        let verbs = connections[0].commands.iter().filter_map(|line| line.get(..4));
        assert!(verbs.eq(heard.map(|verb| &verb[..4])), "{connections:?}");
    }
}

/// `NAME.test` for each of these, all of them with the host `mx.provider.test`.
async fn provider(scene: &Scene, names: &[&str]) -> (Identity, Receiver) {
    let identity = scene.identity("mx.provider.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    let domain = scene.world.domain("provider.test").signed();
    domain
        .host("mx.provider.test", receiver.address())
        .tlsa(identity.tlsa_3_1_1())
        .add()
        .unwrap();
    for name in names {
        signed_mx(scene, name, "mx.provider.test");
    }
    (identity, receiver)
}

async fn incidents(scene: &Scene) -> Vec<KnownIncident> {
    scene.spool.incidents().await.unwrap()
}

#[tokio::test]
async fn a_forgotten_roll_over_is_one_incident_until_a_delivery_is_verified() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let (old, receiver) = provider(&scene, &["a", "b", "c", "d"]).await;
    scene.expect("x@a.test", &[SENT, VERIFIED]).await;
    assert!(incidents(&scene).await.is_empty());
    let new = scene.identity("mx.provider.test");
    receiver.set_identity(&new);
    scene.expect_deferred("x@b.test", NO_MATCH, "4.7.5").await;
    scene.expect_deferred("x@c.test", NO_MATCH, "4.7.5").await;
    let found = incidents(&scene).await;
    assert_eq!(found.len(), 1, "{found:?}");
    let incident = &found[0];
    let spot = Spot {
        place: Place::Host(Domain::parse("mx.provider.test").unwrap()),
        trouble: Trouble::NoMatchingTlsa,
    };
    assert_eq!(incident.spot, spot);
    assert_eq!(incident.domains.len(), 2);
    assert_eq!(incident.waiting.messages, 2);
    let before = incident.before.as_ref().unwrap();
    assert_eq!(before.evidence.leaf_key(), Some(old.tlsa_3_1_1().as_str()));
    assert_eq!(incident.evidence.leaf_key(), Some(new.tlsa_3_1_1().as_str()));
    assert_eq!(before.evidence.published, incident.evidence.published);
    assert_eq!(incident.evidence.published, [old.tlsa_3_1_1()]);
    assert!(incident.evidence.presented.len() > 1, "the issuer is shown");
    assert_eq!(incident.evidence.starttls, Starttls::Offered);
    receiver.set_identity(&old);
    scene.expect("x@d.test", &[SENT, VERIFIED]).await;
    let ended = incidents(&scene).await.remove(0).ended.unwrap();
    assert_eq!(ended.1, Ending::Verified);
}

#[tokio::test]
async fn what_fails_at_one_host_of_two_is_an_incident_for_which_nothing_waits() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let (first, _second) = pair(&scene, "two").await;
    first.set_faults(vec![MailFault::NoStartTls]);
    scene.expect("x@two.test", &[SENT, VERIFIED]).await;
    let found = incidents(&scene).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].spot.trouble, Trouble::StarttlsNotOffered);
    assert_eq!(found[0].evidence.starttls, Starttls::NotOffered);
    assert_eq!(found[0].evidence.published.len(), 1);
    assert_eq!((found[0].waiting.messages, found[0].ended), (0, None));
}

#[tokio::test]
async fn what_passes_under_soft_fail_or_an_exception_has_not_healed() {
    let scene = Scene::new(SOFT_FAIL).await;
    scene.world.set_ttl(0);
    let (_, receiver) = provider(&scene, &["a", "b", "c"]).await;
    receiver.set_identity(&scene.identity("mx.provider.test"));
    scene.expect("x@a.test", &[SENT]).await;
    let off = format!(
        "{OPPORTUNISTIC}[[exception]]\nmx = \"mx.provider.test\"\ndane = \"off\"\nuntil = 2999-01-01\nreason = \"x\"\n"
    );
    scene.set_policy(&off);
    scene.expect("x@b.test", &[SENT]).await;
    let found = incidents(&scene).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].waiting.messages, found[0].ended), (0, None));
    // Without records there is nothing left to fail.
    scene.set_policy(OPPORTUNISTIC);
    let owner = scene.tlsa_owner("mx.provider.test");
    scene.world.remove(&owner, RecordType::TLSA).unwrap();
    scene.expect("x@c.test", &[SENT, NO_RECORDS]).await;
    let ended = incidents(&scene).await.remove(0).ended.unwrap();
    assert_eq!(ended.1, Ending::Withdrawn);
}
