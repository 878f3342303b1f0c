//! What a trace shows of a delivery, in the order in which it happened, and what it never shows.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use delivery::Watch;
use jiff::Timestamp;
use mail::event::trace::{StepKind, TraceStep, Traced};
use testworld::mail::{MailFault, Receiver, Stage};

use crate::scene::common::{
    LETTER, OPPORTUNISTIC, clogged, mismatched, plain, reply, single, single_at, unsigned,
};
use crate::scene::{LIMIT, Line, Scene, Setting};

/// A message for somebody, which is watched from its first attempt on.
async fn traced(scene: &Scene, recipient: &str) -> Vec<TraceStep> {
    let id = scene.queue(&[recipient], LETTER, Timestamp::now()).await;
    let watch = scene.traces.watch(id).unwrap();
    scene.start();
    until_settled(watch).await
}

/// The steps up to the end of the first attempt that settles something.
async fn until_settled(mut watch: Watch) -> Vec<TraceStep> {
    let mut steps = Vec::new();
    loop {
        let traced = tokio::time::timeout(LIMIT, watch.next()).await.unwrap();
        match traced.unwrap() {
            Traced::Step(step) => steps.push(step),
            Traced::Ended { settled: true, .. } => return steps,
            Traced::Ended { settled: false, .. } => {}
        }
    }
}

/// The texts of the steps of this kind.
fn of(steps: &[TraceStep], kind: StepKind) -> Vec<&str> {
    let these = steps.iter().filter(|step| step.step == kind);
    these.map(|step| step.text.as_str()).collect()
}

/// Whether a text is what is expected, where `*` stands for anything.
fn fits(text: &str, expected: &str) -> bool {
    let mut parts = expected.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut open = false;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        open = part.is_empty();
    }
    open || rest.is_empty()
}

/// A trace as it is shown, line by line.
fn assert_shown(steps: &[TraceStep], expected: &str) {
    let shown: Vec<String> = steps.iter().map(ToString::to_string).collect();
    let expected: Vec<&str> = expected.lines().collect();
    let differs = shown.len() != expected.len()
        || shown
            .iter()
            .zip(&expected)
            .any(|(line, expected)| !fits(line, expected));
    assert!(!differs, "{}", shown.join("\n"));
}

fn asleep() -> impl Future<Output = Scene> {
    Scene::asleep(OPPORTUNISTIC, Setting::default())
}

#[tokio::test]
async fn all_of_a_delivery_under_dane() {
    let scene = asleep().await;
    let _receiver = single(&scene, "good").await;
    let mut steps = traced(&scene, "a@good.test").await;
    // The outcome is settled beside the end of the session.
    steps.sort_by_key(|step| step.step == StepKind::Outcome);
    assert_shown(&steps, include_str!("traces.txt"));
    assert!(steps[..steps.len() - 1].is_sorted_by_key(|step| step.at));
    let hosts = steps.iter().filter_map(|step| step.host.as_deref());
    assert!(hosts.clone().count() > 20);
    assert!(hosts.into_iter().all(|host| host == "mx.good.test [127.0.0.2]"));
}

#[tokio::test]
async fn a_server_without_starttls_is_spoken_to_in_clear() {
    let scene = asleep().await;
    let receiver = unsigned(&scene, "plain").await;
    receiver.set_faults(vec![MailFault::NoStartTls]);
    let steps = traced(&scene, "a@plain.test").await;
    assert_eq!(of(&steps, StepKind::Tls), Vec::<&str>::new());
    assert_eq!(
        of(&steps, StepKind::Verified),
        ["requirement met: nothing (TLS if it is offered); dane=\"Skip (Insecure host information)\""],
        "{steps:#?}"
    );
    assert!(of(&steps, StepKind::Client).contains(&"RCPT TO:<a@plain.test>"));
}

#[tokio::test]
async fn a_record_that_does_not_match_is_shown_beside_the_certificate() {
    let scene = asleep().await;
    let _receiver = mismatched(&scene, "wrong").await;
    let steps = traced(&scene, "a@wrong.test").await;
    assert_eq!(of(&steps, StepKind::Certificate).len(), 2, "{steps:#?}");
    let tlsa = of(&steps, StepKind::Tlsa);
    assert!(fits(tlsa[0], "3 1 1 000*, matches no certificate"), "{tlsa:?}");
    let failed = of(&steps, StepKind::Failed);
    assert!(
        failed
            .iter()
            .any(|text| text.ends_with("dane=\"Fail (No matching TLSA RRs)\"")),
        "{failed:?}"
    );
    assert!(of(&steps, StepKind::Outcome)[0].contains("status=deferred"));
    assert!(
        of(&steps, StepKind::Client)
            .iter()
            .all(|text| !text.starts_with("MAIL"))
    );
}

