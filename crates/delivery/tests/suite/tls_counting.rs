//! What is counted for TLS reports (RFC 8460), and that our own reports are not stopped by what they report.

use std::time::Duration;

use crate::scene::common::{
    DEFERRED, LETTER, NO_MATCH, OPPORTUNISTIC, SENT, SOFT_FAIL, STRICT, UNUSABLE, VERIFIED, WRONG, ago,
    assert_deferred, hosts, mismatched, plain, reply, signed_mx, single, two_receivers, unsigned,
};
use crate::scene::{Scene, Setting, envelope};
use jiff::Timestamp;
use mail::{Domain, TlsDetail, TlsPolicy, TlsTag, TlsTally};
use spool::TlsTallies as _;
use testworld::RecordType;
use testworld::dns::{DnsFault, Questions};
use testworld::mail::{MailFault, Receiver, Stage};

/// A scene in which connections are kept as they are by default: [`fresh`] makes them new.
async fn scene(policy: &str) -> Scene {
    Scene::with(policy, Setting::reusing()).await
}

/// The next message gets a new connection, and nothing is remembered of the servers.
pub(crate) fn fresh(scene: &Scene) {
    scene.scheduler().forget(delivery::Forget::All);
}

impl Scene {
    /// What is counted for the report of a domain, on whatever day it is.
    pub(crate) async fn counted(&self, domain: &str) -> Vec<TlsTally> {
        let domain = Domain::parse(domain).unwrap();
        let mut all = Vec::new();
        for day in self.spool.tls_days().await.unwrap() {
            all.extend(self.spool.tls_tallies(day.day, domain.clone()).await.unwrap());
        }
        all
    }

    /// The same in a line: `tlsa 1/2 validation-failure*2, none 1/0`: sessions met and failed, and kinds of failure.
    pub(crate) async fn counted_line(&self, domain: &str) -> String {
        let tallies = self.counted(domain).await;
        let mut all: Vec<String> = tallies.iter().map(line).collect();
        all.sort();
        if all.is_empty() {
            "-".to_owned()
        } else {
            all.join(", ")
        }
    }
}

fn line(tally: &TlsTally) -> String {
    let kind = match &tally.policy {
        TlsPolicy::Tlsa { .. } => "tlsa",
        TlsPolicy::Sts { .. } => "sts",
        TlsPolicy::None { .. } => "none",
    };
    let mut kinds: Vec<String> = tally.details.iter().map(detail).collect();
    kinds.sort();
    let mut line = format!("{kind} {}/{}", tally.successes, tally.failures);
    for kind in kinds {
        line.push(' ');
        line.push_str(&kind);
    }
    line
}

fn detail(detail: &TlsDetail) -> String {
    match detail.count {
        1 => detail.failure.result.to_string(),
        many => format!("{}*{many}", detail.failure.result),
    }
}

#[tokio::test]
async fn a_session_counts_once_however_many_messages_it_takes() {
    let scene = scene(OPPORTUNISTIC).await;
    let receiver = single(&scene, "good").await;
    for _ in 0..3 {
        scene.expect("a@good.test", &[SENT, VERIFIED]).await;
    }
    assert_eq!(receiver.connections().len(), 1);
    for domain in ["good.test", "mx.good.test"] {
        assert_eq!(scene.counted_line(domain).await, "tlsa 1/0", "{domain}");
    }
    let tally = scene.counted("good.test").await.remove(0);
    let TlsPolicy::Tlsa { base, records } = tally.policy else {
        panic!("no TLSA")
    };
    assert_eq!((base.as_str(), records.len()), ("mx.good.test", 1));
    assert!(
        records[0].starts_with("3 1 1 ") && records[0].len() == 70,
        "{records:?}"
    );
}

