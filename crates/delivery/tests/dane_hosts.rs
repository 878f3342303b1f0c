//! RFC 7672 §2.1 and §2.2, as whole deliveries show them: which host is tried, what its records demand, and that a
//! failed look-up harms its own host alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod scene;

use scene::Scene;
use scene::common::{OPPORTUNISTIC, WRONG, assert_deferred, assert_line, plain};
use testworld::RecordType;
use testworld::dns::{DnsFault, Questions};
use testworld::mail::{MailFault, Stage};

const VERIFIED: (&str, &str) = ("dane", "Verify (Secure TLSA RRs found)");
const SENT: (&str, &str) = ("status", "sent");

fn asked_for_tlsa(scene: &Scene) -> usize {
    let log = scene.world.queries();
    log.iter()
        .filter(|query| query.record_type == RecordType::TLSA)
        .count()
}

#[tokio::test]
async fn a_failed_look_up_spoils_its_own_host_alone() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.test");
    let first = scene.receiver(2, &identity, vec![]).await;
    let second = scene.receiver(3, &identity, vec![]).await;
    for (name, at_tlsa, fault) in [
        ("addresses", false, DnsFault::ServFail),
        ("records", true, DnsFault::Refused),
        ("garbage", true, DnsFault::Malformed),
    ] {
        let hosts = [1, 2].map(|number| format!("mx{number}.{name}.test"));
        let domain = scene.world.domain(&format!("{name}.test")).signed();
        domain
            .mx(10, &hosts[0], first.address())
            .tlsa(identity.tlsa_3_1_1())
            .mx(20, &hosts[1], second.address())
            .tlsa(identity.tlsa_3_1_1())
            .add()
            .unwrap();
        let questions = if at_tlsa {
            Questions::Of(format!("_{}._tcp.{}", scene.port, hosts[0]), RecordType::TLSA)
        } else {
            Questions::At(hosts[0].clone())
        };
        scene.world.break_dns(&questions, fault).unwrap();
        let line = scene.send_to(&format!("a@{name}.test")).await;
        let relay = format!("{} [127.0.0.3]", hosts[1]);
        assert_line(&line, &[SENT, VERIFIED, ("relay", relay.as_str())]);
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
    let line = scene.send_to("a@apex.test").await;
    assert_deferred(&line, "Fail (MX lookup: servfail)", "4.4.3");
    assert_eq!(
        receiver.connections().len(),
        0,
        "the domain's addresses are no way"
    );
}

#[tokio::test]
async fn a_host_is_not_connected_to_before_its_records_are_known() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.slow.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    scene.domain("slow", &receiver, &identity.tlsa_3_1_1());
    let owner = format!("_{}._tcp.mx.slow.test", scene.port);
    let questions = Questions::Of(owner, RecordType::TLSA);
    scene.world.break_dns(&questions, DnsFault::Silence).unwrap();
    let line = scene.send_to("a@slow.test").await;
    assert_deferred(&line, "Fail (TLSA lookup: timeout)", "4.4.3");
    assert_eq!(receiver.connections().len(), 0);
}

#[tokio::test]
async fn a_host_without_addresses_is_passed_over_and_not_asked_for_records() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx2.none.test");
    let receiver = scene.receiver(3, &identity, vec![]).await;
    let first = format!("_{}._tcp.mx1.none.test", scene.port);
    let domain = scene.world.domain("none.test").signed();
    domain
        .record("none.test", RecordType::MX, "10 mx1.none.test.")
        .record("mx1.none.test", RecordType::TXT, "nobody")
        .record(&first, RecordType::TLSA, WRONG)
        .mx(20, "mx2.none.test", receiver.address())
        .tlsa(identity.tlsa_3_1_1())
        .add()
        .unwrap();
    assert_line(
        &scene.send_to("a@none.test").await,
        &[SENT, VERIFIED, ("relay", "mx2.none.test [127.0.0.3]")],
    );
    assert_eq!(scene.world.asked(&first, RecordType::TLSA), 0);
}

#[tokio::test]
async fn preference_counts_more_than_security() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx2.order.test");
    let first = scene.receiver(2, &identity, vec![]).await;
    let second = scene.receiver(3, &identity, vec![]).await;
    let domain = scene.world.domain("order.test").signed();
    domain
        .mx(20, "mx2.order.test", second.address())
        .tlsa(identity.tlsa_3_1_1())
        .mx(10, "mx1.order.test", first.address())
        .add()
        .unwrap();
    assert_line(
        &scene.send_to("a@order.test").await,
        &[
            SENT,
            ("dane", "Skip (No secure TLSA RRs)"),
            ("relay", "mx1.order.test [127.0.0.2]"),
        ],
    );
    assert_eq!(second.connections().len(), 0);
    // Each host by its own records, whatever those of the host before demanded.
    first.set_faults(vec![MailFault::Reply(Stage::Greeting, "421 4.3.2 later".into())]);
    assert_line(
        &scene.send_to("a@order.test").await,
        &[SENT, VERIFIED, ("relay", "mx2.order.test [127.0.0.3]")],
    );
    let domain = scene.world.domain("turned.test").signed();
    domain
        .mx(10, "mx1.turned.test", second.address())
        .tlsa(WRONG)
        .mx(20, "mx2.turned.test", first.address())
        .add()
        .unwrap();
    first.set_faults(vec![]);
    assert_line(
        &scene.send_to("a@turned.test").await,
        &[
            SENT,
            ("dane", "Skip (No secure TLSA RRs)"),
            ("relay", "mx2.turned.test [127.0.0.2]"),
        ],
    );
}