#[tokio::test]
async fn a_refused_recipient_is_shown_with_the_reply() {
    let scene = asleep().await;
    let receiver = single(&scene, "busy").await;
    receiver.set_faults(vec![reply(Stage::Rcpt, "450 4.2.0 come back\tlater")]);
    let steps = traced(&scene, "a@busy.test").await;
    assert!(of(&steps, StepKind::Server).contains(&"450 4.2.0 come back\tlater"));
    assert!(of(&steps, StepKind::Outcome)[0].contains("status=deferred"));
    assert_eq!(of(&steps, StepKind::Closed), ["by this relay"]);
}

#[tokio::test]
async fn a_server_that_closes_is_said_to_have_closed() {
    let scene = asleep().await;
    let receiver = single(&scene, "gone").await;
    receiver.set_faults(vec![MailFault::Close(Stage::Mail)]);
    let steps = traced(&scene, "a@gone.test").await;
    assert_eq!(of(&steps, StepKind::Closed), ["by the server"], "{steps:#?}");
}

#[tokio::test]
async fn a_login_is_never_shown_even_if_the_server_repeats_it() {
    let policy = format!("{OPPORTUNISTIC}route = \"[mx.smart.test]\"\nroute_login = \"smart.login\"\n");
    for (offer, shown) in [
        ("AUTH PLAIN", &["AUTH PLAIN [hidden]"][..]),
        ("AUTH LOGIN", &["AUTH LOGIN", "[hidden]", "[hidden]"]),
    ] {
        let scene = Scene::asleep(&policy, Setting::default()).await;
        let identity = scene.identity("mx.smart.test");
        let address = ([127, 0, 0, 2], scene.port).into();
        let echo = "535 5.7.8 AHJlbGF5AHBhc3Mgd29yZA== cGFzcyB3b3Jk 'pass word' is wrong";
        let builder = Receiver::builder("mx.test").address(address).identity(&identity);
        let mut builder = builder.extension(offer).user("relay", "other word");
        if offer == "AUTH PLAIN" {
            builder = builder.fault(reply(Stage::Auth, echo));
        }
        let receiver = builder.start().await.unwrap();
        scene.domain("smart", &receiver, &identity.tlsa_3_1_1());
        let steps = traced(&scene, "a@far.test").await;
        let client = of(&steps, StepKind::Client);
        let auth = client.iter().position(|text| text.starts_with("AUTH")).unwrap();
        assert_eq!(&client[auth..auth + shown.len()], shown);
        let all = format!("{steps:?}");
        for secret in ["pass word", "AHJlbGF5AHBhc3Mgd29yZA", "cGFzcyB3b3Jk"] {
            assert!(!all.contains(secret), "{secret} in {steps:#?}");
        }
        assert!(receiver.count_of("AUTH") > 0);
        let told: Vec<Line> = scene.events("login");
        assert!(!format!("{told:?}").contains("pass word"), "{told:?}");
    }
}

#[tokio::test]
async fn a_server_that_talks_too_much_fills_its_share_and_no_more() {
    let scene = asleep().await;
    let receiver = single(&scene, "long").await;
    let lines = format!("450-{}\r\n", "\u{1b}[2J".repeat(120)).repeat(127);
    receiver.set_faults(vec![reply(Stage::Rcpt, &format!("{lines}450 4.2.0 later"))]);
    let steps = traced(&scene, "a@long.test").await;
    // The line of the log may be longer.
    let mut told = steps.iter().filter(|step| step.step != StepKind::Outcome);
    assert!(told.all(|step| step.text.len() <= 1024 + "...cut".len()));
    let octets: usize = steps.iter().map(|step| step.text.len()).sum();
    assert!(octets < 64 * 1024, "{octets}");
    let left_out = of(&steps, StepKind::LeftOut);
    assert!(fits(left_out[0], "* octets left out"), "{left_out:?}");
    assert_eq!(of(&steps, StepKind::Outcome).len(), 1);
}

#[tokio::test]
async fn an_address_that_is_slower_than_another_is_given_up() {
    let setting = Setting {
        stage_limit: LIMIT * 2,
        ..Setting::default()
    };
    let scene = Scene::asleep(OPPORTUNISTIC, setting).await;
    let _clogged = clogged(&scene, IpAddr::V6(Ipv6Addr::LOCALHOST)).await;
    let _receiver = single_at(&scene, 2, "both").await;
    let aaaa = testworld::RecordType::AAAA;
    scene.world.add("mx.both.test", aaaa, "::1").unwrap();
    let steps = traced(&scene, "a@both.test").await;
    let connections: Vec<(&str, StepKind)> = steps
        .iter()
        .filter_map(|step| Some((step.host.as_deref()?, step.step)))
        .filter(|(_, step)| matches!(step, StepKind::Connect | StepKind::Connected | StepKind::GivenUp))
        .collect();
    let (ipv6, ipv4) = ("mx.both.test [::1]", "mx.both.test [127.0.0.2]");
    assert_eq!(
        connections,
        [
            (ipv6, StepKind::Connect),
            (ipv4, StepKind::Connect),
            (ipv4, StepKind::Connected),
            (ipv6, StepKind::GivenUp),
        ],
        "{steps:#?}"
    );
}