/// Domains at one provider share its sessions, and each has a report of its own.
#[tokio::test]
async fn a_session_counts_once_for_each_destination() {
    let scene = scene(OPPORTUNISTIC).await;
    let receiver = single(&scene, "provider").await;
    for name in ["one", "two"] {
        signed_mx(&scene, name, "mx.provider.test");
    }
    for domain in ["provider", "one", "two", "one", "two"] {
        let recipient = format!("a@{domain}.test");
        scene.expect(&recipient, &[SENT, VERIFIED]).await;
    }
    assert_eq!(receiver.connections().len(), 1);
    for (domain, counted) in [
        ("provider.test", "tlsa 1/0"),
        ("one.test", "tlsa 1/0"),
        ("two.test", "tlsa 1/0"),
        ("mx.provider.test", "tlsa 3/0"),
    ] {
        assert_eq!(scene.counted_line(domain).await, counted, "{domain}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_host_under_dane_has_its_kind() {
    let scene = scene(OPPORTUNISTIC).await;
    let receiver = single(&scene, "dane").await;
    for fault in [
        MailFault::NoStartTls,
        reply(Stage::StartTls, "454 4.7.0 no"),
        MailFault::CloseInHandshake,
    ] {
        receiver.set_faults(vec![fault]);
        fresh(&scene);
        scene.expect("a@dane.test", &[DEFERRED]).await;
    }
    receiver.set_faults(vec![]);
    fresh(&scene);
    scene.expect("a@dane.test", &[SENT]).await;
    let kinds = "tlsa 1/3 starttls-not-supported validation-failure validation-failure";
    assert_eq!(scene.counted_line("dane.test").await, kinds);
    let details = scene.counted("dane.test").await.remove(0).details;
    let starttls = details
        .iter()
        .find(|one| one.failure.result == mail::TlsResult::StarttlsNotSupported);
    let failure = &starttls.unwrap().failure;
    assert_eq!(failure.mx_host.as_ref().map(Domain::as_str), Some("mx.dane.test"));
    assert_eq!(failure.receiving_ip, Some([127, 0, 0, 2].into()));
    assert!(failure.sending_ip.is_some_and(|sending| sending.is_loopback()));
    assert_eq!(failure.mx_helo.as_deref(), Some("mx.test"));
    assert_eq!(failure.reason, None);
    let reasons: Vec<&str> = details
        .iter()
        .filter_map(|one| one.failure.reason.as_deref())
        .collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
}

#[tokio::test]
async fn every_host_on_the_way_counts() {
    let scene = scene(OPPORTUNISTIC).await;
    let (identity, first, second) = two_receivers(&scene).await;
    let right = identity.tlsa_3_1_1();
    hosts(
        &scene,
        "two",
        &[(10, &first, Some(WRONG)), (20, &second, Some(&right))],
    );
    scene.expect("a@two.test", &[SENT, VERIFIED]).await;
    assert_eq!(
        scene.counted_line("two.test").await,
        "tlsa 0/1 validation-failure, tlsa 1/0"
    );
    assert_eq!(
        scene.counted_line("mx1.two.test").await,
        "tlsa 0/1 validation-failure"
    );
    assert_eq!(scene.counted_line("mx2.two.test").await, "tlsa 1/0");
}

#[tokio::test]
async fn a_host_that_is_passed_over_counts_for_what_is_published() {
    let scene = scene("version = 1\n[default]\ndane = \"opportunistic\"\n[[domain]]\nmatch = [\"strict.test\"]\ndane = \"strict\"\n").await;
    let receiver = single(&scene, "bogus").await;
    scene.break_tlsa("mx.bogus.test", DnsFault::BadSignature);
    scene.expect("a@bogus.test", &[DEFERRED]).await;
    assert_eq!(scene.counted_line("bogus.test").await, "tlsa 0/1 dnssec-invalid");
    assert_eq!(
        scene.counted_line("mx.bogus.test").await,
        "tlsa 0/1 dnssec-invalid"
    );
    // An outage of DNS is no failure of TLS.
    let identity = scene.identity("mx.down.test");
    scene.domain("down", &receiver, &identity.tlsa_3_1_1());
    scene.break_tlsa("mx.down.test", DnsFault::ServFail);
    scene.expect("a@down.test", &[DEFERRED]).await;
    assert_eq!(scene.counted_line("down.test").await, "-");
    plain(&scene, "strict", receiver.address());
    scene.expect("a@strict.test", &[DEFERRED]).await;
    assert_eq!(scene.counted_line("strict.test").await, "tlsa 0/1 dane-required");
    // The whole domain is bogus.
    let name = "lost.test";
    scene
        .world
        .domain(name)
        .signed()
        .mx(10, "mx.lost.test", receiver.address())
        .add()
        .unwrap();
    let questions = Questions::Of(name.to_owned(), RecordType::MX);
    scene.world.break_dns(&questions, DnsFault::BadSignature).unwrap();
    scene.expect("a@lost.test", &[DEFERRED]).await;
    assert_eq!(scene.counted_line(name).await, "tlsa 0/1 dnssec-invalid");
    assert!(receiver.connections().is_empty());
}

#[tokio::test]
async fn unusable_records_count_as_failed_though_mail_is_delivered() {
    let scene = scene(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.odd.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    scene.domain("odd", &receiver, UNUSABLE);
    scene.expect("a@odd.test", &[SENT]).await;
    assert_eq!(scene.counted_line("odd.test").await, "tlsa 0/1 tlsa-invalid");
    let details = scene.counted("odd.test").await.remove(0).details;
    let reason = details[0].failure.reason.as_deref();
    assert_eq!(reason, Some("none of the TLSA records is usable"));
    receiver.set_faults(vec![MailFault::NoStartTls]);
    fresh(&scene);
    scene.expect("a@odd.test", &[DEFERRED]).await;
    let both = "tlsa 0/2 starttls-not-supported tlsa-invalid";
    assert_eq!(scene.counted_line("odd.test").await, both);
}

#[tokio::test]
async fn soft_fail_delivers_and_counts_a_failure() {
    let scene = scene(SOFT_FAIL).await;
    let _receiver = mismatched(&scene, "soft").await;
    scene.expect("a@soft.test", &[SENT]).await;
    assert_eq!(
        scene.counted_line("soft.test").await,
        "tlsa 0/1 validation-failure"
    );
}

/// Without roots here nothing is known of MTA-STS, so that nothing is said of domains that publish no TLSA records, either.
#[tokio::test]
async fn that_nothing_is_published_is_said_only_by_who_has_looked() {
    let scene = scene(OPPORTUNISTIC).await;
    let _receiver = unsigned(&scene, "plain").await;
    scene.expect("a@plain.test", &[SENT]).await;
    assert_eq!(scene.counted_line("plain.test").await, "-");
}

#[tokio::test]
async fn what_says_nothing_about_tls_does_not_count() {
    let scene = scene(OPPORTUNISTIC).await;
    let receiver = single(&scene, "shy").await;
    receiver.set_faults(vec![reply(Stage::Greeting, "554 no")]);
    scene.expect("a@shy.test", &[DEFERRED]).await;
    let address = receiver.address();
    drop(receiver);
    scene.expect("a@shy.test", &[DEFERRED]).await;
    assert_eq!(scene.counted_line("shy.test").await, "-", "{address}");
}

/// A message with this tag, and its line.
async fn send(scene: &Scene, recipient: &str, tag: TlsTag) -> crate::scene::Line {
    let mut report = envelope("", &[recipient], LETTER);
    report.parameters.tls = tag;
    let id = scene.queue_envelope(report, LETTER, Timestamp::now()).await;
    scene.lines(id, 1).await.remove(0)
}

#[tokio::test]
async fn our_own_reports_are_not_stopped_by_what_they_report_and_not_counted() {
    for policy in [
        OPPORTUNISTIC,
        STRICT,
        "version = 1\n[default]\ndane = \"strict\"\ntls = \"verify\"\nhonor_tls_required_no = false\n",
    ] {
        let scene = scene(policy).await;
        let receiver = mismatched(&scene, "broken").await;
        let line = send(&scene, "reports@broken.test", TlsTag::OwnReport).await;
        assert_eq!(
            (line["status"].as_str(), line["dane"].as_str()),
            ("sent", "Skip (TLS-Required: No)")
        );
        // A receiver without TLS gets it, too.
        receiver.set_faults(vec![MailFault::NoStartTls]);
        fresh(&scene);
        let line = send(&scene, "reports@broken.test", TlsTag::OwnReport).await;
        assert_eq!((line["status"].as_str(), line["tls"].as_str()), ("sent", "-"));
        // Its insecure neighbour, where `strict` demands DANE.
        plain(&scene, "unsigned", receiver.address());
        assert_eq!(
            send(&scene, "reports@unsigned.test", TlsTag::OwnReport).await["status"],
            "sent"
        );
        for domain in ["broken.test", "mx.broken.test", "unsigned.test"] {
            assert_eq!(scene.counted_line(domain).await, "-", "{domain}");
        }
        // Other mail without a sender is stopped, and counted.
        receiver.set_faults(vec![]);
        fresh(&scene);
        let line = send(&scene, "reports@broken.test", TlsTag::Usual).await;
        assert_deferred(&line, NO_MATCH, "4.7.5");
        assert_eq!(
            scene.counted_line("broken.test").await,
            "tlsa 0/1 validation-failure"
        );
    }
}

#[tokio::test]
async fn our_own_reports_wait_for_dns_and_end_after_a_day() {
    let scene = scene(OPPORTUNISTIC).await;
    let receiver: Receiver = single(&scene, "lost").await;
    let questions = Questions::Of("lost.test".to_owned(), RecordType::MX);
    scene.world.break_dns(&questions, DnsFault::BadSignature).unwrap();
    for (hours, tag, status) in [
        (0, TlsTag::OwnReport, "deferred"),
        (23, TlsTag::OwnReport, "deferred"),
        (25, TlsTag::OwnReport, "expired"),
        // Other mail without a sender is tried for five days.
        (25, TlsTag::Usual, "deferred"),
    ] {
        let mut report = envelope("", &["reports@lost.test"], LETTER);
        report.parameters.tls = tag;
        let id = scene
            .queue_envelope(report, LETTER, ago(Duration::from_hours(hours)))
            .await;
        let line = scene.lines(id, 1).await.remove(0);
        assert_eq!(line["status"], status, "{hours} hours, {tag:?}: {line:?}");
    }
    // Nobody is told of it.
    assert!(receiver.messages().is_empty());
    assert!(scene.unreported().await.is_empty());
}