#[tokio::test]
async fn hosts_of_equal_preference_share_the_mail() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx1.equal.test");
    let first = scene.receiver(2, &identity, vec![]).await;
    let second = scene.receiver(3, &identity, vec![]).await;
    let domain = scene.world.domain("equal.test").signed();
    domain
        .mx(10, "mx1.equal.test", first.address())
        .tlsa(identity.tlsa_3_1_1())
        .mx(10, "mx2.equal.test", second.address())
        .add()
        .unwrap();
    // That one of them gets none of 40 by chance happens once in 5 * 10^11 times.
    for _ in 0..40 {
        assert_line(&scene.send_to("a@equal.test").await, &[SENT]);
    }
    let shares = (first.messages().len(), second.messages().len());
    assert_eq!(shares.0 + shares.1, 40);
    assert!(shares.0 > 0 && shares.1 > 0, "{shares:?}");
}

#[tokio::test]
async fn addresses_are_outside_dane() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = scene.receiver(2, &scene.identity("mx.test"), vec![]).await;
    let domain = scene.world.domain("named.test").signed();
    domain
        .record("named.test", RecordType::MX, "10 127.0.0.2.")
        .add()
        .unwrap();
    for recipient in ["a@[127.0.0.2]", "a@named.test"] {
        let line = scene.send_to(recipient).await;
        assert_line(&line, &[SENT, ("dane", "Skip (Address literal)")]);
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
        .record("port.test", RecordType::MX, "10 gw.port.test.")
        .record(
            "gw.port.test",
            RecordType::A,
            &receiver.address().ip().to_string(),
        )
        .record("_25._tcp.gw.port.test", RecordType::TLSA, WRONG)
        .add()
        .unwrap();
    let line = scene.send_to("a@port.test").await;
    assert_line(&line, &[SENT, ("dane", "Skip (No secure TLSA RRs)")]);
    let owner = format!("_{}._tcp.gw.port.test", scene.port);
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
    let owner = format!("_{}._tcp.mx.own.test", scene.port);
    for (target, status, dane) in [
        ("good.keys.test.", "sent", "Verify (Secure TLSA RRs found)"),
        ("wrong.keys.test.", "deferred", "Fail (No matching TLSA RRs)"),
        ("wrong.plain.test.", "sent", "Skip (No secure TLSA RRs)"),
    ] {
        scene.world.set(&owner, RecordType::CNAME, &[target]).unwrap();
        let line = scene.send_to("a@own.test").await;
        assert_line(&line, &[("status", status), ("dane", dane)]);
        if dane.starts_with("Verify") {
            assert_line(&line, &[("base", "mx.own.test")]);
            assert_eq!(receiver.messages()[0].sni.as_deref(), Some("mx.own.test"));
        }
    }
}

#[tokio::test]
async fn domains_of_one_server_do_not_share_a_connection() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.dane.test");
    let receiver = scene.receiver(2, &identity, vec![MailFault::NoStartTls]).await;
    scene.domain("dane", &receiver, &identity.tlsa_3_1_1());
    plain(&scene, "plain", receiver.address());
    let content = b"Subject: two\r\n\r\nhello\r\n";
    let lines = scene.send(&["a@plain.test", "b@dane.test"], content).await;
    for line in &lines {
        let expected = match line["to"].as_str() {
            "a@plain.test" => [SENT, ("tls", "-")],
            _ => [("status", "deferred"), ("dane", "Fail (STARTTLS not offered)")],
        };
        assert_line(line, &expected);
    }
    assert_eq!((receiver.connections().len(), receiver.messages().len()), (2, 1));
    assert_eq!(receiver.messages()[0].recipients, ["a@plain.test"]);
    receiver.set_faults(vec![]);
    assert_line(&scene.send_to("c@dane.test").await, &[SENT, VERIFIED]);
    assert_line(&scene.send_to("d@plain.test").await, &[SENT]);
    assert_eq!(receiver.connections().len(), 4);
}

#[tokio::test]
async fn an_unproved_server_hears_ehlo_and_no_more() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = scene.receiver(2, &scene.identity("mx.hush.test"), vec![]).await;
    scene.domain("hush", &receiver, WRONG);
    // A mismatch; then a server that would offer STARTTLS only to those who come again.
    for (faults, dane, heard) in [
        (vec![], "Fail (No matching TLSA RRs)", ["EHLO", "STARTTLS"]),
        (
            vec![MailFault::NoStartTls],
            "Fail (STARTTLS not offered)",
            ["EHLO", "QUIT"],
        ),
    ] {
        receiver.clear();
        receiver.set_faults(faults);
        assert_line(
            &scene.send_to("a@hush.test").await,
            &[("status", "deferred"), ("dane", dane)],
        );
        let connections = receiver.connections();
        assert_eq!(connections.len(), 1);
        let verbs = connections[0].commands.iter().filter_map(|line| line.get(..4));
        assert!(verbs.eq(heard.map(|verb| &verb[..4])), "{connections:?}");
    }
}