#[tokio::test]
async fn a_destination_that_is_not_tried_is_said_with_the_reason() {
    let scene = asleep().await;
    let domain = scene.world.domain("none.test").signed();
    domain
        .record("none.test", testworld::RecordType::MX, "0 .")
        .add()
        .unwrap();
    let steps = traced(&scene, "a@none.test").await;
    assert_eq!(of(&steps, StepKind::NotTried).len(), 1, "{steps:#?}");
    assert_eq!(of(&steps, StepKind::Connect), Vec::<&str>::new());
    assert!(of(&steps, StepKind::Outcome)[0].contains("status=bounced"));
}

#[tokio::test]
async fn a_watched_delivery_takes_no_connection_that_is_kept_and_leaves_none() {
    let setting = Setting {
        reuse: delivery::Reuse {
            messages: 10,
            time: Duration::from_mins(1),
            idle: Duration::from_secs(20),
        },
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let receiver = single(&scene, "good").await;
    scene.send_to("first@good.test").await;
    scene.send_to("second@good.test").await;
    assert_eq!(receiver.connections().len(), 1);
    // Not seen before it is watched: the scheduler is told afterwards.
    let id = mail::QueueId::generate();
    let watch = scene.traces.watch(id).unwrap();
    assert!(scene.traces.watch(id).is_none());
    scene.queue_as(id, "third@good.test").await;
    let steps = until_settled(watch).await;
    assert_eq!(of(&steps, StepKind::Connect).len(), 1);
    assert_eq!(of(&steps, StepKind::Closed), ["by this relay"]);
    assert_eq!(receiver.connections().len(), 2);
    // The one that is not watched is still there.
    scene.send_to("fourth@good.test").await;
    assert_eq!(receiver.connections().len(), 2);
    assert!(scene.traces.watch(id).is_some());
}

#[tokio::test]
async fn a_long_wait_for_a_connection_is_told_when_it_begins_and_when_it_ends() {
    let setting = Setting {
        connections_per_host: 1,
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let receiver = unsigned(&scene, "slow").await;
    plain(&scene, "other", receiver.address());
    let pause = Duration::from_millis(1_200);
    receiver.set_faults(vec![MailFault::Pause(Stage::Greeting, pause)]);
    scene.queue(&["a@slow.test"], LETTER, Timestamp::now()).await;
    while receiver.connections().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let id = mail::QueueId::generate();
    let watch = scene.traces.watch(id).unwrap();
    scene.queue_as(id, "b@other.test").await;
    let steps = until_settled(watch).await;
    let waited = of(&steps, StepKind::Waited);
    assert_eq!(waited.len(), 2, "{steps:#?}");
    assert_eq!(waited[0], "for a connection: all are in use");
    assert!(waited[1].ends_with(" for a connection"), "{waited:?}");
}

#[tokio::test]
async fn the_log_has_the_traces_of_the_domains_that_it_names() {
    let setting = Setting {
        reuse: delivery::Reuse {
            messages: 10,
            time: Duration::from_mins(1),
            idle: Duration::from_secs(20),
        },
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let receiver = single(&scene, "good").await;
    plain(&scene, "sub.good", receiver.address());
    scene.send_to("a@good.test").await;
    assert_eq!(scene.events("trace").len(), 0);
    scene.traces.log(&[".good.test".parse().unwrap()]);
    scene.send_to("b@good.test").await;
    assert_eq!(
        scene.events("trace").len(),
        0,
        "what is below is not the name itself"
    );
    scene.traces.log(&["good.test".parse().unwrap()]);
    let line = scene.send_to("c@good.test").await;
    let steps = scene.events("trace");
    let kinds: Vec<&str> = steps.iter().map(|step| &*step["step"]).collect();
    assert!(
        kinds.contains(&"reused") && !kinds.contains(&"connect"),
        "{kinds:?}"
    );
    assert!(!kinds.contains(&"outcome"), "{kinds:?}");
    assert!(steps.iter().all(|step| step["id"] == line["id"]));
    let last = steps.last().unwrap();
    assert_eq!(
        (&*last["step"], &*last["text"]),
        ("closed", "not yet: kept for another message")
    );
    scene.traces.log(&[]);
    scene.send_to("d@good.test").await;
    assert_eq!(scene.events("trace").len(), steps.len());
    assert_eq!(receiver.connections().len(), 1);
}
