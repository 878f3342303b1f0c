//! MTA-STS (RFC 8461) beside DANE, with real policy hosts; and what messages ask of TLS for themselves (RFC 8689).

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::scene::common::{
    BOUNCED, DEFERRED, LETTER, SENT, UNUSABLE, WRONG, assert_line, commands, unsigned_mx,
};
use crate::scene::{Line, Scene, Setting, envelope, surroundings};
use crate::tls_counting::fresh;
use delivery::route::StsLookups;
use dns::Mode;
use futures_util::future::join_all;
use jiff::Timestamp;
use mail::sighting::{Ending, Trouble};
use mail::{Domain, TlsTag};
use mta_sts::AddressLookup as _;
use spool::Incidents as _;
use testworld::RecordType;
use testworld::dns::DnsFault;
use testworld::mail::{Ca, Identity, IdentityBuilder, MailFault, Receiver, Stage, Validity};
use testworld::web::{Page, WebServer};

const PATH: &str = "/.well-known/mta-sts.txt";

/// A scene whose policy hosts are at 127.0.0.20 and on, and in which connections are kept as they are by default; it has not
/// been started.
async fn scene(policy: &str) -> (Scene, u16) {
    let addresses: Vec<_> = (20..30).map(|last| [127, 0, 0, last].into()).collect();
    let port = testworld::mail::free_port_on(&addresses).unwrap();
    let setting = Setting {
        webpki: true,
        policy_hosts: Some(port),
        connections: 40,
        connections_per_host: 40,
        ..Setting::reusing()
    };
    (Scene::asleep(policy, setting).await, port)
}

fn text(mode: &str, mx: &str) -> String {
    format!("version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: 604800\n")
}

/// A policy host at 127.0.0.`last`.
async fn policy_host(at: (u8, u16), identity: &Identity, page: Page) -> WebServer {
    let server = WebServer::start_at(SocketAddr::from(([127, 0, 0, at.0], at.1)), identity)
        .await
        .unwrap();
    server.put(PATH, page);
    server
}

/// The records that lead to a policy host.
fn publish(scene: &Scene, domain: &str, server: &WebServer) {
    let set = |name: &str, record_type, data: &str| scene.world.set(name, record_type, &[data]).unwrap();
    set(
        &format!("_mta-sts.{domain}"),
        RecordType::TXT,
        "\"v=STSv1; id=1;\"",
    );
    set(
        &format!("mta-sts.{domain}"),
        RecordType::A,
        &server.address().ip().to_string(),
    );
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mx {
    Secure,
    Insecure,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Tlsa {
    Matching,
    Wrong,
    Unusable,
    None,
    Failed,
}

/// Whether the server's certificate is valid in the WebPKI.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Certificate {
    Valid,
    Private,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Sts {
    None,
    Testing,
    Named,
    NotNamed,
}

const MODES: [&str; 4] = ["off", "soft-fail", "opportunistic", "strict"];

#[derive(Debug, Clone, Copy)]
struct Case {
    mx: Mx,
    tlsa: Tlsa,
    certificate: Certificate,
    sts: Sts,
    mode: &'static str,
}

impl Case {
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for mx in [Mx::Secure, Mx::Insecure] {
            for tlsa in [
                Tlsa::Matching,
                Tlsa::Wrong,
                Tlsa::Unusable,
                Tlsa::None,
                Tlsa::Failed,
            ] {
                for certificate in [Certificate::Valid, Certificate::Private] {
                    for sts in [Sts::None, Sts::Testing, Sts::Named, Sts::NotNamed] {
                        all.extend(MODES.map(|mode| Self {
                            mx,
                            tlsa,
                            certificate,
                            sts,
                            mode,
                        }));
                    }
                }
            }
        }
        all
    }

    fn host(self) -> String {
        format!("{:?}-{:?}.hosts.test", self.tlsa, self.certificate).to_lowercase()
    }

    fn domain(self, number: usize) -> String {
        let zone = match self.mx {
            Mx::Secure => "signed",
            Mx::Insecure => "plain",
        };
        format!("d{number}.{zone}.test")
    }

    /// What an enforced policy says where DANE does not decide.
    fn policy_allows(self) -> bool {
        match self.sts {
            Sts::None | Sts::Testing => true,
            Sts::Named => self.certificate == Certificate::Valid,
            Sts::NotNamed => false,
        }
    }

    /// What DANE says, and an enforced policy beside it (RFC 8461 §2: it never excuses DANE).
    fn dane_allows(self) -> bool {
        match (self.tlsa, self.mx) {
            (Tlsa::Failed | Tlsa::Wrong, _) => false,
            (Tlsa::Matching, Mx::Secure) => true,
            (Tlsa::Matching, Mx::Insecure) | (Tlsa::Unusable | Tlsa::None, _) => self.policy_allows(),
        }
    }

    /// Said here once more, from the words of the documents and not by the function that decides.
    fn is_sent(self) -> bool {
        match self.mode {
            "off" => self.policy_allows(),
            "soft-fail" => self.dane_allows() || self.policy_allows(),
            "opportunistic" => self.dane_allows(),
            _ => self.mx == Mx::Secure && self.tlsa == Tlsa::Matching,
        }
    }

    fn word(self) -> &'static str {
        match self.sts {
            Sts::None => "-",
            Sts::Testing => "testing",
            Sts::Named | Sts::NotNamed => "enforce",
        }
    }
}

/// The hosts of all cases.
fn add_hosts(scene: &Scene, valid: (&Identity, &Receiver), private: (&Identity, &Receiver)) {
    let mut hosts = scene.world.domain("hosts.test").signed();
    for (certificate, (identity, receiver)) in [("valid", valid), ("private", private)] {
        for (tlsa, record) in [
            ("matching", Some(identity.tlsa_3_1_1())),
            ("wrong", Some(WRONG.to_owned())),
            ("unusable", Some(UNUSABLE.to_owned())),
            ("none", None),
            ("failed", None),
        ] {
            hosts = hosts.host(&format!("{tlsa}-{certificate}.hosts.test"), receiver.address());
            if let Some(record) = record {
                hosts = hosts.tlsa(record);
            }
        }
    }
    hosts.add().unwrap();
    for certificate in ["valid", "private"] {
        scene.break_tlsa(&format!("failed-{certificate}.hosts.test"), DnsFault::ServFail);
    }
}

/// DANE state × certificate × policy × mode, with real answers, policy hosts and servers: whether mail is sent, and in the
/// golden file what is counted for TLS reports.
#[tokio::test]
async fn the_precedence_of_dane_and_mta_sts() {
    let mut table = String::new();
    for mode in MODES {
        for (case, counted) in precedence_under(mode).await {
            let Case {
                mx,
                tlsa,
                certificate,
                sts,
                mode,
            } = case;
            writeln!(table, "{mode} | MX {mx:?} | TLSA {tlsa:?} | certificate {certificate:?} | MTA-STS {sts:?} | {counted}")
                .unwrap();
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/tls-sessions.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    for (number, (golden, now)) in (1..).zip(golden.lines().zip(table.lines())) {
        assert_eq!(golden, now, "tests/golden/tls-sessions.txt:{number}");
    }
    assert_eq!(golden.lines().count(), table.lines().count());
}

/// Each mode has a world of its own: the larger a zone is, the longer its server takes for each denial.
async fn precedence_under(mode: &'static str) -> Vec<(Case, String)> {
    let cases: Vec<Case> = Case::all().into_iter().filter(|case| case.mode == mode).collect();
    let domains: Vec<String> = (0..)
        .zip(&cases)
        .map(|(number, case)| case.domain(number))
        .collect();
    let rules = format!("version = 1\n[default]\ndane = \"{mode}\"\n");
    let (scene, port) = scene(&rules).await;
    let names = ["matching", "wrong", "unusable", "none", "failed"];
    let valid_names: Vec<String> = names
        .iter()
        .map(|tlsa| format!("{tlsa}-valid.hosts.test"))
        .collect();
    let valid = scene
        .ca
        .issue(&valid_names.iter().map(String::as_str).collect::<Vec<_>>())
        .unwrap();
    let private = Identity::self_signed(&["private.test"]).unwrap();
    let (receiver, other) = (
        scene.receiver(2, &valid, vec![]).await,
        scene.receiver(3, &private, vec![]).await,
    );
    add_hosts(&scene, (&valid, &receiver), (&private, &other));
    scene.world.domain("signed.test").signed().add().unwrap();
    scene.world.domain("plain.test").unsigned().add().unwrap();
    let web_names: Vec<String> = domains.iter().map(|domain| format!("mta-sts.{domain}")).collect();
    let web = scene
        .ca
        .issue(&web_names.iter().map(String::as_str).collect::<Vec<_>>())
        .unwrap();
    let testing = policy_host((20, port), &web, Page::text(text("testing", "other.test"))).await;
    let naming = policy_host((21, port), &web, Page::text(text("enforce", "*.hosts.test"))).await;
    let not_named = policy_host((22, port), &web, Page::text(text("enforce", "*.test"))).await;
    for (domain, case) in domains.iter().zip(&cases) {
        let mx = format!("10 {}.", case.host());
        scene.world.set(domain, RecordType::MX, &[&mx]).unwrap();
        match case.sts {
            Sts::None => {}
            Sts::Testing => publish(&scene, domain, &testing),
            Sts::Named => publish(&scene, domain, &naming),
            Sts::NotNamed => publish(&scene, domain, &not_named),
        }
    }
    scene.world.set_ttl(3600);
    scene.start();
    let recipients: Vec<String> = domains.iter().map(|domain| format!("a@{domain}")).collect();
    let mut lines = Vec::new();
    for some in recipients.chunks(40) {
        lines.extend(join_all(some.iter().map(|recipient| scene.send_to(recipient))).await);
    }
    let mut wrong = Vec::new();
    for (case, line) in cases.iter().zip(&lines) {
        let is_sent = line["status"] == "sent";
        if is_sent != case.is_sent() || line["sts"] != case.word() {
            wrong.push(format!("{case:?}: {line:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}: {:#?}",
        wrong.len(),
        cases.len(),
        wrong.first()
    );
    assert!(other.messages().iter().all(|message| message.tls.is_some()));
    let mut counted = Vec::new();
    for (domain, case) in domains.iter().zip(&cases) {
        counted.push((*case, scene.counted_line(domain).await));
    }
    counted
}

/// `NAME.test`, unsigned, with one MX host and a policy of mode enforce that names it.
async fn enforced(scene: &Scene, port: u16, name: &str, identity: &Identity) -> (Receiver, WebServer) {
    let zone = format!("{name}.test");
    let receiver = scene.receiver(2, identity, vec![]).await;
    let domain = scene.world.domain(&zone).unsigned();
    domain
        .mx(10, &format!("mx.{zone}"), receiver.address())
        .add()
        .unwrap();
    let web = scene.identity(&format!("mta-sts.{zone}"));
    let server = policy_host(
        (20, port),
        &web,
        Page::text(text("enforce", &format!("mx.{zone}"))),
    )
    .await;
    publish(scene, &zone, &server);
    (receiver, server)
}

#[tokio::test]
async fn mail_without_a_policy_ends_no_incident_of_a_domain_with_one() {
    let (scene, port) = scene("version = 1\n").await;
    let good = scene.identity("mx.a.test");
    let (receiver, _server) = enforced(&scene, port, "a", &good).await;
    unsigned_mx(&scene, "b", "mx.a.test");
    scene.start();
    let end = async || {
        let found = scene.spool.incidents().await.unwrap().remove(0);
        assert_eq!(found.spot.trouble, Trouble::WebPki);
        found.ended.map(|(_, ending)| ending)
    };
    receiver.set_identity(&scene.identity("other.test"));
    fresh(&scene);
    scene.expect("x@b.test", &[SENT]).await;
    scene.expect("x@a.test", &[DEFERRED, ("sts", "enforce")]).await;
    scene.expect("x@b.test", &[SENT]).await;
    assert_eq!(end().await, None);
    receiver.set_identity(&good);
    fresh(&scene);
    scene.expect("x@b.test", &[SENT]).await;
    assert_eq!(end().await, None);
    scene.expect("x@a.test", &[SENT, ("sts", "enforce")]).await;
    assert_eq!(end().await, Some(Ending::Verified));
}

#[tokio::test]
async fn what_a_server_lacks_under_a_policy_defers_and_sends_nothing() {
    let (scene, port) = scene("version = 1\n").await;
    let good = scene.identity("mx.a.test");
    let (receiver, server) = enforced(&scene, port, "a", &good).await;
    scene.start();
    scene
        .expect("a@a.test", &[SENT, ("sts", "enforce"), ("tlsvalid", "0 (ok)")])
        .await;
    assert_eq!(receiver.messages()[0].sni.as_deref(), Some("mx.a.test"));
    let names = |builder: IdentityBuilder| builder.issue(&scene.ca).unwrap();
    for (identity, faults, enhanced, valid) in [
        (good.clone(), vec![MailFault::NoStartTls], "4.7.4", "-"),
        (
            good.clone(),
            vec![MailFault::Reply(Stage::StartTls, "454 later".to_owned())],
            "4.7.5",
            "-",
        ),
        (
            scene.identity("other.test"),
            vec![],
            "4.7.5",
            "62 (hostname mismatch)",
        ),
        (
            names(Identity::builder(&["mx.a.test"]).validity(Validity::Expired)),
            vec![],
            "4.7.5",
            "10 (certificate has expired)",
        ),
        (
            names(Identity::builder(&["mx.a.test"]).validity(Validity::NotYet)),
            vec![],
            "4.7.5",
            "9 (certificate is not yet valid)",
        ),
        (
            Identity::self_signed(&["mx.a.test"]).unwrap(),
            vec![],
            "4.7.5",
            "18 (self-signed certificate)",
        ),
    ] {
        let before = receiver.count_of("MAIL");
        receiver.set_identity(&identity);
        receiver.set_faults(faults);
        fresh(&scene);
        let expected = [
            DEFERRED,
            ("enhanced", enhanced),
            ("tlsvalid", valid),
            ("sts", "enforce"),
        ];
        scene.expect("a@a.test", &expected).await;
        assert_eq!(receiver.count_of("MAIL"), before);
    }
    assert_eq!(server.asked().len(), 1, "once for all");
    let kinds = "sts 1/6 certificate-expired certificate-host-mismatch certificate-not-trusted starttls-not-supported \
                 validation-failure validation-failure";
    assert_eq!(scene.counted_line("a.test").await, kinds);
}

#[tokio::test]
async fn forged_answers_do_not_return_mail_while_a_policy_is_enforced() {
    let (scene, port) = scene("version = 1\n").await;
    let answers = [
        ("null", "0 ."),
        ("nowhere", "10 nowhere.test."),
        ("loop", "10 own.relay.test."),
    ];
    let names = answers.map(|(name, _)| format!("mta-sts.{name}.test"));
    let web = scene.ca.issue(&names.each_ref().map(String::as_str)).unwrap();
    let server = policy_host((20, port), &web, Page::text(text("enforce", "*.test"))).await;
    for (name, mx) in answers {
        let zone = format!("{name}.test");
        let domain = scene.world.domain(&zone).unsigned();
        domain.record(&zone, RecordType::MX, mx).add().unwrap();
        publish(&scene, &zone, &server);
    }
    scene.start();
    for (name, _) in answers {
        let line = scene.send_to(&format!("a@{name}.test")).await;
        assert_line(
            &line,
            &[DEFERRED, ("enhanced", "4.7.5"), ("dane", "-"), ("sts", "enforce")],
        );
        assert!(line["reason"].contains("MTA-STS"), "{line:?}");
    }
}

#[tokio::test]
async fn without_a_policy_that_can_be_had_mail_goes_on() {
    let (scene, port) = scene("version = 1\n").await;
    let identity = scene.identity("mx.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    let good = || Page::text(text("enforce", "nobody.test"));
    let stranger = Ca::new("A stranger").unwrap();
    let other_type = Page::Answer {
        status: 200,
        fields: vec![("Content-Type", "text/html".to_owned())],
        content: text("enforce", "nobody.test").into(),
    };
    let issue = |name: &str| Identity::builder(&[name]);
    let cases: Vec<(&str, Identity, Page, &str)> = vec![
        (
            "expired",
            issue("mta-sts.expired.test")
                .validity(Validity::Expired)
                .issue(&scene.ca)
                .unwrap(),
            good(),
            "certificate",
        ),
        (
            "stranger",
            stranger.issue(&["mta-sts.stranger.test"]).unwrap(),
            good(),
            "certificate",
        ),
        ("names", scene.identity("names.test"), good(), "certificate"),
        (
            "moved",
            scene.identity("mta-sts.moved.test"),
            Page::status(301).field("Location", "https://a.test/"),
            "must not be followed",
        ),
        (
            "gone",
            scene.identity("mta-sts.gone.test"),
            Page::status(404),
            "status 404",
        ),
        (
            "created",
            scene.identity("mta-sts.created.test"),
            Page::status(204),
            "status 204",
        ),
        (
            "html",
            scene.identity("mta-sts.html.test"),
            other_type,
            "text/html",
        ),
        (
            "large",
            scene.identity("mta-sts.large.test"),
            Page::text(vec![b'x'; 70_000]),
            "larger than 65536",
        ),
        (
            "odd",
            scene.identity("mta-sts.odd.test"),
            Page::text("mode: enforce\n"),
            "there is no version",
        ),
    ];
    let mut servers = Vec::new();
    for (last, (name, identity, page, _)) in (20..).zip(&cases) {
        crate::scene::common::plain(&scene, name, receiver.address());
        let server = policy_host((last, port), identity, page.clone()).await;
        publish(&scene, &format!("{name}.test"), &server);
        servers.push(server);
    }
    scene.start();
    for (name, _, _, words) in &cases {
        scene
            .expect(&format!("a@{name}.test"), &[SENT, ("sts", "failed")])
            .await;
        let told = scene.events("mta-sts");
        let told = told
            .iter()
            .find(|line| line["domain"] == format!("{name}.test"))
            .unwrap();
        assert!(told["reason"].contains(words), "{name}: {told:?}");
        // The session is one to a domain without a policy, and the policy that could not be had is reported as well.
        let kind = match *name {
            "expired" | "stranger" | "names" => "sts-webpki-invalid",
            "html" | "odd" => "sts-policy-invalid",
            _ => "sts-policy-fetch-error",
        };
        let counted = scene.counted_line(&format!("{name}.test")).await;
        assert_eq!(counted, format!("none 1/0, sts 0/1 {kind}"), "{name}");
    }
    // Not tried again for five minutes.
    scene.expect("a@gone.test", &[SENT, ("sts", "failed")]).await;
    assert_eq!(servers[4].asked().len(), 1);
}

/// What is wrong with a policy is told however mail travels: over sessions that other domains have set up, too.
#[tokio::test]
async fn a_policy_that_cannot_be_had_is_counted_in_each_attempt() {
    let (scene, port) = scene("version = 1\n").await;
    let receiver = scene.receiver(2, &scene.identity("mx.hosted.test"), vec![]).await;
    let hosted = scene.world.domain("hosted.test").unsigned();
    hosted.mx(10, "mx.hosted.test", receiver.address()).add().unwrap();
    unsigned_mx(&scene, "gone", "mx.hosted.test");
    let web = scene.identity("mta-sts.gone.test");
    let server = policy_host((20, port), &web, Page::status(404)).await;
    publish(&scene, "gone.test", &server);
    scene.start();
    scene.expect("a@hosted.test", &[SENT]).await;
    for _ in 0..3 {
        scene.expect("a@gone.test", &[SENT, ("sts", "failed")]).await;
    }
    assert_eq!(receiver.connections().len(), 1);
    assert_eq!(scene.counted_line("hosted.test").await, "none 1/0");
    assert_eq!(
        scene.counted_line("gone.test").await,
        "none 1/0, sts 0/3 sts-policy-fetch-error*3"
    );
}

/// A policy is tested by what the sessions are like over which its domain's mail goes, whoever has set them up.
#[tokio::test]
async fn a_policy_in_testing_is_judged_in_sessions_that_other_domains_have_set_up() {
    let (scene, port) = scene("version = 1\n").await;
    let stranger = Identity::self_signed(&["mx.hosted.test"]).unwrap();
    let receiver = scene.receiver(2, &stranger, vec![]).await;
    let hosted = scene.world.domain("hosted.test").unsigned();
    hosted.mx(10, "mx.hosted.test", receiver.address()).add().unwrap();
    for name in ["named", "other"] {
        unsigned_mx(&scene, name, "mx.hosted.test");
    }
    let web = scene
        .ca
        .issue(&["mta-sts.named.test", "mta-sts.other.test"])
        .unwrap();
    let named = policy_host((20, port), &web, Page::text(text("testing", "*.hosted.test"))).await;
    let other = policy_host((21, port), &web, Page::text(text("testing", "mx.other.test"))).await;
    publish(&scene, "named.test", &named);
    publish(&scene, "other.test", &other);
    scene.start();
    for _ in 0..2 {
        for name in ["hosted", "named", "other"] {
            scene.expect(&format!("a@{name}.test"), &[SENT]).await;
        }
    }
    assert_eq!(receiver.connections().len(), 1);
    assert_eq!(scene.counted_line("hosted.test").await, "none 1/0");
    assert_eq!(
        scene.counted_line("named.test").await,
        "sts 0/1 certificate-not-trusted"
    );
    assert_eq!(
        scene.counted_line("other.test").await,
        "sts 0/1 validation-failure"
    );
    // In clear text as well.
    receiver.set_faults(vec![MailFault::Reply(Stage::StartTls, "454 later".to_owned())]);
    fresh(&scene);
    for name in ["hosted", "named"] {
        scene
            .expect(&format!("a@{name}.test"), &[SENT, ("tls", "-")])
            .await;
    }
    assert_eq!(receiver.connections().len(), 2);
    assert_eq!(
        scene.counted_line("named.test").await,
        "sts 0/2 certificate-not-trusted validation-failure"
    );
    let tally = scene.counted("named.test").await.remove(0);
    let mut reasons = tally
        .details
        .iter()
        .filter_map(|one| one.failure.reason.as_deref());
    assert!(reasons.any(|reason| reason == "the server refused STARTTLS: 454"));
}

/// The mail that sets a session up may be none that counts.
#[tokio::test]
async fn a_session_counts_for_the_first_mail_that_is_counted() {
    let (scene, _) = scene("version = 1\n").await;
    let receiver = scene.receiver(2, &scene.identity("mx.a.test"), vec![]).await;
    crate::scene::common::plain(&scene, "a", receiver.address());
    scene.start();
    let report = send_tagged(&scene, "", "a@a.test", TlsTag::OwnReport).await;
    assert_line(&report, &[SENT]);
    assert_eq!(scene.counted_line("a.test").await, "-");
    for _ in 0..2 {
        scene.expect("a@a.test", &[SENT]).await;
    }
    assert_eq!(receiver.connections().len(), 1);
    assert_eq!(scene.counted_line("a.test").await, "none 1/0");
}

#[tokio::test]
async fn the_administrator_says_how_much_is_made_of_policies() {
    let rules = "version = 1\n[[domain]]\nmatch = \"b.test\"\nmta_sts = \"testing\"\n[[domain]]\nmatch = \"c.test\"\nmta_sts = \"off\"\n";
    let (scene, port) = scene(rules).await;
    let identity = scene.identity("mx.other.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    let web = scene
        .ca
        .issue(&["mta-sts.a.test", "mta-sts.b.test", "mta-sts.c.test"])
        .unwrap();
    let server = policy_host((20, port), &web, Page::text(text("enforce", "nobody.test"))).await;
    for name in ["a", "b", "c"] {
        crate::scene::common::plain(&scene, name, receiver.address());
        publish(&scene, &format!("{name}.test"), &server);
    }
    scene.start();
    scene
        .expect("a@a.test", &[DEFERRED, ("sts", "enforce"), ("enhanced", "4.7.5")])
        .await;
    scene.expect("a@b.test", &[SENT, ("sts", "testing")]).await;
    scene.expect("a@c.test", &[SENT, ("sts", "-")]).await;
    assert_eq!(scene.counted_line("a.test").await, "sts 0/1 validation-failure");
    assert_eq!(scene.counted_line("b.test").await, "sts 0/1 validation-failure");
    // Who has not looked says nothing.
    assert_eq!(scene.counted_line("c.test").await, "-");
    assert_eq!(scene.world.asked("_mta-sts.c.test", RecordType::TXT), 0);
}

#[tokio::test]
async fn a_policy_of_mode_none_changes_nothing() {
    let (scene, port) = scene("version = 1\n").await;
    let identity = scene.identity("mx.other.test");
    let receiver = scene.receiver(2, &identity, vec![MailFault::NoStartTls]).await;
    crate::scene::common::plain(&scene, "a", receiver.address());
    let none = Page::text("version: STSv1\nmode: none\nmax_age: 86400\n");
    let server = policy_host((20, port), &scene.identity("mta-sts.a.test"), none).await;
    publish(&scene, "a.test", &server);
    scene.start();
    scene
        .expect("a@a.test", &[SENT, ("sts", "-"), ("tls", "-")])
        .await;
    assert_eq!(
        scene.counted_line("a.test").await,
        "none 0/1 starttls-not-supported"
    );
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn hosts_that_fail_a_policy_are_passed_over_in_the_order_of_the_list() {
    let (scene, port) = scene("version = 1\n").await;
    let wrong = scene.receiver(2, &scene.identity("elsewhere.test"), vec![]).await;
    let right = scene.receiver(3, &scene.identity("mx2.a.test"), vec![]).await;
    let stranger = scene.receiver(4, &scene.identity("mx.evil.test"), vec![]).await;
    let domain = scene.world.domain("a.test").unsigned();
    let domain = domain
        .mx(10, "mx.evil.test", stranger.address())
        .mx(20, "mx1.a.test", wrong.address());
    domain.mx(30, "mx2.a.test", right.address()).add().unwrap();
    let server = policy_host(
        (20, port),
        &scene.identity("mta-sts.a.test"),
        Page::text(text("enforce", "*.a.test")),
    )
    .await;
    publish(&scene, "a.test", &server);
    scene.start();
    scene
        .expect(
            "a@a.test",
            &[SENT, ("relay", "mx2.a.test [127.0.0.3]"), ("sts", "enforce")],
        )
        .await;
    assert_eq!(
        (
            wrong.connections().len(),
            wrong.count_of("MAIL"),
            stranger.connections().len()
        ),
        (1, 0, 0)
    );
}

#[tokio::test]
async fn a_route_has_the_policy_of_its_own_name() {
    let rules = "version = 1\n[[domain]]\nmatch = \"a.test\"\nroute = \"[smart.test]\"\n";
    let (scene, port) = scene(rules).await;
    let receiver = scene.receiver(2, &scene.identity("smart.test"), vec![]).await;
    scene
        .world
        .domain("smart.test")
        .unsigned()
        .host("smart.test", receiver.address())
        .add()
        .unwrap();
    let page = Page::text(text("enforce", "smart.test"));
    let server = policy_host((20, port), &scene.identity("mta-sts.smart.test"), page).await;
    publish(&scene, "smart.test", &server);
    scene.start();
    scene
        .expect(
            "a@a.test",
            &[SENT, ("sts", "enforce"), ("relay", "smart.test [127.0.0.2]")],
        )
        .await;
    assert_eq!(scene.world.asked("_mta-sts.a.test", RecordType::TXT), 0);
}

#[tokio::test]
async fn aliases_lead_to_records_and_not_to_other_policy_domains() {
    let (scene, port) = scene("version = 1\n").await;
    let receiver = scene.receiver(2, &scene.identity("mx.hosted.test"), vec![]).await;
    let hosted = scene.world.domain("hosted.test").unsigned();
    hosted.mx(10, "mx.hosted.test", receiver.address()).add().unwrap();
    // The domain is an alias, its policy is its own, its record is somebody else's, in two strings.
    let zone = scene
        .world
        .domain("zone.test")
        .unsigned()
        .cname("a.zone.test", "hosted.test");
    zone.cname("_mta-sts.a.zone.test", "record.hosted.test")
        .add()
        .unwrap();
    let set = |name: &str, record_type, data: &str| scene.world.set(name, record_type, &[data]).unwrap();
    set("record.hosted.test", RecordType::TXT, "\"v=STSv1; i\" \"d=1\"");
    let page = Page::text(text("enforce", "nobody.test"));
    let server = policy_host((20, port), &scene.identity("mta-sts.a.zone.test"), page).await;
    set(
        "mta-sts.a.zone.test",
        RecordType::A,
        &server.address().ip().to_string(),
    );
    scene.start();
    let expected = [DEFERRED, ("sts", "enforce"), ("enhanced", "4.7.5")];
    scene.expect("a@a.zone.test", &expected).await;
    assert_eq!(scene.world.asked("_mta-sts.hosted.test", RecordType::TXT), 0);
}

/// Sends a message with this tag; the line about it.
async fn send_tagged(scene: &Scene, sender: &str, recipient: &str, tag: TlsTag) -> Line {
    let mut envelope = envelope(sender, &[recipient], LETTER);
    envelope.parameters.tls = tag;
    let id = scene.queue_envelope(envelope, LETTER, Timestamp::now()).await;
    scene.lines(id, 1).await.remove(0)
}

#[tokio::test]
async fn require_tls_goes_to_authenticated_hosts_that_pass_it_on() {
    let (scene, port) = scene("version = 1\n[default]\ndane = \"off\"\ntls = \"may\"\n").await;
    let dane = Identity::self_signed(&["unrelated.test"]).unwrap();
    let by_dane = scene.receiver_with(3, &dane, &["REQUIRETLS"]).await;
    scene.domain("dane", &by_dane, &dane.tlsa_3_1_1());
    let by_name = scene
        .receiver_with(4, &scene.identity("mx.pkix.test"), &["REQUIRETLS"])
        .await;
    let zone = scene.world.domain("pkix.test").signed();
    zone.mx(10, "mx.pkix.test", by_name.address()).add().unwrap();
    let keyword = scene
        .receiver(5, &scene.identity("mx.keyword.test"), vec![])
        .await;
    let zone = scene.world.domain("keyword.test").signed();
    zone.mx(10, "mx.keyword.test", keyword.address()).add().unwrap();
    let private = scene.receiver_with(6, &dane, &["REQUIRETLS"]).await;
    let zone = scene.world.domain("private.test").signed();
    zone.mx(10, "mx.private.test", private.address()).add().unwrap();
    let plain = scene
        .receiver_with(7, &scene.identity("mx.plain.test"), &["REQUIRETLS"])
        .await;
    crate::scene::common::plain(&scene, "plain", plain.address());
    let (policed, _server) = enforced(&scene, port, "policed", &scene.identity("mx.policed.test")).await;
    scene.start();
    let send = |sender, recipient| send_tagged(&scene, sender, recipient, TlsTag::Required);
    let from = "sender@origin.test";

    // Whatever the administrator's mode is, and whatever names a certificate under usage 3 has.
    assert_line(
        &send(from, "a@dane.test").await,
        &[SENT, ("dane", "Verify (Secure TLSA RRs found)")],
    );
    assert_line(&send(from, "a@pkix.test").await, &[SENT, ("tlsvalid", "0 (ok)")]);
    for receiver in [&by_dane, &by_name] {
        assert!(
            commands(receiver, "MAIL")[0].ends_with(" REQUIRETLS"),
            "{:?}",
            commands(receiver, "MAIL")
        );
    }
    // An insecure MX, but a policy names the host; it lacks the keyword.
    assert_line(
        &send(from, "a@policed.test").await,
        &[BOUNCED, ("enhanced", "5.7.30")],
    );
    assert_line(
        &send(from, "a@keyword.test").await,
        &[BOUNCED, ("enhanced", "5.7.30")],
    );
    assert_line(
        &send(from, "a@private.test").await,
        &[BOUNCED, ("enhanced", "5.7.10")],
    );
    assert_line(
        &send(from, "a@plain.test").await,
        &[BOUNCED, ("enhanced", "5.7.10")],
    );
    assert_eq!(
        [&policed, &keyword, &private, &plain].map(|receiver| receiver.count_of("MAIL")),
        [0; 4]
    );
    // Other mail goes as ever.
    scene.expect("a@plain.test", &[SENT]).await;

    // A report may go without the keyword, but not to anybody.
    assert_line(&send("", "a@keyword.test").await, &[SENT]);
    assert_line(
        &send("", "a@private.test").await,
        &[DEFERRED, ("enhanced", "4.7.5")],
    );
    assert_line(
        &send("", "a@plain.test").await,
        &[DEFERRED, ("enhanced", "4.7.10")],
    );
    assert_eq!(private.count_of("MAIL"), 0);
}

#[tokio::test]
async fn require_tls_at_an_address_waits_only_if_that_is_ours_to_mend() {
    let (scene, _) = scene("version = 1\n[[domain]]\nmatch = \"a.test\"\nroute = \"[127.0.0.2]\"\n").await;
    scene.start();
    for (recipient, status, enhanced, words) in [
        (
            "a@a.test",
            DEFERRED,
            "4.7.10",
            "a route of this relay leads to an address",
        ),
        (
            "a@[127.0.0.2]",
            BOUNCED,
            "5.7.10",
            "a server that is named by its address",
        ),
    ] {
        let line = send_tagged(&scene, "sender@origin.test", recipient, TlsTag::Required).await;
        assert_line(&line, &[status, ("enhanced", enhanced)]);
        assert!(line["reason"].contains(words), "{line:?}");
    }
}

#[tokio::test]
async fn require_tls_fails_only_where_a_host_lacks_it() {
    let (scene, _) = scene("version = 1\n").await;
    let identity = scene.identity("mx.a.test");
    let receiver = scene.receiver_with(2, &identity, &["REQUIRETLS"]).await;
    let zone = scene.world.domain("a.test").signed();
    zone.mx(10, "mx.a.test", receiver.address()).add().unwrap();
    scene.start();
    for (fault, expected) in [
        (MailFault::NoStartTls, [BOUNCED, ("enhanced", "5.7.10")]),
        (
            MailFault::Reply(Stage::StartTls, "554 no".to_owned()),
            [BOUNCED, ("enhanced", "5.7.10")],
        ),
        (
            MailFault::Reply(Stage::StartTls, "454 later".to_owned()),
            [DEFERRED, ("enhanced", "4.7.5")],
        ),
        (MailFault::CloseInHandshake, [DEFERRED, ("enhanced", "4.7.5")]),
        (
            MailFault::Close(Stage::Greeting),
            [DEFERRED, ("enhanced", "4.4.2")],
        ),
    ] {
        receiver.set_faults(vec![fault]);
        fresh(&scene);
        let line = send_tagged(&scene, "sender@origin.test", "a@a.test", TlsTag::Required).await;
        assert_line(&line, &expected);
    }
    assert_eq!(receiver.count_of("MAIL"), 0);
}

#[tokio::test]
async fn tls_required_no_waives_what_the_receiver_published() {
    let rules = "version = 1\n[[domain]]\nmatch = \"strict.test\"\ndane = \"strict\"\n[[domain]]\nmatch = \"deaf.test\"\nhonor_tls_required_no = false\n";
    let (scene, port) = scene(rules).await;
    let identity = scene.identity("mx.test");
    let receiver = scene.receiver(3, &identity, vec![]).await;
    for name in ["wrong", "strict", "deaf"] {
        scene.domain(name, &receiver, WRONG);
    }
    scene.domain("failing", &receiver, WRONG);
    scene.break_tlsa("mx.failing.test", DnsFault::ServFail);
    let (policed, _server) = enforced(&scene, port, "policed", &identity).await;
    scene.start();
    let send = |recipient| send_tagged(&scene, "sender@origin.test", recipient, TlsTag::NotRequired);
    let waived = ("dane", "Skip (TLS-Required: No)");
    for recipient in ["a@wrong.test", "a@failing.test", "a@policed.test"] {
        assert_line(&send(recipient).await, &[SENT, waived, ("sts", "-")]);
        scene.expect(recipient, &[DEFERRED]).await;
    }
    assert_line(
        &send("a@strict.test").await,
        &[DEFERRED, ("dane", "Fail (No matching TLSA RRs)")],
    );
    assert_line(
        &send("a@deaf.test").await,
        &[DEFERRED, ("dane", "Fail (No matching TLSA RRs)")],
    );
    // Other mail for it has failed so often that no more is tried.
    for _ in 0..9 {
        scene.expect("a@wrong.test", &[DEFERRED]).await;
    }
    let line = scene.expect("a@wrong.test", &[DEFERRED]).await;
    assert!(line["reason"].starts_with("not tried"), "{line:?}");
    // The log has the traces of attempts alone.
    scene.traces.log(&["wrong.test".parse().unwrap()]);
    scene.expect("a@wrong.test", &[DEFERRED]).await;
    assert_eq!(scene.events("trace").len(), 0);
    assert_line(&send("a@wrong.test").await, &[SENT, waived]);
    let steps = scene.events("trace");
    assert!(steps.iter().any(|step| step["step"] == "reused"), "{steps:?}");
    scene.traces.log(&[]);
    let line = scene.expect("a@wrong.test", &[DEFERRED]).await;
    assert!(
        line["reason"].starts_with("not tried"),
        "that shows nothing about it"
    );
    fresh(&scene);
    // A server that insists on TLS which cannot be had (RFC 8689 §4.2.2).
    policed.set_faults(vec![
        MailFault::NoStartTls,
        MailFault::Reply(Stage::Mail, "530 5.7.0 STARTTLS first".to_owned()),
    ]);
    assert_line(&send("a@policed.test").await, &[BOUNCED, ("enhanced", "5.7.0")]);
}

#[tokio::test]
async fn no_policy_host_is_at_an_address_where_no_stranger_receives_mail() {
    let (scene, _) = scene("version = 1\n").await;
    for (name, address) in [("a", "127.0.0.1"), ("b", "192.0.2.1")] {
        let name = format!("mta-sts.{name}.test");
        scene.world.set(&name, RecordType::A, &[address]).unwrap();
    }
    let lookups = StsLookups {
        resolver: surroundings::resolver(&scene.world, Mode::Validate),
        ignored: vec!["127.0.0.0/8".parse().unwrap()],
    };
    let addresses = async |name: &str| lookups.addresses(&Domain::parse(name).unwrap()).await.unwrap();
    assert!(addresses("mta-sts.a.test").await.is_empty());
    assert_eq!(addresses("mta-sts.b.test").await.len(), 1);
}
